# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmanaged jobs that set the same as a closet: a part of the script, and messages.

Such a job takes effect at the next boot, and the next run reverts it, so the conflict goes
unnoticed. The shell only selects files that mention our settings; this module evaluates them.
"""

from __future__ import annotations

import base64
import binascii
import plistlib
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.parsers.expat import ExpatError

LOGS = "/var/log/closet"
# What starts a job without a person (launchd.plist(5)).
STARTS = ("RunAtLoad", "KeepAlive", "StartInterval", "StartCalendarInterval", "WatchPaths")
# A server of this field that takes the port without naming it.
DEFAULT_PORTS = {"omlx": 8000}

# One grep for all jobs; a script that a job runs is part of it. base64 keeps a file on one line.
SHELL = r"""
mentions='iogpu[.]wired_limit|pmset|omlx|inference[.]closet[.]|(^|[^0-9])PORT([^0-9]|$)'
set -- /Library/LaunchDaemons/*.plist /Library/LaunchAgents/*.plist \
  "$HOME"/Library/LaunchAgents/*.plist
seen=
tell_job() {
  case ${1##*/} in inference.closet.*) return ;; esac
  case $seen in *"|$1|"*) return ;; esac
  seen="$seen|$1|"
  say rival_job "$(base64 <"$1" 2>/dev/null | tr -d '\n') $1"
}
paths() { sed -n 's:.*<string>\(/[^<]*\)</string>.*:\1:p' "$@" 2>/dev/null; }
programs() {
  paths "$@"
  grep -l '^bplist' "$@" 2>/dev/null | while read -r file; do
    plutil -convert xml1 -o - "$file" 2>/dev/null | paths
  done
}
mentioned() {
  grep -lE "$mentions" "$@" 2>/dev/null
  programs "$@" | sort -u | while read -r script; do
    case $script in /opt/closet/*) continue ;; esac
    [ -f "$script" ] && [ -r "$script" ] && read -r first <"$script" || continue
    case $first in '#!'*) grep -qE "$mentions" "$script" || continue ;; *) continue ;; esac
    say rival_script "$(head -c 16384 "$script" | base64 | tr -d '\n') $script"
    grep -lF "$script" "$@" 2>/dev/null
  done
}
once() {
  while read -r line; do
    case $line in rival_script=*) printf '%s\n' "$line" ;; *) tell_job "$line" ;; esac
  done
}
# bash 3.2, the /bin/sh of macOS, cannot read a case within $(...)
rivals=$(mentioned "$@" | once)
case $rivals in *rival_job=*)
  printf '%s\n' "$rivals"
  for domain in system "user/$(id -u)"; do
    launchctl print-disabled "$domain" 2>/dev/null |
      sed -n 's/^[[:space:]]*\(".*" => .*\)/rival_switch=\1/p'
  done ;;
esac
grep -HnE '^[[:space:]]*LOGS' /etc/newsyslog.conf /etc/newsyslog.d/*.conf 2>/dev/null |
  sed -n '/newsyslog[.]d.closet[^/]*[.]conf:/!s:^:rival_log=:p'
""".replace("LOGS", LOGS)


@dataclass(frozen=True)
class Found:
    """What was found: jobs by path, scripts by path, labels that are switched, and log lines."""

    jobs: Mapping[str, Mapping[str, Any]]
    scripts: Mapping[str, str]
    off: Mapping[str, bool]
    logs: tuple[str, ...] = ()


NONE = Found({}, {}, {})


def found(lines: Mapping[str, list[str]]) -> Found:
    """From the lines of the script; a file that cannot be read as a job is none."""
    jobs = {}
    for path, data in _files(lines["rival_job"]):
        try:
            plist = plistlib.loads(data)
        except (plistlib.InvalidFileException, ExpatError, ValueError, OverflowError):
            continue
        if isinstance(plist, dict) and isinstance(plist.get("Label"), str) and plist["Label"]:
            jobs[path] = plist
    scripts = {
        path: data.decode("utf-8", "replace") for path, data in _files(lines["rival_script"])
    }
    switches = (
        re.fullmatch(r'"(.*)" => (disabled|enabled|true|false)', line)
        for line in lines["rival_switch"]
    )
    off = {switch[1]: switch[2] in ("disabled", "true") for switch in switches if switch}
    return Found(jobs, scripts, off, tuple(lines["rival_log"]))


def warnings(name: str, seen: Found, port: int) -> list[str]:
    """A warning for each job or line that sets what this closet sets."""
    result = []
    for path, plist in seen.jobs.items():
        result += _about(f"{name}: {path} ({plist['Label']})", path, plist, seen, port)
    return result + [_log_warning(name, line) for line in seen.logs]


def _about(job: str, path: str, plist: Mapping[str, Any], seen: Found, port: int) -> list[str]:
    """What one job does that this closet does."""
    if plist["Label"].startswith("inference.closet."):
        aside = f"sudo mv -n {shlex.quote(path)} {shlex.quote(path + '.aside')}"
        return [
            f"{job} has the label of a job of ours, and launchd loads one of the two at a boot. "
            f"Move it away: `{aside}`"
        ]
    if not _starts(plist, seen.off):
        return []
    arguments = _arguments(plist)
    texts = {"": " ".join(arguments)}
    texts.update({one: _code(text) for one, text in seen.scripts.items() if one in texts[""]})
    result = []
    for via, text in texts.items():
        through = f" by {via}" if via else ""
        result += [f"{job} {what}{through}. {_turn_off(path, plist)}" for what in _sets(text)]
    if any(_listens(text, port) for text in texts.values()) or _serves(plist, arguments, port):
        result.append(
            f"{job} starts another program on port {port}, and whichever comes first at a boot "
            f"gets it. {_turn_off(path, plist)}, or set closet_port to another one"
        )
    return result


def _code(script: str) -> str:
    """A script without its remarks."""
    return re.sub(r"(?m)^\s*#.*$", "", script)


def _sets(text: str) -> list[str]:
    """What a command of a job sets that a closet sets as well."""
    said = []
    if re.search(r"iogpu\.wired_limit(_mb)?\s*=", text):
        said.append(
            "sets iogpu.wired_limit_mb too, and whichever comes last at a boot wins, until the "
            "next run of site.yml sets ours again"
        )
    # reading (-g), events and what puts it to sleep now are no settings
    if re.search(r"\bpmset\s+(?!-g|\w*sleepnow|noidle|schedule|repeat|relative)\S", text):
        said.append(
            "sets power settings with pmset too, and what it sets otherwise than power_ac, "
            "power_battery and power_ups holds until the next run of site.yml"
        )
    return said


def _listens(text: str, port: int) -> bool:
    """Whether a command names the port to listen on; one in a URL is a client's."""
    own = re.sub(r"https?://\S+", "", text)
    return bool(re.search(rf"(?:\s-p|port)[ =]{port}\b|:{port}\b", own, re.IGNORECASE))


def _serves(plist: Mapping[str, Any], arguments: list[str], port: int) -> bool:
    """Whether launchd holds the port for it, or it is a server that takes it without a word."""
    sockets = plist.get("Sockets")
    for socket in (sockets or {}).values() if isinstance(sockets, dict) else ():
        for one in socket if isinstance(socket, list) else [socket]:
            if isinstance(one, dict) and str(one.get("SockServiceName")) == str(port):
                return True
    names = {argument.rpartition("/")[2] for argument in " ".join(arguments).split()}
    has_own = re.search(r"--port\b|-p\b", " ".join(arguments))
    return not has_own and any(
        name in names and default == port and "serve" in names
        for name, default in DEFAULT_PORTS.items()
    )


def _starts(plist: Mapping[str, Any], off: Mapping[str, bool]) -> bool:
    """Whether launchd starts the job by itself: the switch of the label counts before the file."""
    is_off = off.get(plist["Label"], bool(plist.get("Disabled")))
    return not is_off and any(plist.get(key) for key in (*STARTS, "Sockets"))


def _arguments(plist: Mapping[str, Any]) -> list[str]:
    """Program, arguments, and variables that say where to listen."""
    arguments = plist.get("ProgramArguments")
    arguments = [str(plist.get("Program") or ""), *map(str, arguments or [])]
    variables = plist.get("EnvironmentVariables")
    if isinstance(variables, dict):
        listening = re.compile(r"HOST|PORT|LISTEN|BIND|ADDR", re.IGNORECASE)
        for key, value in variables.items():
            bare = re.sub(r"^https?://", "", str(value))
            arguments += [f"{key}={bare}"] if listening.search(str(key)) else []
    return arguments


def _turn_off(path: str, plist: Mapping[str, Any]) -> str:
    domain, sudo = ("system", "sudo ") if "/LaunchDaemons/" in path else ("gui/$(id -u)", "")
    target = f"{domain}/{shlex.quote(plist['Label'])}"
    return (
        f"If it is not needed, turn it off: `{sudo}launchctl disable {target} && "
        f"{sudo}launchctl bootout {target}`"
    )


def _log_warning(name: str, line: str) -> str:
    file, number, rule = [*line.split(":", 2), "", ""][:3]
    log = (rule.split() or ["our logs"])[0]
    return (
        f"{name}: line {number} of {file} rotates {log} too, so newsyslog does it twice, and the "
        f"new log belongs to the account in that line. Take the line out: `sudo vi +{number} "
        f"{shlex.quote(file)}`"
    )


def _files(lines: Iterable[str]) -> list[tuple[str, bytes]]:
    """(path, content) of each line that is whole."""
    files = []
    for line in lines:
        coded, _space, path = line.partition(" ")
        try:
            files.append((path, base64.b64decode(coded, validate=True)))
        except (binascii.Error, ValueError):
            continue
    return files
