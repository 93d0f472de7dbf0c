"""Holds the domains and their jobs, and does to real processes what job.py decides."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from . import errors, job, overrides, plist
from .domains import Domain, Job, account_exists, exists, kill_group, obituary, session_allows
from .errors import LaunchdError
from .exits import LastExit, from_wait
from .faults import strike
from .host import Host
from .logbook import Logbook
from .plist import JobDefinition
from .printout import ServiceView
from .spawn import Child

FIRST_ASID = 100000
FIRST_COALITION = 1000

Spawner = Callable[[JobDefinition, int, int], Child]


class Supervisor:
    """All state of launchd that dies with it."""

    def __init__(self, host: Host, log: Logbook, spawner: Spawner) -> None:
        self.host = host
        self.log = log
        self.faults = host.faults()
        self._spawner = spawner
        self.ending = False
        self._coalitions = FIRST_COALITION
        self._former: dict[str, JobDefinition] = {}
        self.domains: dict[tuple[str, int], Domain] = {}
        self.system = self._open("system", 0)

    # -- domains -----------------------------------------------------------------------------

    def _open(self, kind: str, number: int) -> Domain:
        asid = FIRST_ASID + number if kind != "system" else 0
        return self.domains.setdefault((kind, number), Domain(kind, number, asid))

    def domain(self, kind: str, number: int) -> Domain:
        """Find a domain; gui/UID exists only while that uid owns the screen (112 otherwise)."""
        if kind == "system":
            return self.system
        present = kind == "gui" and number in self.faults.gui_sessions
        if kind == "user":
            present = account_exists(number)
        if not present:
            raise LaunchdError(errors.NO_DOMAIN)
        return self._open(kind, number)

    def find(self, domain: Domain, label: str | None) -> Job:
        found = domain.jobs.get(label or "")
        if found is None:
            raise LaunchdError(errors.NO_SERVICE)
        return found

    def jobs(self) -> Iterator[tuple[Domain, Job]]:
        for domain in list(self.domains.values()):
            for entry in list(domain.jobs.values()):
                yield domain, entry

    def disabled(self, domain: Domain, definition: JobDefinition) -> bool:
        """The store decides; the plist's Disabled is only the default."""
        entries = overrides.read(self.store(domain))
        return entries.get(definition.label, definition.disabled)

    def store(self, domain: Domain) -> Path:
        return overrides.store(self.host.overrides, domain.kind, domain.number)

    def view(self, domain: Domain, entry: Job) -> ServiceView:
        return ServiceView(
            kind=domain.kind,
            number=domain.number,
            definition=entry.definition,
            state=entry.state,
            path=entry.path,
            macos=self.host.major,
            asid=domain.asid,
            coalition=entry.coalition,
        )

    # -- loading and unloading ---------------------------------------------------------------

    def refresh_faults(self) -> None:
        """Read the fault file again; a label it names as lost vanishes with its process."""
        self.faults = self.host.faults()
        lost = self.faults.lose_job_once
        if not lost:
            return
        strike(self.host.fault_file, "lose_job_once")
        for domain, entry in self.jobs():
            if entry.definition.label == lost:
                self._signal(entry, job.Signal(signal.SIGKILL, group=True))
                if entry.child is not None:
                    entry.child.failure()
                del domain.jobs[lost]

    def bootstrap(self, domain: Domain, path: Path) -> None:
        """Load one plist, or refuse with the number that root is told."""
        if self.ending:
            raise LaunchdError(errors.DOMAIN_TEARING_DOWN)
        self.fail_once("fail_bootstrap_once", self.faults.fail_bootstrap_once)
        definition, ignored = plist.read(path, frozenset((0, domain.number)))
        label = definition.label
        if self.disabled(domain, definition):
            raise LaunchdError(errors.SERVICE_DISABLED)
        if not session_allows(domain, definition):
            raise LaunchdError(errors.WRONG_SESSION)
        present = domain.jobs.get(label)
        if present is not None:
            self._refuse_second(present, path)
            return
        if self.faults.stale_definition_once == label and label in self._former:
            strike(self.host.fault_file, "stale_definition_once")
            definition = self._former[label]
        self._coalitions += 2
        subject = f"{domain.path}/{label}"
        entry = Job(definition, str(path), subject, self._coalitions)
        for line in ignored:
            self.log.write(subject, line)
        delay = self.faults.spawn_delay_s
        step = job.loaded(definition, entry.state, self.host.clock.moment(), exists, delay)
        domain.jobs[label] = entry
        self._apply(domain, entry, step)

    def fail_once(self, key: str, code: int) -> None:
        """Refuse with the number that a fault names, and take the fault out of the file."""
        if code:
            strike(self.host.fault_file, key)
            raise LaunchdError(code)

    def _refuse_second(self, present: Job, path: Path) -> None:
        """A label that is loaded, or still going: 5 (facts, section 1.4); or lost, if so told."""
        if present.state.removing:
            if self.faults.drop_early_bootstrap:
                return
            raise LaunchdError(self.faults.bootstrap_busy_code)
        if present.path != str(path):
            text = "Attempt to re-bootstrap service from different path, will use existing"
            self.log.write(present.subject, text)
        raise LaunchdError(errors.EIO)

    def bootout(self, domain: Domain, entry: Job, initiator: str) -> None:
        """Begin to remove a job; it stays listed until its process is dead."""
        self.log.write(entry.subject, f"bootout initiated by: {initiator}")
        moment = self.host.clock.moment()
        self._apply(domain, entry, job.booted_out(entry.definition, entry.state, moment))

    # -- starting and stopping ---------------------------------------------------------------

    def kickstart(self, domain: Domain, entry: Job, kill: bool) -> None:
        """Ask for a run; 37 when one is going on and nobody said -k."""
        moment = self.host.clock.moment()
        if entry.state.removing:  # unverified: no transcript of this case
            raise LaunchdError(errors.EINPROGRESS)
        if entry.state.alive:
            if not kill:
                raise LaunchdError(errors.EALREADY)
            self._apply(domain, entry, job.restarted(entry.definition, entry.state, moment))
            return
        at = moment.now + self.faults.spawn_delay_s
        state = job.demanded(entry.definition, entry.state, at, "non-ipc demand")
        self._apply(domain, entry, (state, ()))

    def stop(self, domain: Domain, entry: Job) -> None:
        moment = self.host.clock.moment()
        self._apply(domain, entry, job.stopped(entry.definition, entry.state, moment))

    def kill(self, entry: Job, number: int) -> None:
        """Send a signal to the job's process; 3 when there is none."""
        if entry.state.pid is None:
            raise LaunchdError(errors.ESRCH)
        self._signal(entry, job.Signal(number))

    # -- time and death ----------------------------------------------------------------------

    def settle(self) -> None:
        """Do everything that is due now."""
        moment = self.host.clock.moment()
        for domain, entry in self.jobs():
            if entry.buried_at is not None and moment.now >= entry.buried_at:
                self._bury(domain, entry)
                continue
            step = job.ticked(entry.definition, entry.state, moment, exists)
            self._apply(domain, entry, step)

    def next_deadline(self) -> float | None:
        moment = self.host.clock.moment()
        deadlines = [job.next_deadline(entry.state, moment) for _, entry in self.jobs()]
        deadlines += [entry.buried_at for _, entry in self.jobs()]
        return min((at for at in deadlines if at is not None), default=None)

    def reap(self) -> None:
        """Collect every dead child: jobs, and orphans that came to pid 1."""
        by_pid = {entry.state.pid: (domain, entry) for domain, entry in self.jobs()}
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, flags)
            except ChildProcessError:
                return
            if found is None:
                return
            owner = by_pid.get(found.si_pid)
            if owner is not None and not owner[1].definition.abandon_process_group:
                # Before the pid is given back: a group number must not name somebody else.
                kill_group(found.si_pid, signal.SIGTERM)
            _, status = os.waitpid(found.si_pid, 0)
            if owner is not None:
                self._died(*owner, status)

    def _died(self, domain: Domain, entry: Job, status: int) -> None:
        last, label = from_wait(status), entry.definition.label
        if label in self.faults.ends_well_on_sigterm and last.signal == signal.SIGTERM:
            last = LastExit(code=0)  # as of a program that handles it, which the real one may do
        if label in self.faults.jetsam_on_sigkill and last.signal == signal.SIGKILL:
            last = last._replace(jetsam=True)
        failure = entry.child.failure() if entry.child is not None else ""
        entry.child = None
        if failure:
            self.log.write(entry.subject, f"Service could not initialize: {failure}")
        entry.burial = (last, bool(failure))
        delay = self.faults.teardown_delay_s if entry.state.removing else 0.0
        if delay:
            entry.buried_at = self.host.clock.moment().now + delay
        else:
            self._bury(domain, entry)

    def _bury(self, domain: Domain, entry: Job) -> None:
        last, setup_failed = entry.burial or (LastExit(code=0), False)
        entry.buried_at = entry.burial = None
        moment = self.host.clock.moment()
        self.log.write(entry.subject, obituary(entry.state, last, moment.now))
        enabled = not self.disabled(domain, entry.definition)
        step = job.exited(
            entry.definition, entry.state, last, moment, exists, setup_failed, enabled
        )
        self._apply(domain, entry, step)

    # -- effects -----------------------------------------------------------------------------

    def _apply(self, domain: Domain, entry: Job, step: job.Step) -> None:
        entry.state, effects = step
        for effect in effects:
            if isinstance(effect, job.Log):
                self.log.write(entry.subject, effect.text)
            elif isinstance(effect, job.Signal):
                self._signal(entry, effect)
            elif isinstance(effect, job.Spawn):
                self._spawn(domain, entry)
            else:
                self._remove(domain, entry)

    def _spawn(self, domain: Domain, entry: Job) -> None:
        try:
            entry.child = self._spawner(entry.definition, self.host.major, domain.number)
        except OSError as problem:  # no process or descriptor left: later, perhaps
            self.log.write(entry.subject, f"could not spawn: {problem}")
            moment = self.host.clock.moment()
            entry.state = job.postponed(entry.definition, entry.state, moment)
            return
        entry.last_pid = entry.child.pid
        entry.state = job.spawned(entry.state, entry.child.pid, self.host.clock.moment())
        text = f"Successfully spawned {Path(entry.definition.executable).name}"
        self.log.write(entry.subject, f"{text}[{entry.child.pid}] because {entry.state.reason}")

    def _signal(self, entry: Job, effect: job.Signal) -> None:
        if entry.state.pid is None or entry.burial is not None:
            return
        if effect.group:
            kill_group(entry.state.pid, effect.number)
        try:
            os.kill(entry.state.pid, effect.number)
        except ProcessLookupError:
            return

    def _remove(self, domain: Domain, entry: Job) -> None:
        label = entry.definition.label
        self.log.write(entry.subject, f"removing service: {label}")
        self._former[label] = entry.definition
        domain.jobs.pop(label, None)
