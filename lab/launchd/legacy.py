"""Plists by path and the verbs that know no domain: load, unload, list, start, stop."""

from __future__ import annotations

import plistlib
from collections.abc import Iterable
from pathlib import Path
from xml.parsers.expat import ExpatError

from . import errors, overrides
from .domains import Domain
from .errors import LaunchdError, message
from .protocol import Answer, Reply, Request
from .supervisor import Supervisor

SESSIONS = {"system": "System", "user": "Background", "gui": "Aqua"}


def own_domain(supervisor: Supervisor, uid: int) -> Domain:
    """Return the domain a caller without a target means; over ssh a user has only user/UID."""
    if uid == 0:
        return supervisor.system
    try:
        return supervisor.domain("gui", uid)
    except LaunchdError:
        return supervisor.domain("user", uid)


def plists(paths: Iterable[str]) -> list[Path]:
    """Expand folders to the plists in them, in order of name."""
    found: list[Path] = []
    for path in map(Path, paths):
        found += sorted(path.glob("*.plist")) if path.is_dir() else [path]
    return found


def labels_of(paths: Iterable[str]) -> list[str]:
    """Read the labels out of plists; one that cannot be read gives an empty label."""
    labels = []
    for path in plists(paths):
        try:
            labels.append(str(plistlib.loads(path.read_bytes())["Label"]))
        except (OSError, plistlib.InvalidFileException, ExpatError, ValueError, KeyError):
            labels.append("")
    return labels


def load_paths(
    supervisor: Supervisor, domain: Domain, paths: Iterable[str]
) -> list[tuple[str, int]]:
    """Bootstrap each plist; return those that failed with their numbers."""
    failures = []
    for path in plists(paths):
        try:
            supervisor.bootstrap(domain, path)
        except LaunchdError as refusal:
            failures.append((str(path), refusal.code))
    return failures


def load(
    supervisor: Supervisor, domain: Domain, paths: Iterable[str], flags: frozenset[str]
) -> str:
    """`load [-w]`: -w enables the labels first. Returns the text for stderr."""
    paths = list(paths)
    if "w" in flags:
        for label in filter(None, labels_of(paths)):
            overrides.write(supervisor.store(domain), label, disabled=False)
    lines = []
    for path, code in load_paths(supervisor, domain, paths):
        if code == errors.BAD_OWNERSHIP:
            lines.append(f"{path}: {message(code)}\n")
        lines.append(f"Load failed: {code}: {message(code)}\n")
        if code == errors.EIO:
            lines.append("Try running `launchctl bootstrap` as root for richer errors.\n")
    return "".join(lines)


def unload(
    supervisor: Supervisor,
    domain: Domain,
    paths: Iterable[str],
    flags: frozenset[str],
    initiator: str,
) -> str:
    """`unload [-w]`: -w disables the labels. Returns the text for stderr."""
    lines = []
    for label in labels_of(paths):
        if "w" in flags and label:
            overrides.write(supervisor.store(domain), label, disabled=True)
        entry = domain.jobs.get(label)
        if entry is None:
            lines.append(f"Unload failed: {errors.EIO}: {message(errors.EIO)}\n")
            lines.append("Try running `launchctl bootout` as root for richer errors.\n")
        elif not entry.state.removing:
            supervisor.bootout(domain, entry, initiator)
    return "".join(lines)


def load_or_unload(supervisor: Supervisor, asked: Request) -> Answer:
    """Exit 0 whatever happens (launchctl(1)); only the text tells."""
    domain = own_domain(supervisor, asked.uid)
    if asked.verb == "load":
        return Reply(err=load(supervisor, domain, asked.paths, asked.flags))
    return Reply(err=unload(supervisor, domain, asked.paths, asked.flags, asked.caller))


def start_or_stop(supervisor: Supervisor, asked: Request) -> Answer:
    """Start or stop by bare label in the caller's own domain."""
    domain = own_domain(supervisor, asked.uid)
    entry = domain.jobs.get(asked.label or "")
    if entry is None:
        return Reply(errors.ESRCH)
    if asked.verb == "stop":
        supervisor.stop(domain, entry)
    elif not entry.state.alive:
        supervisor.kickstart(domain, entry, kill=False)
    return Reply()


def remove(supervisor: Supervisor, asked: Request) -> Answer:
    """Remove by bare label in the caller's own domain."""
    domain = own_domain(supervisor, asked.uid)
    entry = supervisor.find(domain, asked.label)
    if not entry.state.removing:
        supervisor.bootout(domain, entry, asked.caller)
    return Reply()
