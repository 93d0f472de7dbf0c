"""Every role works by itself, on a host that no other part of the collection has prepared."""

from __future__ import annotations

import json
import re

import pytest

from tests.lab.conftest import HOSTS, ROOT, Done, install_programs, on, run

pytestmark = pytest.mark.usefixtures("bare_lab")

PLAYBOOK = "tests/lab/playbooks/alone.yml"
KEY = "the-key-of-this-test"
#: the private roles refuse to be used alone; closet has only the variables of the playbooks
NOT_HERE = {"_daemon", "_host_facts", "closet", "preflight"}


def play(*words: str) -> Done:
    inventory = ("-i", "tests/lab/inventories/alone/hosts.yml")
    return run("ansible-playbook", *inventory, PLAYBOOK, *words, limit_s=600)


@pytest.fixture(scope="module")
def first_run() -> Done:
    for host in HOSTS:
        install_programs(host, host)
    done = play()
    assert done.code == 0, done.output
    return done


def names(port: int) -> list[str]:
    """What a server on attic lists for the key of this test."""
    asked = f"curl -sf -m 30 -H 'Authorization: Bearer {KEY}' http://127.0.0.1:{port}/v1/models"
    return [model["id"] for model in json.loads(on("attic", asked).output)["data"]]


def test_the_playbook_has_every_role() -> None:
    played = set(
        re.findall(r"closet\.inference\.(\w+)$", (ROOT / PLAYBOOK).read_text(), re.MULTILINE)
    )
    roles = {tasks.parent.name for tasks in (ROOT / "roles").glob("*/tasks")}
    assert played == roles - NOT_HERE


def test_each_role_establishes_its_part(first_run: Done) -> None:
    changed = first_run.changed()
    assert all(changed[host] > 0 for host in HOSTS), first_run.output
    assert names(8000) == ["small"]
    assert names(8100) == ["small"]
    assert "iogpu.wired_limit_mb=" in on("attic", "cat /etc/sysctl.conf").output
    assert on("air", "/usr/local/bin/opencode --version").code == 0
    assert "notes-server" in on("pro", "cat ~/.claude.json").output


def test_a_second_run_changes_nothing(first_run: Done) -> None:
    done = play()
    assert done.code == 0, done.output
    assert set(done.changed().values()) == {0}, done.output


def test_a_host_that_cannot_be_used_is_refused_before_anything_changes() -> None:
    done = play("-e", "closet_service_account=nobody-of-this-name", "--limit", "attic")
    assert done.code != 0
    assert "Nothing was changed." in done.output, done.output
