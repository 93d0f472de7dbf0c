"""Domain and service targets as launchctl(1) writes them. Light: launchctl imports this."""

from __future__ import annotations

NUMBERED = ("user", "gui", "login", "session", "pid")
SPELLED = {
    "user": "uid",
    "gui": "user gui",
    "login": "login",
    "session": "asid",
    "pid": "pid",
}

Target = tuple[str, int, "str | None"]


def parse(text: str) -> Target | None:
    """Split `system/label`, `gui/501/label` … into kind, number and label; None otherwise."""
    kind, _, rest = text.partition("/")
    if kind == "system":
        return ("system", 0, rest or None)
    if kind not in NUMBERED:
        return None
    number, _, label = rest.partition("/")
    if not (number.isascii() and number.isdigit()):
        return None
    return (kind, int(number), label or None)


def path_of(kind: str, number: int) -> str:
    """Return how `print` heads a domain: `system`, `gui/501`."""
    return kind if kind == "system" else f"{kind}/{number}"


def spelled(kind: str, number: int) -> str:
    """Return how errors name a domain: `system`, `user gui: 501`, `port` for legacy verbs."""
    return kind if kind in ("system", "port") else f"{SPELLED[kind]}: {number}"
