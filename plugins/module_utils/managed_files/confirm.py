# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the program that reads the files whether it takes them, once for each content.

A validator sees one file before it is written; a program that puts many files together can only
be asked afterwards. A record says for which contents it has said yes. It is removed before
anything is written and comes back with the yes, so that neither a no nor a power cut is forgotten.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ansible_collections.closet.inference.plugins.module_utils.accounts import (
    Account,
    NoAccountError,
    account_named,
)
from ansible_collections.closet.inference.plugins.module_utils.acting import (
    ActingError,
    Processes,
    Rights,
)
from ansible_collections.closet.inference.plugins.module_utils.files import (
    read_file,
    remove_file,
    write_atomic,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    FilesRefusedError,
    Want,
    digest,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import (
    RC_NOT_EXECUTABLE,
    RC_NOT_FOUND,
    Completed,
    Runner,
)
from ansible_collections.closet.inference.plugins.module_utils.trusted import UntrustedPathError

TIMEOUT_S = 120
SHORTEST_SECRET = 6
SHOWN = 2000
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
HIDDEN = "(not shown)"


class NotConfirmedError(RuntimeError):
    """The files are written, and the program that reads them does not take them."""

    result: ClassVar[dict[str, Any]] = {"changed": True}


@dataclass(frozen=True)
class Question:
    """A command with an account's rights, and what its answer has to be.

    What it reads besides is in `reads`. `lines` have to be in what it prints. What `hide` matches
    of its words is not shown. The first of `hints` whose first part is in its words says what to
    do.
    """

    command: tuple[str, ...]
    user: str
    home: str
    record: str
    lines: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    hints: tuple[tuple[str, str], ...] = ()
    reads: tuple[str, ...] = ()


def parse(given: Mapping[str, Any] | None) -> Question | None:
    """The question of a task; raises FilesRefusedError."""
    if not given:
        return None
    if not str(given["record"]).startswith("/") or not given["command"]:
        raise FilesRefusedError("confirm needs a command, and a record with an absolute path")
    for pattern in given["hide"] or ():
        try:
            re.compile(pattern)
        except re.error as error:
            raise FilesRefusedError(f"confirm: '{pattern}' is not a pattern: {error}") from error
    return Question(
        tuple(map(str, given["command"])),
        str(given["user"]),
        str(given["home"]),
        str(given["record"]),
        tuple(map(str, given["lines"] or ())),
        tuple(map(str, given["hide"] or ())),
        tuple((str(hint["says"] or ""), str(hint["do"])) for hint in given["hints"] or ()),
        tuple(map(str, given["reads"] or ())),
    )


def is_open(asked: Question, wants: Sequence[Want], rights: Rights) -> bool:
    """Whether the program has not yet said yes to these contents."""
    try:
        data, _status = rights.call(read_file, asked.record)
    except (FileNotFoundError, NotADirectoryError):
        return True
    return data != _stamp(asked, wants)


def forget(asked: Question, rights: Rights) -> None:
    """No yes counts any more."""
    rights.call(remove_file, asked.record)


def confirm(asked: Question, wants: Sequence[Want], processes: Processes, runner: Runner) -> None:
    """Ask, and keep a yes; raises NotConfirmedError with the program's own words."""
    try:
        account = account_named(asked.user)
    except NoAccountError as error:
        raise NotConfirmedError(f"{shlex.join(asked.command)} was not asked: {error}") from error
    try:
        _look_at(asked, account, processes)
    except (ActingError, UntrustedPathError) as error:
        raise NotConfirmedError(f"{asked.command[0]} was not asked: {error}") from error
    done = runner.acting_as(account).run(asked.command, TIMEOUT_S, env={"HOME": asked.home})
    wrong = _objection(asked, done, [want.data for want in wants if want.secret])
    if wrong:
        raise NotConfirmedError(wrong)
    processes.for_path(asked.record).call(write_atomic, asked.record, _stamp(asked, wants), 0o644)


def _look_at(asked: Question, account: Account, processes: Processes) -> None:
    """What the program would wait for, or end at without a word that helps."""
    for path in asked.reads:
        wrong = processes.for_path(path, account.uid).call(_unreadable, path)
        if wrong:
            move = shlex.join(["sudo", "-u", account.name, "mv", "-n", path, f"{path}.aside"])
            raise NotConfirmedError(
                f"{path} of {account.name} {wrong}, and {asked.command[0]} reads it at every "
                f"start, so it was not asked: move it away with `{move}`. The next run asks it."
            )


def _unreadable(path: str) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    kind = os.fstat(descriptor).st_mode
    os.close(descriptor)
    return None if stat.S_ISREG(kind) else "is no file"


def _stamp(asked: Question, wants: Sequence[Want]) -> bytes:
    words = (asked.command, asked.user, asked.home, asked.record, asked.lines)
    told = json.dumps([digest(wants), *words])
    return f"{hashlib.sha256(told.encode()).hexdigest()}\n".encode()


def _objection(asked: Question, done: Completed, secrets: Sequence[bytes]) -> str | None:
    """Why the answer is no, and what to do; None for a yes."""
    printed = {line.strip() for line in done.stdout.splitlines()}
    missing = [line for line in asked.lines if line not in printed]
    how, words = "", ""
    if done.timed_out:
        how = f"did not end in {TIMEOUT_S} s"
    elif done.rc in (RC_NOT_FOUND, RC_NOT_EXECUTABLE):
        how, words = "could not be started", done.stderr
    elif done.rc != 0:
        how, words = f"ended with {done.rc}", done.stderr.strip() or done.stdout
    elif missing:
        how = f"does not name {', '.join(missing)}"
    if not how:
        return None
    words = _shown(words, asked.hide, secrets)
    said = f" and said:\n{words}\n" if words else ". "
    do = next((hint for needle, hint in asked.hints if needle in words), "")
    return (
        f"`{shlex.join(asked.command)}`, asked as {asked.user} after what was to be written was "
        f"written, {how}{said}{do}{' ' if do else ''}The next run asks it again."
    )


def _shown(words: str, hide: Sequence[str], secrets: Sequence[bytes]) -> str:
    words = COLOURS.sub("", words)
    for pattern in hide:
        words = re.sub(pattern, HIDDEN, words)
    for secret in secrets:
        text = secret.decode("utf-8", "replace").strip()
        if len(text) >= SHORTEST_SECRET:
            words = words.replace(text, HIDDEN)
    words = words.strip()
    return words if len(words) <= SHOWN else f"{words[:SHOWN]} …"
