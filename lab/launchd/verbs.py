"""The verbs of launchctl as launchd answers them: numbers, words, and who may ask.

launchctl only takes arguments apart and prints; everything that depends on state is here.
Sources: facts, section 1.4 (table of cases); formats of messages from ProcursusTeam/launchctl 1.2.0
where the table names it.
"""

from __future__ import annotations

from collections.abc import Callable

from . import errors, legacy, overrides, queries
from .domains import Domain, Job
from .errors import LaunchdError, message
from .protocol import Answer, Reply, Request
from .supervisor import Supervisor
from .targets import spelled

FIRST_WITH_WAIT = 26


def handle(supervisor: Supervisor, asked: Request) -> Answer:
    """Answer one request; refusals without a wording of their own get the general one."""
    supervisor.refresh_faults()
    verb = VERBS.get(asked.verb)
    if verb is None:
        return Reply(1, err=f"Unrecognized subcommand: {asked.verb}\n")
    try:
        return verb(supervisor, asked)
    except LaunchdError as refusal:
        return Reply(refusal.code, err=_refusal(asked, refusal.code))


def _refusal(asked: Request, code: int) -> str:
    """Word 112 and 113 as launchctl's main() does; `print` puts a line in front."""
    where = spelled(asked.kind or "port", asked.number)
    bad_request = "Bad request.\n" if asked.verb in ("print", "print-disabled") else ""
    if code == errors.NO_DOMAIN:
        return f"{bad_request}Could not find domain for {where}\n"
    if code == errors.NO_SERVICE:
        return f'{bad_request}Could not find service "{asked.label}" in domain for {where}\n'
    if asked.verb == "kickstart":
        if code == errors.EALREADY:
            return ""
        return f'Could not kickstart service "{asked.label}": {code}: {message(code)}\n'
    if asked.verb in ("enable", "disable"):
        return f"Could not {asked.verb} service: {code}: {message(code)}\n"
    if asked.verb in ("kill", "blame"):
        words = {errors.EPERM: "Not privileged to signal service.\n"}
        return {**words, errors.ESRCH: "No process to signal.\n"}.get(code, "")
    failed = {"bootstrap": "Bootstrap failed", "bootout": "Boot-out failed"}
    return f"{failed.get(asked.verb, 'Could not print domain')}: {code}: {message(code)}\n"


def _target(supervisor: Supervisor, asked: Request) -> tuple[Domain, Job]:
    domain = supervisor.domain(asked.kind, asked.number)
    return domain, supervisor.find(domain, asked.label)


def _require_right(asked: Request) -> None:
    if not asked.may_change:
        raise LaunchdError(errors.EPERM)


def _loading_domain(supervisor: Supervisor, asked: Request) -> Domain:
    """Bootstrap and bootout answer 125, not 112, for a gui domain that nobody has (ssh)."""
    try:
        return supervisor.domain(asked.kind, asked.number)
    except LaunchdError:
        raise LaunchdError(errors.DOMAIN_UNSUPPORTED) from None


def bootstrap(supervisor: Supervisor, asked: Request) -> Answer:
    """Load plists into a domain."""
    _require_right(asked)
    domain = _loading_domain(supervisor, asked)
    if not asked.paths:
        raise LaunchdError(errors.DOMAIN_UNSUPPORTED)
    failures = legacy.load_paths(supervisor, domain, asked.paths)
    if not failures:
        return Reply()
    codes = [_told(asked, code) for _, code in failures]
    # Several paths: one line each, as PROC prints the reply's `errors`; the number is unverified.
    lines = [
        f"{path}: {message(code)}\n"
        for (path, _), code in zip(failures, codes, strict=True)
        if len(asked.paths) > 1
    ]
    hint = "Try re-running the command as root for richer errors.\n" if codes[0] == 5 else ""
    return Reply(
        codes[0],
        err="".join([*lines, f"Bootstrap failed: {codes[0]}: {message(codes[0])}\n", hint]),
    )


