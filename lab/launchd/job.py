"""The life of one job as pure transitions: (definition, state, event) -> (state, effects).

Nothing here forks, signals or reads a clock; the supervisor does what the effects say.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from .calendar_interval import next_wall
from .exits import NEVER, LastExit
from .host import Moment
from .plist import JobDefinition, KeepAlive

PATH_STATE_POLL_S = 1.0

PathExists = Callable[[str], bool]


class Phase(Enum):
    """What `state = …` says (facts, section 1.7)."""

    IDLE = "not running"
    SCHEDULED = "spawn scheduled"
    RUNNING = "running"
    TERMINATING = "SIGTERMed"
    KILLED = "SIGKILLed"


@dataclass(frozen=True)
class JobState:
    """Everything launchd knows about a job that its plist does not say."""

    phase: Phase = Phase.IDLE
    pid: int | None = None
    runs: int = 0
    reason: str = ""
    last_exit: LastExit = NEVER
    setup_failed: bool = False  # the last run died before its program: 78, EX_CONFIG
    crashes: int = 0
    started_at: float | None = None
    spawn_at: float | None = None
    kill_at: float | None = None
    interval_at: float | None = None
    calendar_at: float | None = None  # wall clock, unlike the others
    poll_at: float | None = None
    removing: bool = False
    restart: bool = False

    @property
    def alive(self) -> bool:
        return self.pid is not None


class Spawn(NamedTuple):
    """Start the program."""


class Signal(NamedTuple):
    """Send a signal to the job's process, or to its whole group."""

    number: int
    group: bool = False


class Remove(NamedTuple):
    """Forget the job: its label answers 113 from now on."""


class Log(NamedTuple):
    """Write a line about the job."""

    text: str


Effect = Spawn | Signal | Remove | Log
Step = tuple[JobState, tuple[Effect, ...]]


def paths_wanted(keep: KeepAlive, exists: PathExists) -> bool:
    """Say whether any PathState condition holds."""
    return any(exists(path) == wanted for path, wanted in keep.path_state)


def keeps_alive(keep: KeepAlive, last: LastExit, exists: PathExists) -> bool:
    """Decide whether a job that ended is started again: any condition suffices."""
    if keep.always or paths_wanted(keep, exists):
        return True
    by_exit = keep.successful_exit is not None and keep.successful_exit == last.success
    return by_exit or (keep.crashed is not None and keep.crashed == last.crashed)


def throttled_start(definition: JobDefinition, state: JobState, now: float) -> float:
    """ThrottleInterval spaces starts: return the first moment the next one may happen."""
    if state.started_at is None:
        return now
    return max(now, state.started_at + definition.throttle_s)


def _schedule(definition: JobDefinition, state: JobState, at: float, reason: str) -> JobState:
    spawn_at = throttled_start(definition, state, at)
    return replace(state, phase=Phase.SCHEDULED, spawn_at=spawn_at, reason=reason)


def _rearm(definition: JobDefinition, state: JobState, moment: Moment) -> JobState:
    interval = definition.start_interval_s
    return replace(
        state,
        interval_at=moment.now + interval if interval else None,
        calendar_at=next_wall(definition.calendar, moment.wall) if definition.calendar else None,
        poll_at=moment.now + PATH_STATE_POLL_S if definition.keep_alive.path_state else None,
    )


def loaded(
    definition: JobDefinition,
    state: JobState,
    moment: Moment,
    exists: PathExists,
    spawn_delay_s: float = 0.0,
) -> Step:
    """Bootstrap: RunAtLoad and KeepAlive start the job; only PathState alone may leave it idle."""
    keep = definition.keep_alive
    wanted = definition.run_at_load or keep.always or keep.judges_exits
    state = _rearm(definition, state, moment)
    if wanted or paths_wanted(keep, exists):
        state = _schedule(definition, state, moment.now + spawn_delay_s, "speculative")
    return state, ()


def demanded(definition: JobDefinition, state: JobState, at: float, reason: str) -> JobState:
    """Somebody or something asks for a run; one that is under way or planned is enough."""
    if state.alive:
        return state
    if state.phase is Phase.SCHEDULED:
        return replace(state, reason=reason)
    return _schedule(definition, state, at, reason)


def spawned(state: JobState, pid: int, moment: Moment) -> JobState:
    """A process exists."""
    return replace(
        state,
        phase=Phase.RUNNING,
        pid=pid,
        runs=state.runs + 1,
        started_at=moment.now,
        spawn_at=None,
        kill_at=None,
        setup_failed=False,
    )


def postponed(definition: JobDefinition, state: JobState, moment: Moment) -> JobState:
    """No process could be made; try again after the throttle."""
    return replace(state, phase=Phase.SCHEDULED, spawn_at=moment.now + definition.throttle_s)


