"""`launchctl print <service>`: the text, line by line in the order launchd emits it.

Grammar, order and blank lines: facts, section 1.7, from transcripts of macOS 13 to 26. The traps
for parsers are kept: a nested `state = active`, two `active count`, arguments printed raw, and
words that only look like the key one wants. Nothing here is shared with the parser in plugins/.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .job import JobState
from .plist import JobDefinition, KeepAlive
from .spawn import DEFAULT_PATH, LIMITS, shown_environment
from .targets import path_of

SPAWN_TYPES = {
    "Interactive": "interactive (4)",
    "Background": "background (5)",
    "Adaptive": "adaptive (6)",
}
JETSAM_PRIORITIES = {"Interactive": 180}  # seen for sshd; all others print 40
FIRST_TRIGGER_ID = 268435456


@dataclass(frozen=True)
class ServiceView:
    """What one service looks like at the moment it is printed."""

    kind: str
    number: int
    definition: JobDefinition
    state: JobState
    path: str
    macos: int = 26
    asid: int = 0
    coalition: int = 1000
    inherited: tuple[tuple[str, str], ...] = ()


class _Text:
    """Collects lines; a blank line is never doubled."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str, depth: int = 1) -> None:
        self.lines.append("\t" * depth + text)

    def key(self, name: str, value: object, depth: int = 1) -> None:
        self.line(f"{name} = {value}", depth)

    def optional(self, name: str, value: object | None) -> None:
        if value is not None:
            self.key(name, value)

    def blank(self) -> None:
        if self.lines[-1]:
            self.lines.append("")

    def block(self, name: str, lines: Iterable[str]) -> None:
        """A block's lines are written two deep; each may bring further tabs of its own."""
        self.line(f"{name} = {{")
        for text in lines:
            self.line(text, 2)
        self.line("}")
        self.blank()

    def pairs(self, name: str, pairs: Iterable[tuple[str, object]]) -> None:
        self.block(name, (f"{key} => {value}" for key, value in pairs))


def service(view: ServiceView) -> str:
    """Render a loaded service."""
    text = _Text()
    text.lines.append(f"{path_of(view.kind, view.number)}/{view.definition.label} = {{")
    _head(text, view)
    _program(text, view)
    _environments(text, view)
    _account(text, view)
    _history(text, view)
    _demands(text, view)
    _coalitions(text, view)
    _resources(text, view)
    text.blank()
    text.key("properties", " | ".join(_properties(view)))
    return "\n".join([*text.lines, "}", ""])


def _head(text: _Text, view: ServiceView) -> None:
    text.key("active count", 1 if view.state.alive else 0)
    text.key("path", view.path)
    text.key("type", "LaunchDaemon" if view.kind == "system" else "LaunchAgent")
    text.key("state", view.state.phase.value)
    text.blank()


def _program(text: _Text, view: ServiceView) -> None:
    definition = view.definition
    text.key("program", definition.executable)
    if definition.arguments:
        text.block("arguments", definition.arguments)
    if definition.working_directory is not None:
        text.key("working directory", definition.working_directory)
        text.blank()
    text.optional("stdin path", definition.stdin_path)
    text.optional("stdout path", definition.stdout_path)
    text.optional("stderr path", definition.stderr_path)


def _environments(text: _Text, view: ServiceView) -> None:
    if view.inherited:
        text.pairs("inherited environment", view.inherited)
    text.pairs("default environment", [("PATH", DEFAULT_PATH)])
    text.pairs("environment", shown_environment(view.definition, view.macos))


def _account(text: _Text, view: ServiceView) -> None:
    definition = view.definition
    session = f" [{view.asid}]" if view.kind == "gui" else ""
    text.key("domain", path_of(view.kind, view.number) + session)
    if view.kind != "system":
        text.key("asid", view.asid)
    if view.kind == "system" and (definition.user or definition.group):
        text.optional("username", definition.user)
        text.optional("group", definition.group)
        text.blank()
    if definition.umask is not None:
        text.key("umask", f"{definition.umask:o}")


def _history(text: _Text, view: ServiceView) -> None:
    definition, state = view.definition, view.state
    text.key("minimum runtime", definition.throttle_s)
    if _exponential(view):
        text.key("base minimum runtime", definition.throttle_s)
    text.key("exit timeout", definition.exit_timeout_s)
    text.optional("nice", definition.nice)
    text.key("runs", state.runs)
    text.optional("successive crashes", state.crashes or None)
    if state.alive:
        _process(text, view)
    text.line(state.last_exit.printed())
    text.blank()


def _process(text: _Text, view: ServiceView) -> None:
    text.key("pid", view.state.pid)
    text.key("immediate reason", view.state.reason)
    for name, value in (
        ("forks", 0),
        ("execs", 1),
        ("initialized", 1),
        ("trampolined", 1),
        ("started suspended", 0),
        ("proxy started suspended", 0),
    ):
        text.key(name, value)
    if view.macos >= 26:
        text.line("checked allocations = 0 (queried = 1)")
        text.line("checked allocations reason = no host")
        text.line("checked allocations flags = 0x0")


