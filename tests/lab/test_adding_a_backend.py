"""A fourth backend is a role, a row of the table and an import: docs/adding-a-backend.md."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.lab.backends import BODY, MODEL, ask
from tests.lab.conftest import ROOT, Done, on, provisioned, run

pytestmark = pytest.mark.usefixtures("fresh_lab_with_programs")

EXAMPLE = ROOT / "tests/lab/roles"
PLIST = "/Library/LaunchDaemons/inference.closet.plain-mlx.plist"
PROFILE = {
    "because": "The large coder, with mlx_lm.server as it is.",
    "backend": "plain_mlx",
    "build": MODEL,
    "chat": MODEL,
    "models": [MODEL],
    "pinned": [MODEL],
    "requests": 1,
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with the new backend, and an inventory that has a profile of it."""
    copy = tmp_path_factory.mktemp("fourth")
    for name in ("plugins", "roles", "playbooks", "meta", "inventories", "collections"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True)
    for name in ("site.yml", "galaxy.yml", "ansible.cfg"):
        shutil.copy(ROOT / name, copy / name)
    (copy / "lab").symlink_to(ROOT / "lab")

    shutil.copytree(EXAMPLE / "plain_mlx", copy / "roles/plain_mlx")
    row, _line, values = (EXAMPLE / "backends.txt").read_text().partition("---\n")
    table = copy / "roles/closet/vars/main/backends.yml"
    head, _line, rest = table.read_text().partition("closet_backends:\n")
    table.write_text(f"{head}closet_backends:\n{row}{rest}\n{values}")
    loaded = copy / "playbooks/tasks/servers.yml"
    last = loaded.read_text().rpartition("- name:")[2]
    loaded.write_text(f"{loaded.read_text()}\n- name:{last.replace('gateway', 'plain_mlx')}")

    options = copy / "inventories/lab/group_vars/closet.yml"
    found = yaml.safe_load(options.read_text())
    found["closet_profiles"]["plain"] = PROFILE
    found["plain_mlx_requirements"] = found["mlx_lm_requirements"]
    options.write_text(yaml.safe_dump(found))
    return copy


def play(checkout: Path, book: str, *words: str) -> Done:
    limit = ("--limit", "attic,air,localhost")
    return run("ansible-playbook", book, *limit, *words, limit_s=600, checkout=checkout)


def test_it_serves_with_the_keys_of_the_closet(checkout: Path) -> None:
    consent = ("playbooks/expose.yml", "-e", "scope=lan", "-e", "confirm=attic")
    provisioned(play(checkout, *consent))
    provisioned(play(checkout, "site.yml", "-e", "closet_profile=plain"))
    assert ask("/models", key="")[0] == "401"
    code, text = ask("/chat/completions", BODY)
    assert (code, json.loads(text)["model"]) == ("200", MODEL)
    words = re.findall("<string>(.*)</string>", on("attic", f"cat {PLIST}").output)
    assert "mlx_lm.server" in words
    assert on("attic", "sudo cat /var/log/closet/plain_mlx/plain_mlx.log").output.strip()


def test_a_second_run_changes_nothing(checkout: Path) -> None:
    done = provisioned(play(checkout, "site.yml", "-e", "closet_profile=plain"))
    assert done.changed()["attic"] == 0, done.output


def test_what_the_owner_adds_to_its_job_comes_last(checkout: Path) -> None:
    more = {"closet_profile": "plain", "plain_mlx_plist": {"Nice": 5}, "plain_mlx_env": {"A": "b"}}
    provisioned(play(checkout, "site.yml", "-e", json.dumps(more)))
    plist = on("attic", f"cat {PLIST}").output
    assert re.search(r"<key>Nice</key>\s*<integer>5</integer>", plist)
    assert re.search(r"<key>A</key>\s*<string>b</string>", plist)


def test_it_stops_and_starts_as_the_others_do(checkout: Path) -> None:
    state = "sudo launchctl print system/inference.closet.plain-mlx"
    chosen = ("-e", "closet_profile=plain")
    assert play(checkout, "playbooks/stop.yml", *chosen).code == 0
    assert "Could not find service" in on("attic", state).output
    assert play(checkout, "playbooks/start.yml", *chosen).code == 0
    assert "state = running" in on("attic", state).output


def test_another_backend_takes_its_place(checkout: Path) -> None:
    provisioned(play(checkout, "site.yml", "-e", "closet_profile=coding-omlx"))
    left = on("attic", "ls /Library/LaunchDaemons").output
    assert "inference.closet.omlx" in left
    assert "plain-mlx" not in left
    assert "gateway" not in left
