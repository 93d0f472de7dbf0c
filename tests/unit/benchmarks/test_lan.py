"""The temporary inventory of a benchmark: the lab's own, with as many laptops as asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmarks.lan import BenchmarkError, inventory
from lab.inventory import read
from lab.paths import INVENTORY
from tests.unit import documents

LAB = documents.read(INVENTORY / "hosts.yml")


@pytest.mark.parametrize("laptops", [1, 3, 15, 31])
def test_the_lab_understands_it(tmp_path: Path, laptops: int) -> None:
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory(LAB, laptops), sort_keys=False))
    lan = read(tmp_path)
    assert [mac.name for mac in lan.macs] == [
        "attic",
        *(f"laptop{number:02}" for number in range(1, laptops + 1)),
    ]
    assert lan.macs[1].address == "10.77.31.31"
    assert lan.macs[-1].address == f"10.77.31.{30 + laptops}"


def test_the_closet_stays_as_the_lab_has_it() -> None:
    made = inventory(LAB, 3)["all"]
    assert made["children"]["closet"] == LAB["all"]["children"]["closet"]
    assert made["vars"] == LAB["all"]["vars"]


def test_laptops_take_turns_in_the_hardware_of_the_labs_own() -> None:
    kinds = [host["lab_mac"] for host in LAB["all"]["children"]["clients"]["hosts"].values()]
    hosts = inventory(LAB, len(kinds) + 1)["all"]["children"]["clients"]["hosts"]
    assert [host["lab_mac"] for host in hosts.values()] == [*kinds, kinds[0]]


def test_more_laptops_than_addresses_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="has room for 224 laptops, not for 225"):
        inventory(LAB, 225)
