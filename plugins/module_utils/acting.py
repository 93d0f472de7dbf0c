# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work with an account's rights, in a process that has given up root for good.

Files below a folder that an account can change are read and written with that account's uid, gid
and groups. The kernel then refuses everything that the account could not do itself, whatever links
it plants and whenever it swaps them. The account's own links keep working.

A fork takes some milliseconds, and one module run can manage the files of root and of the account.
`become_user` would need another module run, and without pipelining its files must be readable for
the other account, which macOS allows only with access control lists.
"""

from __future__ import annotations

import builtins
import contextlib
import enum
import io
import os
import pickle
import select
import shlex
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from typing import Any, BinaryIO, TypeVar

from ansible_collections.closet.inference.plugins.module_utils.accounts import Account, account_of
from ansible_collections.closet.inference.plugins.module_utils.trusted import (
    Border,
    UntrustedPathError,
    border_above,
)

Result = TypeVar("Result")
# An account can stop a process that has its rights, or make it read a pipe without a writer.
ANSWER_TIMEOUT_S = 600.0
_LENGTH = struct.Struct("!Q")
_OURS = "ansible_collections.closet.inference.plugins."


class ActingError(RuntimeError):
    """The process with the account's rights ended, hung, or could not be started."""


class Rights:
    """Runs functions as `account`, or in this process if `account` is None."""

    def __init__(self, account: Account | None = None, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self.account = account
        self._timeout_s = timeout_s
        self._process: _Process | None = None

    @property
    def uid(self) -> int:
        """The number of the account that acts."""
        return os.geteuid() if self.account is None else self.account.uid

    def call(self, function: Callable[..., Result], *args: Any) -> Result:
        """What `function`, a module's own, returns or raises; it must not look up accounts."""
        if self.account is None:
            return function(*args)
        if self._process is None:
            self._process = _Process(self.account, self._timeout_s)
        answer: Result = self._process.call(function, args)
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.close()
            self._process = None


class Processes:
    """The rights that one module run needs, one process for each account."""

    def __init__(self) -> None:
        self._root = Rights()
        self._others: dict[int, Rights] = {}

    def for_path(self, path: str, owner: int | None = None) -> Rights:
        """The rights to use at `path`: root's, or those of the account that can change a parent.

        `owner` is the account to use below a folder that several accounts can change. Raises
        UntrustedPathError if no account remains. A run without root always uses its own rights.
        """
        if os.geteuid() != 0:
            return self._root
        border = border_above(path)
        if border is None:
            return self._root
        uid = border.uid or owner or 0
        if uid == 0:
            raise UntrustedPathError(path, _shared(path, border))
        if uid not in self._others:
            self._others[uid] = Rights(account_of(uid, path, border.path))
        return self._others[uid]

    def close(self) -> None:
        """End all processes."""
        for rights in self._others.values():
            rights.close()


@contextlib.contextmanager
def account_processes() -> Iterator[Processes]:
    """Processes that end with the block."""
    made = Processes()
    try:
        yield made
    finally:
        made.close()


def _shared(path: str, border: Border) -> str:
    return (
        f"{border.who} can change {border.path}, so nothing of root's may be at {path}; "
        f"{border.remedy}"
    )


class _Process:
    """One forked process that has given up root, answering one call after the other."""

    def __init__(self, account: Account, timeout_s: float) -> None:
        self._account = account
        self._timeout_s = timeout_s
        asks_read, asks_write = os.pipe()
        answers_read, answers_write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(asks_write)
            os.close(answers_read)
            _serve(account, asks_read, answers_write)
        os.close(asks_read)
        os.close(answers_write)
        self._asks = os.fdopen(asks_write, "wb")
        self._answers = answers_read

    def call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        try:
            _send(self._asks, pickle.dumps((function, args)))
        except BrokenPipeError:
            raise self._ended() from None
        try:
            good, answer = _load(self._receive())
        except pickle.UnpicklingError as error:
            raise ActingError(
                f"the process of {self._account.name} gave no answer: {error}"
            ) from error
        if not good:
            raise answer
        return answer

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._asks.close()
        os.close(self._answers)
        with contextlib.suppress(OSError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def _receive(self) -> bytes:
        deadline = time.monotonic() + self._timeout_s
        length = _LENGTH.unpack(self._exactly(_LENGTH.size, deadline))[0]
        return self._exactly(length, deadline)

    def _exactly(self, size: int, deadline: float) -> bytes:
        received = bytearray()
        while len(received) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                raise ActingError(
                    f"the process with the rights of {self._account.name} did not answer in "
                    f"{self._timeout_s:.0f} s; see what that account runs: "
                    f"`ps -u {shlex.quote(self._account.name)} -o pid,stat,command`"
                )
            part = os.read(self._answers, min(size - len(received), 1 << 20))
            if not part:
                raise self._ended()
            received += part
        return bytes(received)

    def _ended(self) -> ActingError:
        _pid, status = os.waitpid(self._pid, 0)
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"code {status >> 8}"
        return ActingError(
            f"the process with the rights of {self._account.name} ended with {how} before it had "
            f"answered; that account may have ended it: run again"
        )


def _serve(account: Account, asks: int, answers: int) -> None:
    """The child's whole life."""
    code = 1
    try:
        _give_up_root(account)
        reader, writer = os.fdopen(asks, "rb"), os.fdopen(answers, "wb")
        while True:
            head = reader.read(_LENGTH.size)
            if len(head) < _LENGTH.size:
                code = 0
                break
            function, args = pickle.loads(reader.read(_LENGTH.unpack(head)[0]))
            _send(writer, _answer(function, args))
    finally:
        os._exit(code)


def _give_up_root(account: Account) -> None:
    os.chdir("/")
    os.setgroups(list(account.groups))
    os.setgid(account.gid)
    os.setuid(account.uid)  # as root: the real, the effective and the saved one
    try:
        os.setuid(0)
    except PermissionError:
        return
    os._exit(1)


def _answer(function: Callable[..., Any], args: tuple[Any, ...]) -> bytes:
    try:
        return pickle.dumps((True, function(*args)))
    except Exception as error:  # it is raised again at the other end
        try:
            told = pickle.dumps((False, error))
            _load(told)
        except Exception:
            told = pickle.dumps((False, ActingError(f"{type(error).__name__}: {error}")))
        return told


def _send(stream: BinaryIO, data: bytes) -> None:
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


class _Reader(pickle.Unpickler):
    """Takes values, our dataclasses and exceptions; nothing that an account could make it run."""

    def find_class(self, module: str, name: str) -> Any:
        found = getattr(builtins, name, None) if module == "builtins" else None
        if module.startswith(_OURS) and "." not in name:
            found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and (
            issubclass(found, (BaseException, enum.Enum)) or is_dataclass(found)
        ):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is not an answer")


def _load(data: bytes) -> tuple[bool, Any]:
    good, answer = _Reader(io.BytesIO(data)).load()
    return bool(good), answer
