"""What launchctl prints about more than one job, and the legacy dictionary of `list LABEL`."""

from __future__ import annotations

from collections.abc import Iterable

from .exits import NEVER
from .job import JobState
from .plist import JobDefinition
from .targets import path_of

Job = tuple[JobDefinition, JobState]


def table(jobs: Iterable[Job]) -> str:
    """`launchctl list`: a running job shows how its previous run ended."""
    lines = ["PID\tStatus\tLabel"]
    for definition, state in jobs:
        pid = "-" if state.pid is None else str(state.pid)
        lines.append(f"{pid}\t{state.last_exit.listed}\t{definition.label}")
    return "\n".join([*lines, ""])


def dictionary(definition: JobDefinition, state: JobState, session: str) -> str:
    """`launchctl list LABEL`: an old-style plist; LastExitStatus is the raw wait(2) status."""
    lines = ["{"]
    for name, path in (
        ("StandardOutPath", definition.stdout_path),
        ("StandardErrorPath", definition.stderr_path),
    ):
        if path is not None:
            lines.append(f'\t"{name}" = "{path}";')
    on_demand = "false" if definition.keep_alive.always else "true"
    lines += [
        f'\t"LimitLoadToSessionType" = "{session}";',
        f'\t"Label" = "{definition.label}";',
        f'\t"OnDemand" = {on_demand};',
        f'\t"LastExitStatus" = {state.last_exit.raw_status};',
    ]
    if state.pid is not None:
        lines.append(f'\t"PID" = {state.pid};')
    lines.append(f'\t"Program" = "{definition.executable}";')
    if definition.arguments:
        words = [f'\t\t"{argument}";' for argument in definition.arguments]
        lines += ['\t"ProgramArguments" = (', *words, "\t);"]
    return "\n".join([*lines, "};", ""])


def _words(macos: int) -> dict[bool, str]:
    """Up to macOS 12 `true` means disabled; later the word says so."""
    if macos <= 12:
        return {True: "true", False: "false"}
    return {True: "disabled", False: "enabled"}


def overrides(entries: dict[str, bool], macos: int) -> str:
    """`launchctl print-disabled`, in the shape of the macOS release (facts, section 1.9)."""
    words = _words(macos)
    rows = [f'"{label}" => {words[disabled]}' for label, disabled in entries.items()]
    indent, header, closing = {
        True: ("\t\t", "\t", "\t"),  # macOS 26: all of it one tab in, after an empty line
        False: ("\t", "", ""),
    }[macos == 26]
    if macos >= 27:
        indent, closing = "\t\t", "\t"

    def block(name: str, lines: list[str]) -> list[str]:
        return [f"{header}{name} = {{", *(indent + line for line in lines), f"{closing}}}"]

    lines = block("disabled services", rows)
    if macos == 26:
        lines = ["", *lines, "", *block("login item associations", [])]
    elif macos >= 13:
        lines += block("login item associations", [])
    return "\n".join([*lines, ""])


def domain(
    kind: str, number: int, asid: int, jobs: list[Job], disabled: dict[str, bool], macos: int
) -> str:
    """`launchctl print <domain>`: the head of fixture F15, then every service on one line."""
    running = sum(1 for _, state in jobs if state.alive)
    sessions = {"user": "Background", "gui": "Aqua"}
    types = {"system": "system", "user": "user", "gui": "login"}
    creators = {"system": "launchd[1]", "user": "launchd[1]", "gui": "loginwindow[415]"}
    words = _words(macos)
    lines = [
        f"{path_of(kind, number)} = {{",
        f"\ttype = {types[kind]}",
        f"\thandle = {asid if kind == 'gui' else number}",
        f"\tactive count = {running + 1}",
        f"\tservice count = {len(jobs)}",
        f"\tactive service count = {running}",
        f"\tcreator = {creators[kind]}",
        "\tcreator euid = 0",
    ]
    if kind in sessions:
        lines.append(f"\tsession = {sessions[kind]}")
    lines += ["", "\tservices = {"]
    for definition, state in jobs:
        status = "-" if state.last_exit == NEVER else str(state.last_exit.listed)
        lines.append(f"\t\t{state.pid or 0:>8} {status:>6} \t{definition.label}")
    lines += ["\t}", "", "\tdisabled services = {"]
    lines += [f'\t\t"{label}" => {words[value]}' for label, value in disabled.items()]
    return "\n".join([*lines, "\t}", "}", ""])