def _demands(text: _Text, view: ServiceView) -> None:
    keep = view.definition.keep_alive
    if keep.judges_exits:
        text.pairs("semaphores", _semaphores(keep))
    triggers = [*_calendar_triggers(view), *_path_trigger(view)]
    if triggers:
        text.block("event triggers", triggers)
    if view.definition.calendar and view.macos < 26:
        flags = ("active = 0", "managed = 1", "reset = 0", "hide = 0", "watching = 1")
        body = ["\tport = 0x92a03", *(f"\t{flag}" for flag in flags)]
        text.block("event channels", ['"com.apple.launchd.calendarinterval" = {', *body, "}"])


def _semaphores(keep: KeepAlive) -> Iterable[tuple[str, object]]:
    if keep.successful_exit is not None:
        yield "successful exit", int(keep.successful_exit)
    if keep.crashed is not None:
        yield "after crash", int(keep.crashed)


def _trigger(view: ServiceView, name: str, stream: str, descriptor: Iterable[str]) -> list[str]:
    # The agent's name is from gui transcripts; the system domain's is common knowledge only.
    monitor = "System" if view.kind == "system" else "Aqua"
    return [
        f"{name} => {{",
        "\tkeepalive = 0",
        f"\tservice = {view.definition.label}",
        f"\tstream = {stream}",
        f"\tmonitor = com.apple.UserEventAgent-{monitor}",
        "\tdescriptor = {",
        *(f"\t\t{line}" for line in descriptor),
        "\t}",
        "}",
    ]


def _calendar_triggers(view: ServiceView) -> list[str]:
    lines: list[str] = []
    for index, spec in enumerate(view.definition.calendar):
        name = f"{view.definition.label}.{FIRST_TRIGGER_ID + view.coalition % 1000 + index}"
        descriptor = (f'"{key}" => {value}' for key, value in spec.pairs())
        lines += _trigger(view, name, "com.apple.launchd.calendarinterval", descriptor)
    return lines


def _path_trigger(view: ServiceView) -> list[str]:
    paths = view.definition.keep_alive.path_state
    if not paths:
        return []
    inner = [f'\t"{path}" => {"true" if wanted else "false"}' for path, wanted in paths]
    descriptor = ['"PathState" => {', *inner, "}"]
    name = "com.apple.launchd.PathState"
    return _trigger(view, name, "com.apple.fsevents.matching", descriptor)


def _coalitions(text: _Text, view: ServiceView) -> None:
    if view.macos < 26 or not view.state.runs:
        return
    for offset, kind in enumerate(("resource", "jetsam")):
        text.block(
            f"{kind} coalition",
            (
                f"ID = {view.coalition + offset}",
                f"type = {kind}",
                "state = active",
                "active count = 1",
                f"name = {view.definition.label}",
            ),
        )


def _resources(text: _Text, view: ServiceView) -> None:
    definition = view.definition
    process_type = definition.process_type or "Standard"
    text.key("spawn type", SPAWN_TYPES.get(process_type, "daemon (3)"))
    text.key("jetsam priority", JETSAM_PRIORITIES.get(process_type, 40))
    text.line("jetsam memory limit (active) = (unlimited)")
    text.line("jetsam memory limit (inactive) = (unlimited)")
    text.key("jetsamproperties category", "daemon")
    text.key("jetsam thread limit", 32)
    text.key("cpumon", "default")
    limits = [*_limits(definition.soft_limits, "soft"), *_limits(definition.hard_limits, "hard")]
    if limits:
        text.pairs("resource limits", limits)
    if definition.start_interval_s:
        text.key("run interval", f"{definition.start_interval_s} seconds")
    if 13 <= view.macos <= 15:
        rates = ("activation rate = 1/1000", "sample rate = 1/0")
        text.block("probabilistic guard malloc policy", rates)
    if view.state.setup_failed:
        text.key("job state", "spawn failed")


def _limits(limits: Iterable[tuple[str, int]], kind: str) -> Iterable[tuple[str, object]]:
    for name, value in limits:
        if name in LIMITS:
            yield f"{LIMITS[name][1]} ({kind})", value


def _exponential(view: ServiceView) -> bool:
    """Fixture F5, the one PathState transcript of macOS 26, throttles exponentially."""
    return view.macos >= 26 and bool(view.definition.keep_alive.path_state)


def _properties(view: ServiceView) -> Iterable[str]:
    definition = view.definition
    for holds, word in (
        (definition.keep_alive.always, "keepalive"),
        (definition.run_at_load, "runatload"),
        (definition.launch_only_once, "launch only once"),
        (definition.program is None, "inferred program"),
        (definition.enable_transactions, "supports transactions"),
        (definition.abandon_process_group, "abandon process group"),
        (definition.low_priority_io, "low priority i/o"),
        (definition.low_priority_background_io, "low priority background i/o"),
        (_exponential(view), "exponential throttling"),
    ):
        if holds:
            yield word
