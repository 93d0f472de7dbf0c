# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of pmset and its output, by power source. Pure.

Source: pmset.m and pmset(1) of Apple's PowerManagement 1846, captures of macOS 26 laptops and of
desktops up to 26.5.2. The order of the lines is a hash table's; a name may hold spaces; a value may
be followed by a remark in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.schema import (
    Check,
    absolute_path,
    number,
    unknown_key,
)

SOURCES = {"ac": "AC Power", "battery": "Battery Power", "ups": "UPS Power"}
FLAGS = {"ac": "-c", "battery": "-b", "ups": "-u"}

Settings = Mapping[str, Mapping[str, str]]
"""Values as pmset prints them, by source (ac, battery, ups) and key."""


class PowerRefusedError(ValueError):
    """What is asked for is no setting, or not a value it can have; nothing was touched."""


MINUTES, SECONDS, SWITCH = number(0), number(0), number(0, 1)
KEYS: Mapping[str, Check] = {
    **dict.fromkeys(("displaysleep", "disksleep", "sleep"), MINUTES),
    **dict.fromkeys(
        ("standbydelay", "standbydelayhigh", "standbydelaylow", "autopoweroffdelay"), SECONDS
    ),
    **dict.fromkeys(
        (
            *("womp", "ring", "powernap", "proximitywake", "autorestart", "lidwake", "acwake"),
            *("lessbright", "halfdim", "ttyskeepawake", "networkoversleep", "tcpkeepalive"),
            *("standby", "autopoweroff", "lowpowermode", "sms", "destroyfvkeyonstandby"),
            "autorestartatconnect",
        ),
        SWITCH,
    ),
    "highstandbythreshold": number(0, 100),
    "powermode": number(0, 2),
    "gpuswitch": number(0, 2),
    "hibernatemode": number(0, 25),
    "hibernatefile": absolute_path(),
}
# Settings of pmset(1) that `pmset -g custom` does not show, and who has them in hand.
UNMANAGED: Mapping[str, str] = {
    "disablesleep": "it is the option sleep_disabled here",
    **dict.fromkeys(
        ("haltlevel", "haltafter", "haltremain"),
        "it is a threshold of a battery backup and is left alone; see `pmset -g ups`, and set it "
        "with `sudo pmset -u`",
    ),
    **dict.fromkeys(
        ("schedule", "repeat", "relative"),
        "it is an event and no setting, and is left alone; see `pmset -g sched`",
    ),
}
# "Start up when power is connected" of macOS 26.5 is one setting in two keys: Never is 0 and 0,
# After a Power Failure 1 and 0, Always 0 and 1. With 1 and 1, System Settings makes it Always.
AFTER_FAILURE, AT_CONNECT = "autorestart", "autorestartatconnect"
# A Mac with a High Power mode shows powermode where others show lowpowermode; 1 is low in both.
OTHER_NAME = {"lowpowermode": "powermode", "powermode": "lowpowermode"}

_REMARK = re.compile(r"\s+\([^()]*\)$")
_SYSTEM_SLEEP = re.compile(r"^\s*SleepDisabled\s+(\d)", re.MULTILINE)


def parse_custom(text: str) -> dict[str, dict[str, str]]:
    """Read `pmset -g custom`; a source that is not there is a power source this Mac lacks."""
    names = {f"{title}:": source for source, title in SOURCES.items()}
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    for line in text.splitlines():
        if line.strip() in names:
            current = found.setdefault(names[line.strip()], {})
        elif line.startswith(" ") and current is not None:
            key, _space, value = _REMARK.sub("", line.rstrip()).strip().rpartition(" ")
            if key:
                current[key.strip()] = value
    return found


def parse_sleep_disabled(text: str) -> bool:
    """Read `pmset -g`; the line is not there on a Mac where it was never set."""
    found = _SYSTEM_SLEEP.search(text)
    return bool(found and found[1] != "0")


def checked(
    source: str, wanted: Mapping[str, Any], there: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The settings of one source as pmset takes them; raises PowerRefusedError with every problem.

    `true` and `false` are 1 and 0, as YAML makes them of yes and no. A setting that is not known
    here and that the Mac shows (`there`) is one that a newer macOS has added: it is taken.
    """
    found, problems = {}, []
    for key, given in wanted.items():
        value = str(int(given)) if isinstance(given, bool) else str(given)
        check = KEYS.get(key) or _check_of_a_newer_macos(key, there or {})
        if key in UNMANAGED:
            problems.append(f"{source}: {key} is not managed as a setting: {UNMANAGED[key]}")
        elif check is None:
            problems.append(unknown_key(key, KEYS, source, f"pmset knows {', '.join(KEYS)}"))
        else:
            problems += check(f"{source}.{key}", int(value) if value.isdigit() else given)
            found[key] = value
    if problems:
        raise PowerRefusedError("; ".join(problems))
    return found


def _check_of_a_newer_macos(key: str, there: Mapping[str, str]) -> Check | None:
    """What a setting can be that the Mac shows with a number; pmset takes no name with a blank."""
    return number(0) if re.fullmatch(r"[a-z]+", key) and there.get(key, "").isdigit() else None
