"""Fork, become what the plist says, exec. What macOS leaves to xpcproxy happens in the child.

Order of the steps as in launchd-842 core.c, job_setup_attributes: nice, limits, user, folder,
umask, files, environment. A step that fails ends the child with 78 (EX_CONFIG) before the program
runs, which is what `last exit code = 78: EX_CONFIG` means.
"""

from __future__ import annotations

import grp
import os
import pwd
import resource
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from .errors import EX_CONFIG
from .plist import JobDefinition

DEFAULT_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
DEFAULT_UMASK = 0o022
DEFAULT_OPEN_FILES = 256  # soft limit of every launchd job
LOG_FOLDER_MODE = 0o766  # mkpath_np(dirname, 0766): with umask 022 a root-only folder (facts, §2)

LIMITS: dict[str, tuple[int, str]] = {
    "Core": (resource.RLIMIT_CORE, "core"),
    "CPU": (resource.RLIMIT_CPU, "cpu"),
    "Data": (resource.RLIMIT_DATA, "data"),
    "FileSize": (resource.RLIMIT_FSIZE, "filesize"),
    "MemoryLock": (resource.RLIMIT_MEMLOCK, "memlock"),
    "NumberOfFiles": (resource.RLIMIT_NOFILE, "maxfiles"),
    "NumberOfProcesses": (resource.RLIMIT_NPROC, "maxproc"),
    "ResidentSetSize": (resource.RLIMIT_RSS, "rss"),
    "Stack": (resource.RLIMIT_STACK, "stack"),
}


@dataclass(frozen=True)
class Child:
    """A process just forked, and the pipe on which it reports why it never became the program."""

    pid: int
    report_fd: int

    def failure(self) -> str:
        """Read the report once the process is dead; empty means the program was reached."""
        try:
            return os.read(self.report_fd, 4096).decode(errors="replace")
        except BlockingIOError:
            return ""
        finally:
            os.close(self.report_fd)


def job_environment(
    definition: JobDefinition, macos: int, account: pwd.struct_passwd | None
) -> dict[str, str]:
    """Build the environment: PATH, the account's variables for UserName jobs, the plist's own.

    A job of root gets no HOME (facts, section 2); one with UserName gets these four where the
    plist does not set them (launchd-842 core.c, job_postfork_become_user).
    """
    environment = {"PATH": DEFAULT_PATH}
    if account is not None:
        environment["SHELL"] = account.pw_shell
        environment["HOME"] = account.pw_dir
        environment["USER"] = environment["LOGNAME"] = account.pw_name
    return environment | dict(shown_environment(definition, macos))


def shown_environment(definition: JobDefinition, macos: int) -> tuple[tuple[str, str], ...]:
    """Return the `environment = {` block of print: launchd's own pairs around the plist's."""
    rate_limit = (("OSLogRateLimit", "64"),) if macos >= 26 else ()
    service = (("XPC_SERVICE_NAME", definition.label),)
    return rate_limit + definition.environment + service


def start(definition: JobDefinition, macos: int, owner_uid: int = 0) -> Child:
    """Fork a job's process; owner_uid is the domain's user, 0 for the system domain."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    # A signal between fork and exec must not run launchd's own handlers in the child.
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pid = os.fork()
    if pid == 0:
        _become(definition, macos, owner_uid, writer)
    signal.pthread_sigmask(signal.SIG_SETMASK, previous)
    os.close(writer)
    return Child(pid, reader)


def _become(definition: JobDefinition, macos: int, owner_uid: int, writer: int) -> NoReturn:
    try:
        _restore_signals()
        os.setsid()
        _apply_priority(definition)
        _apply_limits(definition)
        account = _account(definition, owner_uid)
        _make_log_folders(definition)
        if account is not None:
            _become_user(definition, account)
        os.chdir(definition.working_directory or "/")
        os.umask(DEFAULT_UMASK if definition.umask is None else definition.umask)
        _open_files(definition)
        environment = job_environment(definition, macos, account)
        arguments = definition.arguments or (definition.executable,)
        _exec(definition, arguments, environment)
    except BaseException as problem:
        os.write(writer, f"{type(problem).__name__}: {problem}"[:4000].encode())
    os._exit(EX_CONFIG)


def _restore_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not None:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _apply_priority(definition: JobDefinition) -> None:
    if definition.nice is not None:
        os.setpriority(os.PRIO_PROCESS, 0, definition.nice)


def _apply_limits(definition: JobDefinition) -> None:
    soft = {"NumberOfFiles": DEFAULT_OPEN_FILES} | dict(definition.soft_limits)
    hard = dict(definition.hard_limits)
    for name, (number, _) in LIMITS.items():
        if name not in soft and name not in hard:
            continue
        current_soft, current_hard = resource.getrlimit(number)
        new_hard = hard.get(name, current_hard)
        new_soft = soft.get(name, current_soft)
        if new_hard != resource.RLIM_INFINITY:
            unlimited = new_soft == resource.RLIM_INFINITY
            new_soft = new_hard if unlimited else min(new_soft, new_hard)
        resource.setrlimit(number, (new_soft, new_hard))


def _account(definition: JobDefinition, owner_uid: int) -> pwd.struct_passwd | None:
    """Find whom to become: UserName counts in the system domain only; GroupName alone is root."""
    if owner_uid:
        return pwd.getpwuid(owner_uid)
    if definition.user is not None:
        return pwd.getpwnam(definition.user)
    return pwd.getpwnam("root") if definition.group is not None else None


def _become_user(definition: JobDefinition, account: pwd.struct_passwd) -> None:
    gid = account.pw_gid
    if definition.group is not None:
        gid = grp.getgrnam(definition.group).gr_gid
    os.setgid(gid)
    if definition.init_groups:
        os.initgroups(account.pw_name, gid)
    else:
        os.setgroups([gid])
    os.setuid(account.pw_uid)


def _make_log_folders(definition: JobDefinition) -> None:
    """A missing folder of a log is made by root, before the job's user comes into it."""
    for path in (definition.stdout_path, definition.stderr_path):
        if path is not None and not Path(path).parent.exists():
            Path(path).parent.mkdir(LOG_FOLDER_MODE, parents=True)


def _open_files(definition: JobDefinition) -> None:
    """Open by name at each start and keep: a rotated file stays the one that is written to."""
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for target, path, flags in (
        (0, definition.stdin_path, os.O_RDONLY | os.O_CREAT),
        (1, definition.stdout_path, append),
        (2, definition.stderr_path, append),
    ):
        fd = os.open(path or os.devnull, (flags if path else os.O_RDWR) | os.O_NOCTTY, 0o666)
        os.dup2(fd, target)


def _exec(
    definition: JobDefinition, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    if definition.program is not None:
        os.execve(definition.program, arguments, environment)
    os.execvpe(arguments[0], arguments, environment)
