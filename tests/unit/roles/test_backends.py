"""The roles of the backends keep one contract, and the playbooks know their jobs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]
ROLES = CHECKOUT / "roles"
BEHIND_THE_GATEWAY = ("mlx_lm", "ollama")


def load(path: str) -> Any:
    return yaml.safe_load((CHECKOUT / path).read_text())


def label(role: str) -> str:
    found = load(f"roles/{role}/vars/main.yml")
    return str(next(value for name, value in found.items() if name.endswith(f"{role}_label")))


@pytest.mark.parametrize("role", (*BEHIND_THE_GATEWAY, "gateway"))
def test_a_role_has_every_part_of_the_contract(role: str) -> None:
    parts = {path.stem for path in (ROLES / role / "tasks").iterdir()}
    assert {"main", "install", "serve", "stop", "discard", "prune"} <= parts


def test_whoever_leaves_for_good_may_finish_first_and_the_gateway_goes_first() -> None:
    found = load("roles/closet/vars/main/backends.yml")
    farewells = found["closet_farewells"]
    assert farewells[0]["label"] == label("gateway")
    everybody = {name for names in found["closet_backend_jobs"].values() for name in names}
    assert {job["label"] for job in farewells} == everybody
    assert {job["state"] for job in farewells} == {"absent"}
    assert all("before_stop" in job for job in farewells)


@pytest.mark.parametrize("role", BEHIND_THE_GATEWAY)
def test_a_stop_ends_the_gateway_before_the_server_and_takes_both_away(role: str) -> None:
    (stop,) = load(f"roles/{role}/tasks/stop.yml")
    jobs = stop["closet.inference.launchd_job"]["jobs"]
    assert [job["state"] for job in jobs] == ["absent", "absent"]
    assert [job["label"] for job in jobs] == [label("gateway"), f"{{{{ {role}_label }}}}"]


def test_the_playbooks_know_the_jobs_of_every_backend() -> None:
    known = load("roles/closet/vars/main/backends.yml")["closet_backend_jobs"]
    assert known == {
        "omlx": [label("omlx")],
        **{role: [label(role), label("gateway")] for role in BEHIND_THE_GATEWAY},
    }


def test_two_servers_never_want_one_port() -> None:
    ports = [load(f"roles/{role}/defaults/main.yml") for role in (*BEHIND_THE_GATEWAY, "omlx")]
    own = [value for each in ports for name, value in each.items() if name.endswith("server_port")]
    assert sorted({*own, 8000}) == [8000, *sorted(own)]


@pytest.mark.parametrize("name", ["gateway/files/caddy", "mlx_lm/files/mlx_lm"])
def test_what_a_mac_gets_is_locked_with_hashes_and_no_address(name: str) -> None:
    wanted = (ROLES / f"{name}.in").read_text().splitlines()
    locked = (ROLES / f"{name}.txt").read_text()
    assert "://" not in locked
    for line in filter(lambda line: line and not line.startswith("#"), wanted):
        project = re.split(r"[\[=><]", line)[0]
        assert re.search(
            rf"^{project}==\S+ \\\n    --hash=sha256:[0-9a-f]{{64}}", locked, re.MULTILINE
        )
