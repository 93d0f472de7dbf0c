# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe watches on a host: a shell script, and what its output says. Pure.

The script runs in the probe, so it costs no module run and no further connection. It only reads.
Each account reads what is below its own home, and root reads the rest of a closet. On a laptop the
user reads everything, since all that a run writes there is readable.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.closet.inference.plugins.plugin_utils.converged.watches import (
    PMSET,
    Watch,
)

ANSWER_WITHIN_S = 20
# Mode, owner, group, path and target of a link, as ls has them, and the digest of the content
LOOK = r"""
export PATH=/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C
sum='shasum -a 256'
command -v sha256sum >/dev/null && sum=sha256sum
entries() {
  ls -ldn "$@" 2>/dev/null | sed -E 's/^(.{10})[^ ]* +[0-9]+ ID ID SIZE DATE /seen=\1 \2 \3 /'
}
contents() {
  for at do
    shift
    [ -L "$at" ] || [ ! -f "$at" ] || set -- "$@" "$at"
  done
  [ $# = 0 ] || $sum "$@" 2>/dev/null | sed 's/^/hash=/'
}
# every run of a pull writes its lock and its progress
trees() {
  for at do
    echo "tree=$at"
    find "$at" ! -type d ! -name .closet.lock ! -name .closet.progress.json -ls 2>/dev/null |
      sed 's/^/below=/'
  done
}
"""
LOOK = (
    LOOK.replace("ID ID", "+([0-9]+) +([0-9]+)")
    .replace(" SIZE", " +([0-9]+, +)?[0-9]+")
    .replace(" DATE ", " +[^ ]+ +[^ ]+ +[^ ]+ ")
)
# The lines of a job that change while it runs
JOB = r"""
job() {
  echo "job=$1"
  launchctl print "system/$1" 2>/dev/null |
    sed -E -e '/^.(forks|execs|active count|copy count) = /d' -e 's/^/said=/'
}
"""
REFUSED = "401"
# Root reads contents only below these folders, which no other account can change.
ROOTS = (
    *("/Library/", "/etc/", "/opt/closet/"),
    *("/bin/", "/sbin/", "/usr/bin/", "/usr/libexec/", "/usr/sbin/"),  # programs of jobs
)


@dataclass(frozen=True)
class State:
    """What was observed, by subject. `gap` says why it is not enough, and is empty if it is."""

    subjects: Mapping[str, str] = field(default_factory=dict)
    gap: str = ""


def script(watches: Sequence[Watch], homes: Mapping[str, str], keys: Mapping[str, str]) -> str:
    """The shell text for a host; every line it prints begins with a word and `=`.

    Args:
        watches: what to observe.
        homes: the home of each account that reads its own files, by name; "" is the user of the
            connection. "root" has "/" on a closet and is missing on a laptop.
        keys: the API keys by their digests.
    """
    lines = [LOOK]
    for account, group in _by_account(watches, homes).items():
        look = _calls(group, as_root=account == "root")
        if account:
            who = "" if account == "root" else f"-H -u {shlex.quote(account)} "
            look = (
                f"(cd / && sudo -n {who}/bin/sh -c {shlex.quote(f'{LOOK}{look}; echo read=yes')})"
            )
        else:
            look += "; echo read=yes"
        lines.append(look)
    jobs = [watch.name for watch in watches if watch.kind == "job"]
    if jobs:
        lines += [JOB, *(f"job {shlex.quote(label)}" for label in jobs)]
        lines.append(
            "echo job=disabled; launchctl print-disabled system 2>/dev/null |"
            " grep inference.closet. | sed 's/^/said=/'"
        )
    if any(watch.kind == PMSET for watch in watches):
        lines.append("echo job=pmset; pmset -g custom 2>/dev/null | sed 's/^/said=/'")
    asked = [request for watch in watches for request in requests(watch, keys)]
    if asked:
        text = "\nnext\n".join(asked)
        # printf is the shell's own: the keys reach no command line and, unlike with a
        # here-document, no file
        asks = f"printf '%s\\n' {shlex.quote(text)} | curl -sS -K - 2>/dev/null"
        lines.append(f"{asks} | sed 's/^/reply=/'")
    return "\n".join([*lines, "echo observed=yes\n"])


def _calls(group: Sequence[Watch], as_root: bool) -> str:
    """The functions of LOOK with the paths of an account."""
    inside = [watch for watch in group if not as_root or watch.name.startswith(ROOTS)]
    names = {
        "entries": [watch.name for watch in group],
        "contents": [watch.name for watch in inside if watch.kind == "path"],
        "trees": [watch.name for watch in inside if watch.kind == "tree"],
    }
    each = (f"{call} {shlex.join(dict.fromkeys(paths))}" for call, paths in names.items() if paths)
    return "; ".join(each)


def requests(watch: Watch, keys: Mapping[str, str]) -> list[str]:
    """What curl reads for one endpoint: the list, the answer, and each key that must be refused."""
    if watch.kind != "endpoint":
        return []
    asked = [_request(f"{watch.name}/models", keys.get(watch.key, ""))]
    if watch.model:
        body = {
            "model": watch.model,
            "messages": [{"role": "user", "content": "Say OK."}],
            "max_tokens": 1,
            "stream": False,
        }
        url = f"{watch.name}/chat/completions"
        asked.append(_request(url, keys.get(watch.key, ""), json.dumps(body)))
    return asked + [_request(f"{watch.name}/models", keys.get(key, "")) for key in watch.refused]


