"""What became of a Mac's disk: what is root's, what leaked, and what ran as root.

The judge knows nothing of how the product works. It compares every path of the disk before and
after, and looks for two tokens: the canary that only root knew, and the mark that only the account
writes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.attackers import BAIT, TRAPPED, Account
from tests.lab.conftest import UPPER, Done, as_root

# What a run, the system or somebody who logs in changes anyway, by content or by being there.
# Whose it is and who may write it is judged all the same.
LIVES = re.compile(
    r"(?x)^(opt/closet(/|$)|opt$|Library/LaunchDaemons(/inference\.closet\.|$)|usr/local/bin(/opencode)?$"
    r"|Library/Application\ Support/opencode/|etc/(newsyslog\.d|sudoers\.d)(/closet[^/]*)?$"
    r"|etc/sysctl\.conf$|etc$"
    r"|Users/admin(/|$)|root(/|$)|var/root(/\.|$)|var/log(/|$)|var/tmp$|var/db(/|$)|var/lib(/|$)"
    r"|var/run(/|$)|run(/|$)|tmp(/|$)|Library/Tailscale(/|$))"
)
# Environments: some thousand files of packages, told apart by size and time.
ENVIRONMENTS = re.compile(r"^opt/closet/(omlx|mlx_lm|gateway|uv|opencode|ollama)/")
READ_UP_TO = 1 << 22


@dataclass(frozen=True)
class Entry:
    """One path of a disk."""

    kind: str
    uid: int
    gid: int
    mode: int
    content: str


@dataclass(frozen=True)
class Disk:
    """A disk at one moment."""

    host: str
    entries: dict[str, Entry]


def roots(host: str) -> Iterator[tuple[str, Path]]:
    """A Mac's disk beyond the machine under it, and its /tmp, which is a folder of its own."""
    yield "", UPPER / host / "upper"
    yield "tmp", UPPER / host / "tmp"


def paths(host: str) -> Iterator[tuple[str, Path, os.stat_result]]:
    """Every path of a disk: its name there, where it is out here, its status."""
    for name, root in roots(host):
        for folder, folders, files in os.walk(root):
            for one in (*folders, *files):
                path = Path(folder, one)
                try:
                    yield str(Path(name, path.relative_to(root))), path, path.lstat()
                except FileNotFoundError:  # it went meanwhile
                    continue


def look(host: str) -> Disk:
    """Every path: kind, owner, group, mode and content."""
    return Disk(host, {name: _entry(name, path, found) for name, path, found in paths(host)})


def _entry(name: str, path: Path, found: os.stat_result) -> Entry:
    kind, content = stat.filemode(found.st_mode)[0], ""
    try:
        if kind == "l":
            content = str(path.readlink())
        elif kind == "-" and ENVIRONMENTS.match(name):
            content = f"{found.st_size} {found.st_mtime_ns}"
        elif kind == "-" and found.st_size <= READ_UP_TO:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        elif kind == "-":
            content = str(found.st_size)
    except FileNotFoundError:
        content = "gone"
    return Entry(kind, found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode), content)


def losses(before: Disk, account: Account, *runs: Done) -> list[str]:
    """A sentence for everything that the account got out of the runs."""
    after = look(account.host)
    found = list(changes(before, after, account))
    found += leaks(account)
    found += ran(account)
    for run in runs:
        if account.canary in run.output:
            line = next(line for line in run.output.splitlines() if account.canary in line)
            found.append(f"the output shows what only root may read: {line.strip()[:300]}")
    return found


def theirs(name: str, account: Account) -> bool:
    """Whether a path is in the account's own home, or in a log folder that carries its name."""
    home = account.home.lstrip("/")
    own_logs = rf"var/log/closet/[^/]*{re.escape(account.name)}(/|$)"
    return name == home or name.startswith(f"{home}/") or bool(re.match(own_logs, name))


