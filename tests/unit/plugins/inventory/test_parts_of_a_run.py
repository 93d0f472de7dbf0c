# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a run: which tags there are, and what cannot begin in the middle."""

from __future__ import annotations

import functools
import re
import shlex
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import parts
from tests.ansible_runs import ansible_playbook
from tests.unit import documents

ROOT = Path(__file__).resolve().parents[4]
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))


def play(*words: str) -> tuple[int, str]:
    """Run ansible-playbook in the checkout, for hosts that are not there."""
    return ansible_playbook(ROOT, "-i", "inventories/example", *words)


@pytest.mark.parametrize(
    ("book", "asked", "left_out", "sentence"),
    [
        ("site.yml", ["all"], [], ""),
        ("site.yml", ["power"], [], ""),
        ("site.yml", ["power", "clients"], ["mcp"], ""),
        ("closet.inference.site", ["omlx"], [], ""),
        (
            "site.yml",
            ["pwoer"],
            [],
            "--tags pwoer: no task of site has this tag, do you mean power?",
        ),
        (
            "/x/repo/site.yml",
            ["all"],
            ["keys"],
            "--skip-tags keys: no task of site has this tag. It",
        ),
        ("playbooks/models.yml", ["list"], [], ""),
        ("playbooks/models.yml", ["power"], [], "no task of models has this tag. It can be list"),
        ("playbooks/expose.yml", ["all"], [], ""),
        ("playbooks/expose.yml", ["power"], [], "expose has no parts and runs as a whole"),
    ],
)
def test_a_tag_that_no_task_has_is_refused(
    book: str, asked: list[str], left_out: list[str], sentence: str
) -> None:
    found = parts.errors([book], asked, left_out)
    assert sentence in " ".join(found)
    assert bool(found) == bool(sentence)


def test_a_playbook_of_the_owner_s_own_has_tags_of_its_own() -> None:
    assert parts.errors([], ["mine"], []) == []
    assert parts.errors(["site.yml", "playbooks/models.yml"], ["list"], []) == []


@pytest.mark.parametrize(
    ("asked", "left_out", "closet", "clients"),
    [
        ([], [], True, True),
        (["all"], [], True, True),
        (["power"], [], True, False),
        (["opencode"], [], False, True),
        (["tailscale"], [], True, True),
        (["clients"], [], False, True),
        (["clients", "power"], [], True, True),
        (["all"], ["clients"], True, False),
        (["all"], ["power"], True, True),
    ],
)
def test_a_play_without_a_part_of_the_run_is_left_out(
    asked: list[str], left_out: list[str], closet: bool, clients: bool
) -> None:
    assert parts.leaves_out("closet", asked, left_out) is not closet
    assert parts.leaves_out("clients", asked, left_out) is not clients


@functools.cache
def listed(tag: str = "all") -> list[tuple[str, set[str]]]:
    """The tasks of a run with a tag, and the tags of each, as ansible-playbook lists them."""
    code, text = play("site.yml", "--list-tasks", "--tags", tag)
    assert code == 0, text
    found = re.findall(r"^ {6}(\S.*)\tTAGS: \[(.*)\]$", text, re.MULTILINE)
    return [(name, set(tags.split(", "))) for name, tags in found]


def chosen(tag: str) -> list[tuple[str, set[str]]]:
    """The same, worked out from the list of all tasks."""
    return [(name, tags) for name, tags in listed() if tags & {tag, "always"}]


@pytest.mark.parametrize("tag", ["power", "opencode", "tailscale"])
def test_a_tag_chooses_the_tasks_that_have_it_and_those_of_every_run(tag: str) -> None:
    assert listed(tag) == chosen(tag)


@pytest.mark.parametrize("tag", parts.TAGS["site"])
def test_each_tag_finds_tasks_and_the_lock_of_the_closet_comes_first(tag: str) -> None:
    tasks = chosen(tag)
    ours = [(name, tags) for name, tags in tasks if tag in tags]
    assert ours, tasks
    closet = [name for name, tags in ours if "closet" in tags]
    assert not closet or closet[0] == "hold | Acquire the run lock"
    assert any("probe | Gather the host facts" in name for name, _tags in tasks)


def test_every_tag_of_the_playbooks_is_known() -> None:
    for name in ("closet", "clients"):
        document = documents.read(ROOT / f"playbooks/{name}.yml")
        found = set(parts.PLAYS[name]) - {document[0]["tags"]}
        for task in document[0]["tasks"]:
            tags = task.get("tags", [])
            found -= set([tags] if isinstance(tags, str) else tags)
            assert set([tags] if isinstance(tags, str) else tags) <= set(parts.PLAYS[name])
        assert not found, "a tag that no task has"


@pytest.mark.parametrize(
    "words",
    [
        ("site.yml", "--start-at-task", "Generate the keys"),
        ("site.yml", "--start-at-task", "Fail with the errors of all hosts"),
        ("site.yml", "--start-at-task", "Check the closet from this laptop"),
        ("site.yml", "--skip-tags", "always"),
        ("playbooks/closet.yml",),
        ("playbooks/clients.yml",),
        ("playbooks/expose.yml", "-e", "scope=lan", "--start-at-task", "Record the consent"),
        ("playbooks/models.yml", "--start-at-task", "Pull the models"),
        ("playbooks/start.yml", "--start-at-task", "start | Start the servers"),
        ("playbooks/stop.yml", "--start-at-task", "stop | Stop the servers gracefully"),
        ("playbooks/upgrade.yml", "--start-at-task", "Install the new release"),
        ("playbooks/profile.yml", "-e", "profile=lean", "--start-at-task", "Generate the keys"),
    ],
    ids=" ".join,
)
def test_what_would_begin_in_the_middle_says_so_in_one_sentence(words: tuple[str, ...]) -> None:
    code, text = play(*words)
    assert code != 0
    text = " ".join(text.split())
    assert "This run would begin in the middle" in text
    assert "Nothing was changed" in text
    assert "`ansible-playbook -i inventories/example site.yml --tags power`" in text
    assert "undefined" not in text
    assert "TASK" not in text.replace("TASK [Fail", "").replace("TASK [closet.inference", "")


def test_the_two_commands_begin_at_the_beginning() -> None:
    code, text = play("site.yml", "--start-at-task", "Generate the keys")
    advised = re.findall(r"`([^`]+)`", " ".join(text.split()))
    assert (code != 0, len(set(advised))) == (True, 2)
    for command in advised:
        program, *words = shlex.split(command)
        assert (program, words[:2]) == ("ansible-playbook", ["-i", "inventories/example"])
        # nobody has these hosts: that is found by the look, the first of all
        code, text = play(*words[2:])
        assert code != 0
        assert "probe | Gather the host facts" in text
        assert "attic is the closet and does not answer, see above" in " ".join(text.split())


def test_every_play_that_needs_preflight_has_it_before() -> None:
    """Plays for closets and laptops, but for those that look themselves."""
    for name in PLAYBOOKS:
        for one in documents.read(ROOT / f"playbooks/{name}.yml"):
            if "closet.inference.closet" in one.get("roles", []):
                looks = "expose" if one["hosts"] in ("closet", "clients") else ""
                assert "after_preflight" in one["hosts"] or looks == name, f"{name}: {one['name']}"
