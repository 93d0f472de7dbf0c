# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/security.md names every path that a task writes and every program that root runs."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.unit import documents

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs/security.md"
COLLECTION = "closet.inference."
# These decide by each path with whose rights they act, or write where only root can, see acting.py.
MODULES = {
    "application_firewall",
    "launchd_job",
    "launchd_job_info",
    "managed_files",
    "omlx_settings",
    "opencode_config_info",
    "power_settings",
    "python_environment",
    "release",
    "run_lock",
    "tailscale_node",
}
WRITES = {"content", "template", "block", "line", "link", "merge", "state", "owner", "mode"}
DEPTH = 8


def rows(heading: str) -> list[str]:
    """The patterns in the first column of the table below a heading."""
    text = DOCUMENT.read_text().split(f"### {heading}\n", 1)[1]
    table = re.split(r"\n#{2,3} ", text, maxsplit=1)[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    return [pattern for cell in cells[1:] for pattern in re.findall(r"`([^`]+)`", cell)]


@cache
def variables(role: str) -> dict[str, Any]:
    """Defaults and variables of a role as they are written."""
    found: dict[str, Any] = {}
    for name in ("defaults", "vars"):
        for file in sorted((ROOT / "roles" / role / name).rglob("*.yml")):
            found.update(documents.read(file) or {})
    return found


def written(text: str, role: str) -> str:
    """A path with what is known of its variables, `~` for a home and `*` for the rest."""
    for _ in range(DEPTH):
        text = re.sub(r"{{ preflight_facts\.(account_)?home }}", "~", text)
        text = re.sub(r"{{ \w+_home\s+~ \(?'.*?' if .*? else\s+'(.*?)'\)? }}", r"~\1", text)
        text = re.sub(r"{{ '([^']+)' if .*? else '[^']+' }}", r"\1", text)
        text = re.sub(r"{{ (\w+) \| default\(.*\) }}", r"{{ \1 }}", text)
        text = re.sub(
            r"{{ (daemon|\w+_paths)\.?(paths)?\.(path|wanted) }}", "/opt/closet/omlx/*", text
        )
        text = re.sub(
            r"{{ (\w+(?:\.path)?) \| dirname }}",
            lambda found: posixpath.dirname(written(known(found[1], role) or "*/*", role)),
            text,
        )
        text = re.sub(r"{{ (\w+) }}", lambda found: known(found[1], role) or "*", text)
    return re.sub(r"{{.*?}}", "*", text, flags=re.DOTALL)


def known(name: str, role: str) -> str | None:
    role = next((one for one in roles() if re.match(f"_*{one}_", name)), role)
    value = variables(role).get(name.removesuffix(".path"))
    value = value.get("path") if isinstance(value, dict) else value
    return value if isinstance(value, str) else None


def roles() -> list[str]:
    return sorted((path.name for path in (ROOT / "roles").iterdir()), key=len, reverse=True)


def loaded() -> Iterator[tuple[Path, str, Any]]:
    """Every file of tasks and variables, with the role that it is of."""
    for file in sorted([*(ROOT / "roles").rglob("*.yml"), *(ROOT / "playbooks").rglob("*.yml")]):
        if file.parent.name in ("meta", "defaults"):
            continue
        parts = file.relative_to(ROOT).parts
        yield file, parts[1] if parts[0] == "roles" else "closet", documents.read(file)


def nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for one in value.values():
            yield from nodes(one)
    elif isinstance(value, list):
        for one in value:
            yield from nodes(one)


def paths() -> Iterator[tuple[str, str]]:
    """(place, path) of each file, folder, job and release that a task or variable names."""
    for file, role, document in loaded():
        for node in nodes(document):
            place = str(file.relative_to(ROOT))
            path, label = node.get("path"), node.get("label")
            if isinstance(path, str) and WRITES & set(node):
                yield place, written(path, role)
            if isinstance(label, str) and {"state", "plist", "before_stop"} & set(node):
                yield place, f"/Library/LaunchDaemons/{written(label, role)}.plist"
            for name in ("record", "StandardOutPath", "uv_path"):
                if isinstance(node.get(name), str):
                    yield place, written(node[name], role)


def tasks(value: Any, become: bool = False) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Each task, and whether root does it."""
    for task in value if isinstance(value, list) else []:
        if not isinstance(task, Mapping):
            continue
        is_root = bool(task.get("become", become)) and "become_user" not in task
        for inner in ("block", "rescue", "always", "tasks"):
            yield from tasks(task.get(inner), bool(task.get("become", become)))
        yield task, is_root


def covered(path: str, *headings: str) -> bool:
    example = path.replace("*", "x")
    patterns = [one.replace("…", "*") for heading in headings for one in rows(heading)]
    return any(fnmatch.fnmatchcase(example, one) for one in patterns)


def test_the_tables_have_each_path_that_a_task_writes() -> None:
    missing = [
        f"{place} writes {path}"
        for place, path in sorted(set(paths()))
        if not covered(path, "What root writes", "What is written with an account's rights")
    ]
    assert missing == [], "no row of docs/security.md covers them"


def test_there_are_paths_to_look_at() -> None:
    found = {path for _place, path in paths()}
    assert {
        "/etc/sysctl.conf",
        "/opt/closet/bin/closet-omlx-drain",
        "~/.omlx",
        "~/.zshenv",
    } <= found
    assert len(found) > 60


def of_root() -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Each task that root does, with its file."""
    for file, _role, document in loaded():
        for task, is_root in tasks(document):
            if is_root and not {"block", "tasks", "roles", "import_playbook"} & set(task):
                yield file, task


def fault(file: Path, task: Mapping[str, Any]) -> str | None:
    """Why a task is not one that root may do."""
    place = f"{file.relative_to(ROOT)}, {task.get('name')}"
    used = [key for key in task if key.startswith(COLLECTION)]
    if used:
        known_one = used[0].removeprefix(COLLECTION) in MODULES
        return None if known_one else f"{place}: is {used[0]} safe for root?"
    command = task.get("ansible.builtin.command")
    if not command:
        return f"{place}: root does it with a module that is not ours"
    words = command["argv"]
    quoted = re.search(r"'([^']+)'", str(words))
    first = words[0] if isinstance(words, list) else quoted and quoted[1]
    program = written(str(first), file.relative_to(ROOT).parts[1])
    return None if covered(program, "What root runs") else f"{place}: root runs {program}"


def test_root_works_through_our_modules_or_runs_what_the_table_has() -> None:
    found = list(of_root())
    assert len(found) > 40
    assert [why for file, task in found if (why := fault(file, task))] == []


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"ansible.builtin.copy": {"dest": "/etc/x"}}, "a module that is not ours"),
        ({"ansible.builtin.command": {"argv": ["/opt/homebrew/bin/npm"]}}, "root runs /opt/home"),
        ({"closet.inference.new_one": {}}, "is closet.inference.new_one safe for root"),
    ],
)
def test_what_the_tables_do_not_have_is_found(task: Mapping[str, Any], words: str) -> None:
    assert words in (fault(ROOT / "roles/omlx/tasks/serve.yml", {"name": "Try", **task}) or "")
    assert not covered("/etc/zshenv", "What root writes")
    assert not covered("~/.ssh/authorized_keys", "What is written with an account's rights")