def _terminate(definition: JobDefinition, state: JobState, moment: Moment) -> Step:
    if state.phase is not Phase.RUNNING:
        return state, ()
    timeout = definition.exit_timeout_s
    effects: list[Effect] = [Signal(signal.SIGTERM), Log("signaled service: Terminated: 15")]
    if timeout:
        cleanup = f"scheduling cleanup in {timeout} sec after sending Terminated: 15"
        effects.append(Log(cleanup))
    kill_at = moment.now + timeout if timeout else None  # 0 waits for ever
    return replace(state, phase=Phase.TERMINATING, kill_at=kill_at), tuple(effects)


def booted_out(definition: JobDefinition, state: JobState, moment: Moment) -> Step:
    """Bootout: a dead job goes at once, a living one is asked to end and stays until it has."""
    state = replace(state, removing=True, restart=False, spawn_at=None)
    if not state.alive:
        return state, (Remove(),)
    return _terminate(definition, state, moment)


def restarted(definition: JobDefinition, state: JobState, moment: Moment) -> Step:
    """Kickstart -k: end the process, then start another."""
    state, effects = _terminate(definition, state, moment)
    return replace(state, restart=True, reason="non-ipc demand"), effects


def stopped(definition: JobDefinition, state: JobState, moment: Moment) -> Step:
    """Legacy stop: end the process; KeepAlive decides what follows."""
    return _terminate(definition, state, moment)


def exited(
    definition: JobDefinition,
    state: JobState,
    last: LastExit,
    moment: Moment,
    exists: PathExists,
    setup_failed: bool = False,
    enabled: bool = True,
) -> Step:
    """The process is dead: go, start again, or wait for a reason. A disabled job only waits."""
    state = _rearm(
        definition,
        replace(
            state,
            phase=Phase.IDLE,
            pid=None,
            kill_at=None,
            last_exit=last,
            setup_failed=setup_failed,
            crashes=state.crashes + 1 if last.crashed else 0,
        ),
        moment,
    )
    if state.removing:
        return state, (Remove(),)
    if state.restart:
        state = replace(state, restart=False)
        return _schedule(definition, state, moment.now, "non-ipc demand"), ()
    if not enabled or definition.launch_only_once:
        return state, ()
    if setup_failed:  # the plist still wants it; launchd tries again after the throttle
        return _schedule(definition, state, moment.now, state.reason), ()
    if not keeps_alive(definition.keep_alive, last, exists):
        return state, ()
    reason = "inefficient" if definition.keep_alive.always else "semaphore"
    return _schedule(definition, state, moment.now, reason), ()


def ticked(definition: JobDefinition, state: JobState, moment: Moment, exists: PathExists) -> Step:
    """Do what is due: spawn, SIGKILL, intervals, calendar, PathState."""
    if state.kill_at is not None and moment.now >= state.kill_at:
        text = (
            f"Service did not exit {definition.exit_timeout_s} seconds after SIGTERM."
            " Sending SIGKILL."
        )
        state = replace(state, phase=Phase.KILLED, kill_at=None)
        return state, (Log(text), Signal(signal.SIGKILL, group=True))
    state = _triggered(definition, state, moment, exists)
    if state.spawn_at is not None and moment.now >= state.spawn_at:
        return replace(state, spawn_at=None), (Spawn(),)
    return state, ()


def _timer_due(state: JobState, moment: Moment) -> bool:
    monotonic = [at for at in (state.interval_at, state.poll_at) if at is not None]
    by_calendar = state.calendar_at is not None and moment.wall >= state.calendar_at
    return by_calendar or any(moment.now >= at for at in monotonic)


def _triggered(
    definition: JobDefinition, state: JobState, moment: Moment, exists: PathExists
) -> JobState:
    """Look at the job's own timers; one that strikes while the job runs is coalesced away."""
    if not _timer_due(state, moment):
        return state
    due = _rearm(definition, state, moment)
    reason = ""
    if state.interval_at is not None and moment.now >= state.interval_at:
        state, reason = replace(state, interval_at=due.interval_at), "launch event"
    if state.calendar_at is not None and moment.wall >= state.calendar_at:
        state, reason = replace(state, calendar_at=due.calendar_at), "calendar interval"
    if state.poll_at is not None and moment.now >= state.poll_at:
        state = replace(state, poll_at=due.poll_at)
        if not state.alive and paths_wanted(definition.keep_alive, exists):
            reason = "launch event"
    return demanded(definition, state, moment.now, reason) if reason else state


def next_deadline(state: JobState, moment: Moment) -> float | None:
    """Return the monotonic moment at which `ticked` has something to do."""
    deadlines = [
        deadline
        for deadline in (state.spawn_at, state.kill_at, state.interval_at, state.poll_at)
        if deadline is not None
    ]
    if state.calendar_at is not None:
        deadlines.append(moment.now + state.calendar_at - moment.wall)
    return min(deadlines) if deadlines else None
