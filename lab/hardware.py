"""What a simulated Mac is made of: an inventory's `lab_mac` turned into the Mac's own description.

Pure: nothing is read or written here. `describe` gives the dictionary that the lab stores as
/usr/libexec/closet-lab/mac.json, `mac_env` the same facts as shell assignments for the doubles
that are /bin/sh scripts. Only models and versions that somebody has captured are known; a
version number without its build would make up what a Mac prints.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Chip:
    """One Apple chip in its largest variant, and the kernel that Apple builds for it."""

    performance_cores: int
    efficiency_cores: int
    kernel: str

    @property
    def cores(self) -> int:
        """All cores, the number `hw.ncpu` shows."""
        return self.performance_cores + self.efficiency_cores


@dataclass(frozen=True)
class Model:
    """One model identifier, as `hw.model` prints it."""

    name: str
    chip: str
    battery: bool


@dataclass(frozen=True)
class Release:
    """One macOS release: build, Darwin release and the date and source of its kernel."""

    build: str
    darwin: str
    kernel_stamp: str
    kernel_source: str


CHIPS: Mapping[str, Chip] = {
    "Apple M2": Chip(4, 4, "T8112"),
    "Apple M2 Pro": Chip(8, 4, "T6020"),
    "Apple M2 Max": Chip(8, 4, "T6020"),
    "Apple M2 Ultra": Chip(16, 8, "T6020"),
    "Apple M3": Chip(4, 4, "T8122"),
    "Apple M3 Pro": Chip(6, 6, "T6030"),
    "Apple M3 Max": Chip(12, 4, "T6031"),
    "Apple M3 Ultra": Chip(24, 8, "T6031"),
    "Apple M4": Chip(4, 6, "T8132"),
    "Apple M4 Pro": Chip(10, 4, "T6041"),
    "Apple M4 Max": Chip(12, 4, "T6041"),
    "Apple M5": Chip(4, 6, "T8142"),
}

MODELS: Mapping[str, Model] = {
    "Mac14,2": Model("MacBook Air", "Apple M2", True),
    "Mac14,3": Model("Mac mini", "Apple M2", False),
    "Mac14,6": Model("MacBook Pro", "Apple M2 Max", True),
    "Mac14,9": Model("MacBook Pro", "Apple M2 Pro", True),
    "Mac14,12": Model("Mac mini", "Apple M2 Pro", False),
    "Mac14,13": Model("Mac Studio", "Apple M2 Max", False),
    "Mac14,14": Model("Mac Studio", "Apple M2 Ultra", False),
    "Mac15,3": Model("MacBook Pro", "Apple M3", True),
    "Mac15,6": Model("MacBook Pro", "Apple M3 Pro", True),
    "Mac15,8": Model("MacBook Pro", "Apple M3 Max", True),
    "Mac15,9": Model("MacBook Pro", "Apple M3 Max", True),
    "Mac15,12": Model("MacBook Air", "Apple M3", True),
    "Mac15,13": Model("MacBook Air", "Apple M3", True),
    "Mac15,14": Model("Mac Studio", "Apple M3 Ultra", False),
    "Mac16,1": Model("MacBook Pro", "Apple M4", True),
    "Mac16,5": Model("MacBook Pro", "Apple M4 Max", True),
    "Mac16,6": Model("MacBook Pro", "Apple M4 Max", True),
    "Mac16,7": Model("MacBook Pro", "Apple M4 Pro", True),
    "Mac16,8": Model("MacBook Pro", "Apple M4 Pro", True),
    "Mac16,9": Model("Mac Studio", "Apple M4 Max", False),
    "Mac16,10": Model("Mac mini", "Apple M4", False),
    "Mac16,11": Model("Mac mini", "Apple M4 Pro", False),
    "Mac16,12": Model("MacBook Air", "Apple M4", True),
    "Mac16,13": Model("MacBook Air", "Apple M4", True),
    "Mac17,2": Model("MacBook Pro", "Apple M5", True),
}

_SEQUOIA = ("24.6.0", "Mon Jul 14 11:30:29 PDT 2025", "xnu-11417.140.69~1")
_TAHOE_5 = ("25.5.0", "Mon Apr 27 20:41:26 PDT 2026", "xnu-12377.121.6~2")
_TAHOE_6 = ("25.6.0", "Fri Jul 31 19:17:26 PDT 2026", "xnu-12377.161.14~5")

RELEASES: Mapping[str, Release] = {
    "15.6": Release("24G84", *_SEQUOIA),
    "15.7.3": Release("24G419", *_SEQUOIA),
    "26.2": Release("25C56", "25.2.0", "Tue Nov 18 21:09:56 PST 2025", "xnu-12377.61.12~1"),
    "26.3": Release("25D125", "25.3.0", "Wed Jan 28 20:48:41 PST 2026", "xnu-12377.81.4~5"),
    "26.4.1": Release("25E253", "25.4.0", "Thu Mar 19 19:33:25 PDT 2026", "xnu-12377.101.15~1"),
    "26.5.1": Release("25F80", *_TAHOE_5),
    "26.5.2": Release("25F84", *_TAHOE_5),
    "26.6": Release("25G72", *_TAHOE_6),
    "26.6.2": Release("25G83", *_TAHOE_6),
    "27.0": Release("26A428", "27.0.0", "Tue Aug 11 21:02:59 PDT 2026", "xnu-13432.1.9~1"),
}

_WANTED = ("model", "macos", "memory_gb")


def describe(
    name: str, address: str, prefix: int, gateway: str, user: str, lab_mac: Mapping[str, Any]
) -> dict[str, Any]:
    """Return everything the doubles of one Mac need to know, ready for mac.json.

    Args:
        name: The host name, without a domain.
        address: The Mac's address on the lab's LAN; prefix (bits) and gateway go with it.
        user: The administrator's short name.
        lab_mac: The inventory's description: model, macos (a string) and memory_gb.

    Raises:
        ValueError: A key too few or too many, or a value nobody knows; one sentence.
    """
    _check_keys(lab_mac)
    identifier, version = lab_mac["model"], lab_mac["macos"]
    model = _look_up(MODELS, identifier, "model", "Mac model")
    if not isinstance(version, str):
        raise ValueError(f'lab_mac.macos must be a string in quotes, like "26.5.1", not {version}')
    release = _look_up(RELEASES, version, "macos", "macOS version")
    chip = CHIPS[model.chip]
    return {
        "hostname": name,
        "model": identifier,
        "model_name": model.name,
        "chip": model.chip,
        "cores": chip.cores,
        "performance_cores": chip.performance_cores,
        "efficiency_cores": chip.efficiency_cores,
        "memory_gb": _memory(lab_mac["memory_gb"]),
        "macos": version,
        "build": release.build,
        "darwin": release.darwin,
        "kernel_version": (
            f"Darwin Kernel Version {release.darwin}: {release.kernel_stamp}; "
            f"root:{release.kernel_source}/RELEASE_ARM64_{chip.kernel}"
        ),
        "battery": model.battery,
        "address": address,
        "prefix": prefix,
        "gateway": gateway,
        "user": user,
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.closet-lab")).upper(),
    }


def mac_env(facts: Mapping[str, Any]) -> str:
    """Return the facts of `describe` as lines of POSIX shell, one NAME='value' each.

    Names are the keys in capitals; hostname and user become MAC_HOSTNAME and MAC_USER, so
    that sourcing the file leaves the shell's own variables alone. true is 1, false is 0.
    """
    lines = []
    for key, value in facts.items():
        text = str(int(value)) if isinstance(value, bool) else str(value)
        if "\n" in text:
            raise ValueError(f"{key} has more than one line, so mac.env cannot hold it")
        variable = f"MAC_{key.upper()}" if key in ("hostname", "user") else key.upper()
        lines.append(f"{variable}={_quoted(text)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Quote always, also where shlex.quote would not: a reader may then cut the quotes off."""
    return "'" + text.replace("'", "'\\''") + "'"


def _check_keys(lab_mac: Mapping[str, Any]) -> None:
    if not isinstance(lab_mac, Mapping):
        raise ValueError("lab_mac must be a dictionary with model, macos and memory_gb")
    missing = [key for key in _WANTED if key not in lab_mac]
    if missing:
        raise ValueError(f"lab_mac lacks {' and '.join(missing)}")
    unknown = sorted(str(key) for key in lab_mac if key not in _WANTED)
    if unknown:
        raise ValueError(
            f"lab_mac has {', '.join(unknown)}, but only {', '.join(_WANTED)} mean something"
        )


def _look_up(table: Mapping[str, Any], key: Any, variable: str, what: str) -> Any:
    if isinstance(key, str) and key in table:
        return table[key]
    known = ", ".join(sorted(table, key=_version_order))
    raise ValueError(f"lab_mac.{variable} {key!r} is no {what} the lab knows; it knows {known}")


def _version_order(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))


def _memory(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"lab_mac.memory_gb must be a whole number of gigabytes, not {value!r}")
    return value
