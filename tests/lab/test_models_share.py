"""Two closets: the second one takes its models from the first one's disk, and proves them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import Done, as_root, install_programs, lab, on, run

TWO = str(Path(__file__).parent / "inventories" / "two")
PLAYBOOK = str(Path(__file__).parent / "playbooks" / "share.yml")
STORE = "/Users/admin/.omlx/store"
SHARE = "http://10.77.31.10:8001"


def bring(host: str, *words: str) -> Done:
    done = run("ansible-playbook", "-i", TWO, PLAYBOOK, "-l", f"{host},localhost", *words)
    assert done.code == 0, done.output[-6000:]
    return done


def borrowed(done: Done) -> tuple[int, int]:
    """Bytes that came from the peer, and bytes that came at all."""
    match = re.search(r"PEER (\d+) OF (\d+) END", done.output)
    assert match, done.output[-3000:]
    return int(match[1]), int(match[2])


def weights(host: str) -> list[str]:
    found = on(host, f"cd {STORE} && ls */*/*.safetensors")
    assert found.code == 0, found.output
    return sorted(line for line in found.output.split() if line.endswith(".safetensors"))


@pytest.fixture(scope="module")
def first() -> Iterator[Done]:
    lab("down")
    lab("up", "--inventory", TWO, limit_s=600)
    for host in ("attic", "loft"):
        install_programs(host, "attic")
    yield bring("attic")
    lab("down")


@pytest.fixture(scope="module")
def second(first: Done) -> Done:
    return bring("loft")


def test_the_first_closet_has_nobody_to_ask_but_the_hub(first: Done) -> None:
    peer, all_bytes = borrowed(first)
    assert (peer, all_bytes > 1_000_000) == (0, True)


def test_the_second_closet_takes_every_byte_from_the_first(first: Done, second: Done) -> None:
    assert borrowed(second) == (borrowed(first)[1],) * 2
    assert weights("loft") == weights("attic")


def test_a_second_run_changes_nothing_on_either(second: Done) -> None:
    done = run("ansible-playbook", "-i", TWO, PLAYBOOK)
    assert done.code == 0, done.output[-4000:]
    assert not any(done.changed().values())


def test_a_damaged_copy_is_noticed_and_comes_from_the_hub(second: Done) -> None:
    damaged = weights("attic")[0]
    as_root("attic", f"printf x | dd of={STORE}/{damaged} bs=1 seek=100 conv=notrunc 2>/dev/null")
    as_root("loft", f"rm {STORE}/{damaged}")
    done = bring("loft")
    peer, all_bytes = borrowed(done)
    assert all_bytes > peer, "the damaged bytes of the peer, and the good ones of the hub"
    proven = bring("loft", "-e", "models_verify=sha256")
    assert borrowed(proven) == (0, 0)


def test_the_share_serves_the_store_and_nothing_above_it(second: Done) -> None:
    repo = weights("attic")[0].rpartition("/")[0]
    record = on("loft", f"curl -sf {SHARE}/{repo}/.closet.json")
    assert json.loads(record.output.split("Shared connection")[0])["repo"] == repo
    above = on("loft", f"curl -s -o /dev/null -w '%{{http_code}}' --path-as-is {SHARE}/../settings")
    assert "404" in above.output


def test_the_share_goes_when_it_is_not_asked_for(second: Done) -> None:
    bring("attic", "-e", "models_share_address=")
    gone = on("attic", "sudo launchctl print system/inference.closet.share")
    assert gone.code == 113
