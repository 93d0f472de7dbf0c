"""The verbs that only look: print, print-disabled, blame, list, managername, version."""

from __future__ import annotations

from . import errors, listing, overrides, printout
from .errors import LaunchdError
from .legacy import SESSIONS, own_domain
from .protocol import Answer, Reply, Request
from .supervisor import Supervisor


def print_target(supervisor: Supervisor, asked: Request) -> Answer:
    """Print a domain or a service."""
    if asked.kind == "gui" and asked.uid not in (0, asked.number):
        raise LaunchdError(errors.EPERM)
    domain = supervisor.domain(asked.kind, asked.number)
    if asked.label is not None:
        entry = supervisor.find(domain, asked.label)
        return Reply(out=printout.service(supervisor.view(domain, entry)))
    jobs = [(entry.definition, entry.state) for entry in domain.jobs.values()]
    disabled = overrides.read(supervisor.store(domain))
    text = listing.domain(
        domain.kind, domain.number, domain.asid, jobs, disabled, supervisor.host.major
    )
    return Reply(out=text)


def print_disabled(supervisor: Supervisor, asked: Request) -> Answer:
    """Print the override store of a domain."""
    domain = supervisor.domain(asked.kind, asked.number)
    entries = overrides.read(supervisor.store(domain))
    return Reply(out=listing.overrides(entries, supervisor.host.major))


def blame(supervisor: Supervisor, asked: Request) -> Answer:
    """Print why a job was started last."""
    entry = supervisor.find(supervisor.domain(asked.kind, asked.number), asked.label)
    if not entry.state.reason:
        raise LaunchdError(errors.ESRCH)
    return Reply(out=f"{entry.state.reason}\n")


def listed(supervisor: Supervisor, asked: Request) -> Answer:
    """List the caller's own domain: system for root, the session's for a user."""
    domain = own_domain(supervisor, asked.uid)
    if asked.label is None:
        jobs = [(entry.definition, entry.state) for entry in domain.jobs.values()]
        return Reply(out=listing.table(jobs))
    entry = supervisor.find(domain, asked.label)
    session = SESSIONS[domain.kind]
    return Reply(out=listing.dictionary(entry.definition, entry.state, session))


def managername(supervisor: Supervisor, asked: Request) -> Answer:
    """Print the kind of session the caller is in."""
    return Reply(out=f"{SESSIONS[own_domain(supervisor, asked.uid).kind]}\n")


def version(supervisor: Supervisor, asked: Request) -> Answer:
    """Print the version line; the builds are of macOS 15.5 and 26.5, as others recorded them."""
    build = (
        "Sat Apr 18 19:58:40 PDT 2026; root:libxpc_executables-3102.120.13~112"
        if supervisor.host.major >= 26
        else "Tue Apr 22 20:48:37 PDT 2025; root:libxpc_executables-2894.121.3~4"
    )
    line = f"Darwin Bootstrapper Version 7.0.0: {build}/launchd/RELEASE_ARM64E\n"
    return Reply(out=line)
