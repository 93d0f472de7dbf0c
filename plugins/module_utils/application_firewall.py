# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs with incoming connections in macOS's application firewall, through socketfilterfw.

The firewall identifies a program by its real path; a link to it is no entry. A record has our
entries. It is written before each step, so that an interrupted run loses none of them. Since macOS
15 the state is in no file: only socketfilterfw can read it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.filediff import text_diff
from ansible_collections.closet.inference.plugins.module_utils.files import (
    remove_file,
    write_atomic,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

TOOL = "/usr/libexec/ApplicationFirewall/socketfilterfw"
# a framework's python starts this program of its own and ends
PYTHON_APP = "Resources/Python.app/Contents/MacOS/Python"
NUMBERED = re.compile(r"^\s*\d+\s*:\s*(?P<path>.*?)\s*$")
VERDICT = re.compile(r"^\s*\(\s*(?P<verdict>Allow|Block) incoming connections\s*\)", re.IGNORECASE)


class FirewallError(RuntimeError):
    """The firewall could not be read or changed; the text says what to do."""


@dataclass(frozen=True)
class Record:
    """Our entries: those that we added, and existing ones that we only unblocked."""

    added: tuple[str, ...] = ()
    unblocked: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing in the firewall is ours."""
        return not self.added and not self.unblocked


@dataclass(frozen=True)
class Step:
    """One call of socketfilterfw about one program."""

    option: str  # --add | --unblockapp | --blockapp | --remove
    path: str


@dataclass(frozen=True)
class Planned:
    """The record to keep while the steps are done, the steps, and the record to keep afterwards."""

    during: Record = field(default_factory=Record)
    steps: tuple[Step, ...] = ()
    after: Record = field(default_factory=Record)


def parse_apps(text: str) -> dict[str, bool]:
    """Path → allowed, from `--listapps`: a numbered line with the path, then one in brackets."""
    apps: dict[str, bool] = {}
    path = None
    for line in text.splitlines():
        verdict = VERDICT.match(line)
        if verdict and path is not None:
            apps[path] = verdict["verdict"].lower() == "allow"
            path = None
            continue
        numbered = NUMBERED.match(line)
        if numbered:
            path = numbered["path"]
    return apps


def plan(wanted: Sequence[str], apps: Mapping[str, bool], record: Record) -> Planned:
    """The steps that leave the wanted programs allowed, and of our entries no other."""
    steps: list[Step] = []
    added = [path for path in record.added if path in wanted]
    unblocked = [path for path in record.unblocked if path in wanted]
    for path in wanted:
        if path not in apps:
            steps += [Step("--add", path), Step("--unblockapp", path)]
            added += [] if path in added else [path]
        elif not apps[path]:
            steps.append(Step("--unblockapp", path))
            unblocked += [] if path in (*added, *unblocked) else [path]
    gone = [path for path in record.added if path not in wanted]
    back = [path for path in record.unblocked if path not in wanted]
    steps += [Step("--remove", path) for path in gone if path in apps]
    steps += [Step("--blockapp", path) for path in back if apps.get(path)]
    after = Record(tuple(added), tuple(unblocked))
    return Planned(Record((*added, *gone), (*unblocked, *back)), tuple(steps), after)


def real_programs(paths: Sequence[str]) -> list[str]:
    """The programs that really run when these are started."""
    found: dict[str, None] = {}
    for path in paths:
        real = os.path.realpath(path)
        found[real] = None
        app = Path(real).parent.parent / PYTHON_APP
        if app.is_file():
            found[str(app)] = None
    return list(found)


def execute(params: Mapping[str, Any], runner: Runner, check_mode: bool = False) -> dict[str, Any]:
    """The result; raises FirewallError."""
    wanted = real_programs(params["programs"])
    missing = [path for path in wanted if not Path(path).is_file()]
    if missing and not check_mode:
        raise FirewallError(
            f"{', '.join(missing)} is not there, so the firewall was not changed: install it first"
        )
    path = Path(params["record"])
    record = _read(path)
    apps = parse_apps(_told(runner, "--listapps"))
    planned = plan(wanted, apps, record)
    record_differs = planned.after != record
    if not check_mode:
        _apply(runner, planned, path, record)
        _verify(runner, wanted if planned.steps else [])
    state = _told(runner, "--getglobalstate")
    return {
        "changed": bool(planned.steps) or record_differs,
        "allowed": wanted,
        "steps": [f"{step.option} {step.path}" for step in planned.steps],
        "enabled": "disabled" not in state.lower(),
        "blocks_all": "blocking all" in state.lower(),
        "diff": text_diff(
            "application firewall",
            _shown(apps, (*wanted, *record.added, *record.unblocked)),
            _shown(_after(apps, planned.steps), (*wanted, *record.added)),
        ),
    }


def _apply(runner: Runner, planned: Planned, path: Path, before: Record) -> None:
    if planned.steps and planned.during != before:
        _write(path, planned.during)
    for step in planned.steps:
        _told(runner, step.option, step.path)
    if planned.after.empty:
        remove_file(path)
    elif planned.after != (planned.during if planned.steps else before):
        _write(path, planned.after)


def _verify(runner: Runner, wanted: Sequence[str]) -> None:
    """Its words differ from release to release and its exit code is 0, so look instead."""
    if not wanted:
        return
    apps = parse_apps(_told(runner, "--listapps"))
    shut = [path for path in wanted if not apps.get(path)]
    if shut:
        raise FirewallError(
            f"the firewall was told to allow {', '.join(shut)} and does not list it as allowed: "
            f"see `{TOOL} --listapps`; on a managed Mac a profile may forbid it"
        )


def _told(runner: Runner, *words: str) -> str:
    done = runner.run([TOOL, *words])
    if done.rc != 0:
        said = (done.stdout.strip() or done.stderr.strip() or "nothing").splitlines()[-1]
        raise FirewallError(
            f"`{TOOL} {' '.join(words)}` ended with {done.rc} and said: {said}. Run it by hand "
            "with sudo; become: true is needed to change the firewall"
        )
    return done.stdout


def _read(path: Path) -> Record:
    try:
        kept = json.loads(path.read_text())
        return Record(tuple(map(str, kept["added"])), tuple(map(str, kept["unblocked"])))
    except FileNotFoundError:
        return Record()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FirewallError(
            f"{path}, the record of our entries, cannot be read ({error}): take away with `{TOOL} "
            f"--remove PATH` what of `--listapps` is ours, remove {path} and run again"
        ) from error


def _write(path: Path, record: Record) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    kept = {"added": list(record.added), "unblocked": list(record.unblocked)}
    write_atomic(path, (json.dumps(kept, indent=1) + "\n").encode(), 0o644)


def _after(apps: Mapping[str, bool], steps: Sequence[Step]) -> dict[str, bool]:
    seen = dict(apps)
    for step in steps:
        if step.option == "--remove":
            seen.pop(step.path, None)
        else:
            seen[step.path] = step.option != "--blockapp"
    return seen


def _shown(apps: Mapping[str, bool], paths: Sequence[str]) -> str:
    return "".join(
        f"{path}: {'allowed' if apps[path] else 'blocked'}\n"
        for path in sorted(set(paths))
        if path in apps
    )