def _request(url: str, key: str, body: str = "") -> str:
    """One transfer in curl's configuration format; the key stays out of every command line."""
    options = [
        ("url", url),
        ("noproxy", "*"),
        ("max-time", str(ANSWER_WITHIN_S)),
        *([("header", f"Authorization: Bearer {key}")] if key else []),
        *([("header", "Content-Type: application/json"), ("data", body)] if body else []),
    ]
    lines = [f"{name} = {_quoted(value)}" for name, value in options]
    return "\n".join([*lines, r'write-out = "\n%{http_code}\n"', "fail-early"])


def _quoted(value: str) -> str:
    """curl(1) -K: a value in double quotes, with a backslash before quotes and backslashes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _by_account(watches: Iterable[Watch], homes: Mapping[str, str]) -> dict[str, list[Watch]]:
    """Paths and trees by the account that reads them."""
    found: dict[str, list[Watch]] = {}
    for watch in watches:
        if watch.kind in ("path", "entry", "tree"):
            found.setdefault(_account(watch.name, homes), []).append(watch)
    return found


def _account(path: str, homes: Mapping[str, str]) -> str:
    """Whose home a path is below; root's, or the user's where root has no part."""
    for account, home in homes.items():
        if account != "root" and home and (path == home or path.startswith(f"{home}/")):
            return account
    return "root" if "root" in homes else ""


def read(lines: Iterable[str], watches: Sequence[Watch], homes: Mapping[str, str]) -> State:
    """What the script printed: one subject for each watch, and what is missing."""
    seen, hashes, blocks, replies, marks = _read(lines)
    if marks.count("read") != len(_by_account(watches, homes)) or "observed" not in marks:
        return State(gap="the probe could not read everything, as with a sudo that asks")
    subjects: dict[str, str] = {}
    for watch in watches:
        subject = f"{watch.kind} {watch.name}"
        if watch.kind == "path":
            found = seen.get(watch.name, "absent")
            if found.startswith("-") and watch.name not in hashes:
                return State(gap=f"{watch.name} is not readable")
            subjects[subject] = f"{found} {hashes.get(watch.name, '')}"
        elif watch.kind == "entry":
            subjects[subject] = seen.get(watch.name, "absent")
        elif watch.kind == "endpoint":
            answers = [replies.pop(0) if replies else ("", "000") for _each in requests(watch, {})]
            wrong = _wrong(watch, answers)
            if wrong:
                return State(gap=wrong)
            subjects[subject] = _listed(answers[0][0])
        elif watch.kind == "tree" and not blocks.get(watch.name):
            return State(gap=f"{watch.name} is empty, or not readable")
        else:
            subjects[subject] = "\n".join(blocks.get(watch.name, ()))
    subjects["job disabled"] = "\n".join(blocks.get("disabled", ()))
    return State(subjects)


def _read(
    lines: Iterable[str],
) -> tuple[dict[str, str], dict[str, str], dict[str, list[str]], list[tuple[str, str]], list[str]]:
    """The lines by what they are about: ls, digests, blocks of jobs and trees, HTTP, marks."""
    seen: dict[str, str] = {}
    hashes: dict[str, str] = {}
    blocks: dict[str, list[str]] = {}
    replies: list[tuple[str, str]] = []
    marks: list[str] = []
    block: list[str] = []
    body: list[str] = []
    for line in lines:
        word, _sign, text = line.partition("=")
        if word == "seen":
            what, uid, gid, name = text.split(" ", 3)
            path, arrow, target = name.partition(" -> ")
            seen[path] = " ".join([what, uid, gid, *([target] if arrow else [])])
        elif word == "hash":
            value, _spaces, path = text.partition("  ")
            hashes[path] = value
        elif word in ("job", "tree"):
            block = blocks.setdefault(text, [])
        elif word in ("said", "below"):
            block.append(text)
        elif word == "reply" and len(text) == 3 and text.isdigit():
            replies.append(("\n".join(body), text))
            body = []
        elif word == "reply":
            body.append(text)
        elif word in ("read", "observed"):
            marks.append(word)
    return seen, hashes, blocks, replies, marks


def _wrong(watch: Watch, answers: Sequence[tuple[str, str]]) -> str:
    """Why an endpoint is not as it must be; empty if it is."""
    count = 2 if watch.model else 1
    if any(code != "200" for _body, code in answers[:count]):
        return f"{watch.name} does not answer"
    if any(code != REFUSED for _body, code in answers[count:]):
        return f"{watch.name} does not refuse a revoked key"
    if watch.model and "choices" not in _json(answers[1][0]):
        return f"{watch.name} gives no answer"
    return ""


def _listed(body: str) -> str:
    """The ids that a list of models has."""
    entries = _json(body).get("data")
    if not isinstance(entries, list):
        return ""
    return " ".join(sorted(str(entry.get("id")) for entry in entries if isinstance(entry, dict)))


def _json(body: str) -> dict[str, object]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
