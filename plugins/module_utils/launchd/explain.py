# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What launchd's numbers mean, and which command helps next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.runner import Completed

# `launchctl error N`, as far as a job can meet it (facts about macOS 13 to 26).
MEANINGS: Mapping[int, str] = {
    1: "Operation not permitted",
    2: "No such file or directory",
    3: "No such process",
    5: "Input/output error",
    17: "File exists",
    36: "Operation now in progress",
    37: "Operation already in progress",
    64: "launchctl did not understand the command",
    108: "Invalid path",
    109: "Invalid property list",
    110: "Invalid or missing service identifier",
    111: "Invalid or missing Program/ProgramArguments",
    112: "Could not find specified domain",
    113: "Could not find specified service",
    114: "The specified username does not exist",
    115: "The specified group does not exist",
    119: "Service is disabled",
    122: "Path had bad ownership/permissions",
    124: "Domain is tearing down",
    125: "Domain does not support specified action",
    127: "no such program",
    133: "Multiple errors were returned; see stderr",
    134: "Service cannot load in requested session",
    138: "Service cannot be loaded on this hardware",
    140: "Service name is reserved or invalid",
    150: "Operation not permitted while System Integrity Protection is engaged",
    152: "Service cannot load in current boot environment",
    155: "Refusing to execute/trust quarantined program/file",
    161: "Service cannot be launched because of BTM policy",
}

_ADVICE: Mapping[int, str] = {
    1: "this needs root: run the task with become",
    5: (
        "launchd says this for a label that is still leaving, one that is loaded already, a plist "
        "with the wrong owner or mode, or a disabled label"
    ),
    17: "the label is loaded in this domain already",
    36: "launchd accepted it and is still waiting for the process to end",
    37: "the old job is still being removed, or the process has only just been started",
    109: "launchd could not read the plist",
    111: "the definition names no program that launchd can find",
    112: "no user with that uid is logged in; domain 'system' needs no login",
    113: "the job is not loaded",
    114: "create the user that UserName names first",
    115: "create the group that GroupName names first",
    119: "the label is disabled in launchd's store; `enabled: true` enables it",
    122: "the plist must belong to root:wheel and be writable by its owner only (0644)",
    125: "that domain needs a login at the screen; use domain 'system'",
    127: "launchctl exists on macOS only",
    134: "LimitLoadToSessionType in the plist does not fit the domain; user/UID wants Background",
    150: "macOS protects this job; it cannot be managed while SIP is on",
    155: "the file came from the network and carries a quarantine mark",
    161: "this item was turned off under System Settings, General, Login Items & Extensions",
}

_NEXT: Mapping[int, str] = {
    109: "plutil -lint {path}",
    119: "launchctl enable {target}",
    122: "chown 0:0 {path} && sudo chmod 0644 {path}",
    155: "xattr -d com.apple.quarantine {path}",
    161: "sfltool dumpbtm",
}
_LOOK = "launchctl print {target}"

# sysexits(3), which launchd prints beside the code; 78 is what its own launcher exits with.
EX_CONFIG = 78


def explain(tried: Completed, target: str, path: str) -> str:
    """What was tried, its code and what that means; the next command to run comes last."""
    words = " ".join(shlex.quote(word) for word in tried.argv)
    said = " | ".join(line.strip() for line in tried.stderr.splitlines() if line.strip())
    if tried.timed_out:
        outcome = "did not answer in time"
    else:
        meaning = MEANINGS.get(tried.rc, f"see `launchctl error {tried.rc}`")
        outcome = f"ended with {tried.rc} ({meaning})"
    advice = _ADVICE.get(tried.rc, "")
    parts = [f"`{words}` {outcome}", f"it said: {said}" if said else "", advice]
    return "; ".join(part for part in parts if part) + f". {next_command(tried.rc, target, path)}"


def next_command(code: int, target: str, path: str) -> str:
    """One command, ready to paste."""
    command = _NEXT.get(code, _LOOK)
    return f"Next: `sudo {command.format(target=target, path=shlex.quote(path))}`"


def exit_hint(last_exit: int | None, text: str | None) -> str:
    """What the end of a job's last run means, where launchd's words do not say it."""
    if last_exit == EX_CONFIG:
        return (
            " (launchd could not even start the program: log path, working directory, user, or "
            "the code signature of a replaced program)"
        )
    if last_exit == 0:
        return " (it ended by itself without an error)"
    if text and "CODESIGNING" in text:
        return " (the program's code signature changed since the job was loaded)"
    if text and "JETSAM" in text and "IDLE_EXIT" not in text:
        return f" (macOS ended it for want of {shortage(text)})"
    return ""


def shortage(jetsam: str) -> str:
    """What the kernel lacked when it ended a process for this reason (XNU, sys/reason.h)."""
    if "DISK_SPACE" in jetsam:
        return "disk space"
    return "vnodes, which open files take" if jetsam.endswith("VNODE") else "memory"


def jetsam_sentence(target: str, jetsam: str, runs: int | None) -> str:
    """What it means that the kernel ended a job, and what helps."""
    lacking = shortage(jetsam)
    cure = "free some of it"
    if lacking == "memory":
        cure = (
            "let it hold less, with a smaller model or a leaner profile; when it goes on, restart "
            "the Mac, since wired memory of a killed process can stay lost until then"
        )
    return (
        f"{target}: macOS ended it for want of {lacking} ({jetsam}), and launchd has started it "
        f"{runs or 'an unknown number of'} times; {cure}. Next: `sudo launchctl print {target}`"
    )


def log_tail(paths: list[str], lines: int = 20, most_bytes: int = 8192) -> str:
    """The ends of a job's log files, each under its name; nothing for a file that is not there."""
    parts = []
    for path in dict.fromkeys(paths):
        if Path(path).exists() and not Path(path).is_file():
            continue  # a device or a pipe
        try:
            with Path(path).open("rb") as stream:
                size = stream.seek(0, 2)
                stream.seek(max(0, size - most_bytes))
                text = stream.read().decode("utf-8", "replace")
        except OSError as error:
            parts.append(f"--- {path}: {error.strerror}")
            continue
        end = "\n".join(text.splitlines()[-lines:]) or "(empty)"
        parts.append(f"--- end of {path}\n{end}")
    return "\n".join(parts)