def changes(before: Disk, after: Disk, account: Account) -> Iterator[str]:
    """What is different outside of what is the account's, and may not be."""
    for name in sorted({*before.entries, *after.entries}):
        was, now = before.entries.get(name), after.entries.get(name)
        if theirs(name, account) or name.startswith(f"{TRAPPED.lstrip('/')}/"):
            continue
        if now is not None and _newly_theirs(name, was, now, account):
            yield f"/{name} is {account.name}'s now, or it may write it: {was} -> {now}"
        elif was != now and not LIVES.match(name):
            yield f"/{name} changed: {was} -> {now}"
        elif was and now and (was.uid, was.gid, was.mode) != (now.uid, now.gid, now.mode):
            yield f"/{name} has another owner or mode: {was} -> {now}"


def _newly_theirs(name: str, was: Entry | None, now: Entry, account: Account) -> bool:
    if was is not None and (was.uid, was.mode) == (now.uid, now.mode):
        return False
    # uv locks an environment that it builds with an empty file which everybody may lock
    lock = name.endswith("/.lock") and bool(ENVIRONMENTS.match(name)) and now.content[:2] == "0 "
    open_to_all = now.mode & 0o002 and not now.mode & stat.S_ISVTX
    writable = now.kind != "l" and open_to_all and not lock
    return bool((now.uid == account.uid and not _own(name, now, account)) or writable)


def _own(name: str, now: Entry, account: Account) -> bool:
    """What an account may have made itself: in its home, or in a folder for everybody."""
    scratch = re.match(r"(var/)?tmp/", name) and now.uid == account.uid
    # root makes it for the account in a folder of its own, and so does newsyslog after a rotation
    log = re.fullmatch(rf"var/log/closet/\w+-{account.name}\.launchd\.log(\.\d+)?", name)
    return theirs(name, account) or bool(scratch or log)


def leaks(account: Account) -> Iterator[str]:
    """Files that hold root's secret and that others may read; files of root's with our mark."""
    canary, mark = account.canary.encode(), account.mark.encode()
    for name, data, found in _texts(account.host):
        # another name of root's own file, which still is root's alone, is no copy
        open_to_others = found.st_uid != 0 or found.st_mode & 0o077
        if canary in data.lower() and open_to_others:
            mode = f"{found.st_mode & 0o777:o}"
            yield f"/{name} (uid {found.st_uid}, mode {mode}) holds root's secret"
        if mark in data and found.st_uid != account.uid:
            yield f"/{name} (uid {found.st_uid}) holds what {account.name} wrote"


def _texts(host: str) -> Iterator[tuple[str, bytes, os.stat_result]]:
    for name, path, found in paths(host):
        regular = stat.S_ISREG(found.st_mode) and found.st_size <= READ_UP_TO
        if regular and not ENVIRONMENTS.match(name):
            with contextlib.suppress(FileNotFoundError):  # it went meanwhile
                yield name, path.read_bytes(), found


def ran(account: Account) -> Iterator[str]:
    """Programs of the account's that ran with the rights of somebody else."""
    for path in (UPPER / account.host / "upper" / TRAPPED.lstrip("/")).iterdir():
        if path.name.partition(".")[0] != str(account.uid):
            text = path.read_text(errors="replace").strip()
            yield f"uid {path.name.partition('.')[0]} ran what {account.name} wrote: {text[:300]}"


def mend(before: Disk, account: Account) -> None:
    """Give root back what an attack took, so that one that wins does not decide the next."""
    words = [f"rm -f {TRAPPED}/*; chown -R root:wheel {BAIT}"]
    after = look(account.host)
    for name, was in before.entries.items():
        now = after.entries.get(name, was)
        same = (was.uid, was.gid, was.mode) == (now.uid, now.gid, now.mode)
        if not same and not theirs(name, account) and was.kind == now.kind != "l":
            words.append(f"chown {was.uid}:{was.gid} '/{name}'; chmod {was.mode:o} '/{name}'")
    for name, now in after.entries.items():
        if name not in before.entries and now.uid == account.uid and not _own(name, now, account):
            words.append(f"rm -rf '/{name}'")
    # a copy that was made once would be found in every test after this one
    words += [
        f"rm -f '/{name}'"
        for name, data, _ in _texts(account.host)
        if account.canary.encode() in data.lower() and not name.startswith(BAIT.lstrip("/"))
    ]
    words.append(account.bait())
    as_root(account.host, "; ".join(words))
