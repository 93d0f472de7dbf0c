"""What every double of a Mac command shares: what this Mac is, and where its state lives.

Loaded by each double through `#!/usr/libexec/lab-python -IS`, so it imports next to nothing:
a command that Ansible runs on every play may not cost more than the interpreter itself.
Paths are relative to the environment's CLOSET_LAB_ROOT (default: /), which only tests set.
"""

# ruff: noqa: PTH103, PTH105, PTH119, PTH120, PTH123
# Importing pathlib takes as long as a whole sysctl call.

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing takes as long as all of sysctl does
    from typing import Any, NoReturn

ROOT = os.environ.get("CLOSET_LAB_ROOT", "").rstrip("/")

_ENV = "/usr/libexec/closet-lab/mac.env"
_STATE = "/var/db/closet-lab"
_RUN = "/run/closet-lab"


def path(absolute: str) -> str:
    """Return where `absolute`, a path on the Mac, is for this process."""
    return ROOT + absolute


def env() -> dict[str, str]:
    """Return this Mac's facts by their names in mac.env (MODEL, MACOS, MEMORY_GB …)."""
    facts: dict[str, str] = {}
    with open(path(_ENV), encoding="utf-8") as lines:
        for line in lines:
            name, mark, value = line.rstrip("\n").partition("=")
            if mark:
                facts[name] = value[1:-1].replace("'\\''", "'")
    return facts


def is_root() -> bool:
    """Say whether the kernel would let this process change the system."""
    return os.geteuid() == 0


def program() -> str:
    """Return the name a BSD tool puts before its messages."""
    return os.path.basename(sys.argv[0])


def warn(message: str) -> None:
    """Print what warnx(3) would: the program's name, a colon, the message, on stderr."""
    sys.stdout.flush()
    sys.stderr.write(f"{program()}: {message}\n")
    sys.stderr.flush()


def fail(message: str, status: int = 1) -> NoReturn:
    """Print what errx(3) would, and exit."""
    warn(message)
    sys.exit(status)


def kept(name: str) -> dict[str, Any]:
    """Return the state called `name` that survives a reboot; empty when never written."""
    return _read(f"{_STATE}/{name}.json")


def keep(name: str, state: dict[str, Any]) -> None:
    """Write the state called `name`, atomically."""
    _write(f"{_STATE}/{name}.json", state)


def since_boot(name: str) -> dict[str, Any]:
    """Return the state called `name` that a reboot loses; empty when never written."""
    return _read(f"{_RUN}/{name}.json")


def keep_until_reboot(name: str, state: dict[str, Any]) -> None:
    """Write the state called `name` to the place that a reboot empties, atomically."""
    _write(f"{_RUN}/{name}.json", state)


def lock(name: str) -> None:
    """Wait until no other double changes `name`; held until this process ends."""
    import fcntl

    os.makedirs(path(_RUN), exist_ok=True)
    descriptor = os.open(path(f"{_RUN}/{name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def _read(name: str) -> dict[str, Any]:
    try:
        with open(path(name), encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return {}
    import json

    state = json.loads(text)
    return state if isinstance(state, dict) else {}


def _write(name: str, state: dict[str, Any]) -> None:
    import json

    place = path(name)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    fresh = f"{place}.{os.getpid()}"
    with open(fresh, "w", encoding="utf-8") as file:
        json.dump(state, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, place)