def _told(asked: Request, code: int) -> int:
    """Only root hears why a plist was refused; a user hears 5 (facts, section 1.4)."""
    heard_by_users = (errors.EALREADY, errors.DOMAIN_UNSUPPORTED, errors.WRONG_SESSION)
    return code if asked.uid == 0 or code in heard_by_users else errors.EIO


def bootout(supervisor: Supervisor, asked: Request) -> Answer:
    """Unload by label or by plist; answers before the process is gone unless told to wait."""
    if "wait" in asked.flags and supervisor.host.major < FIRST_WITH_WAIT:
        # reported from releases that do not know the flag, whose usage text follows (section 1.2)
        return Reply(errors.EX_USAGE, err="Unrecognized target specifier.\n")
    _require_right(asked)
    domain = _loading_domain(supervisor, asked)
    if asked.label is None and not asked.paths:
        # Tearing down a whole domain would take the host with it; the lab does not do that.
        raise LaunchdError(errors.DOMAIN_UNSUPPORTED)
    labels = [asked.label] if asked.label is not None else legacy.labels_of(asked.paths)
    for label in labels:
        entry = domain.jobs.get(label or "")
        if entry is None:
            # An unreadable or deleted plist answers 5, a label that is not loaded 3.
            raise LaunchdError(errors.ESRCH if label else errors.EIO)
        if not entry.state.removing:
            supervisor.fail_once("fail_bootout_once", supervisor.faults.fail_bootout_once)
            supervisor.bootout(domain, entry, asked.caller)
        if entry.state.alive and supervisor.faults.bootout_in_progress:
            raise LaunchdError(errors.EINPROGRESS)
    if "wait" in asked.flags:
        return lambda: None if any(label in domain.jobs for label in labels) else Reply()
    return Reply()


def kickstart(supervisor: Supervisor, asked: Request) -> Answer:
    """Start a job now; -p waits for the process and prints its pid."""
    _require_right(asked)
    domain, entry = _target(supervisor, asked)
    supervisor.fail_once("fail_kickstart_once", supervisor.faults.fail_kickstart_once)
    runs = entry.state.runs
    supervisor.kickstart(domain, entry, kill="k" in asked.flags)
    if "p" not in asked.flags:
        return Reply()

    def pid() -> Reply | None:
        if domain.jobs.get(entry.definition.label) is not entry:
            return Reply(errors.NO_SERVICE, err=_refusal(asked, errors.NO_SERVICE))
        if entry.state.runs == runs:
            return None
        words = "service spawned with pid: " if asked.tty else ""
        return Reply(out=f"{words}{entry.last_pid}\n")

    return pid


def override(supervisor: Supervisor, asked: Request) -> Answer:
    """Enable or disable a label, loaded or not, existing or not."""
    _require_right(asked)
    domain = supervisor.domain(asked.kind, asked.number)
    if asked.label is None:
        raise LaunchdError(errors.NO_SERVICE)
    overrides.write(supervisor.store(domain), asked.label, asked.verb == "disable")
    return Reply()


def kill(supervisor: Supervisor, asked: Request) -> Answer:
    """Send a signal to a job's process."""
    _, entry = _target(supervisor, asked)
    _require_right(asked)
    supervisor.kill(entry, asked.signal)
    return Reply()


VERBS: dict[str, Callable[[Supervisor, Request], Answer]] = {
    "bootstrap": bootstrap,
    "bootout": bootout,
    "kickstart": kickstart,
    "enable": override,
    "disable": override,
    "kill": kill,
    "print": queries.print_target,
    "print-disabled": queries.print_disabled,
    "blame": queries.blame,
    "list": queries.listed,
    "managername": queries.managername,
    "version": queries.version,
    "load": legacy.load_or_unload,
    "unload": legacy.load_or_unload,
    "start": legacy.start_or_stop,
    "stop": legacy.start_or_stop,
    "remove": legacy.remove,
}
