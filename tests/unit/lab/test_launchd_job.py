"""The life of a job, as pure transitions."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lab.launchd import job, plist
from lab.launchd.exits import LastExit
from lab.launchd.host import Moment
from lab.launchd.job import JobState, Log, Phase, Remove, Signal, Spawn
from lab.launchd.plist import JobDefinition, KeepAlive

CLEAN, FAILED = LastExit(code=0), LastExit(code=1)
TERM, KILL, SEGV = (LastExit(signal=number) for number in (15, 9, 11))
START = Moment(1000.0, 1_800_000_000.0)


def later(seconds: float) -> Moment:
    return Moment(START.now + seconds, START.wall + seconds)


def nothing(_: str) -> bool:
    return False


def definition(**keys: Any) -> JobDefinition:
    return plist.parse({"Label": "x", "ProgramArguments": ["/bin/true"], **keys})[0]


def running(**changes: Any) -> JobState:
    state = JobState(phase=Phase.RUNNING, pid=7, runs=1, started_at=START.now)
    return replace(state, **changes)


@pytest.mark.parametrize(
    ("keep", "restarts", "stays_down"),
    [
        (KeepAlive(), [], [CLEAN, FAILED, TERM, SEGV]),
        (KeepAlive(always=True), [CLEAN, FAILED, TERM, SEGV], []),
        (KeepAlive(successful_exit=True), [CLEAN], [FAILED, TERM, SEGV]),
        (KeepAlive(successful_exit=False), [FAILED, TERM, KILL, SEGV], [CLEAN]),
        (KeepAlive(crashed=True), [SEGV], [CLEAN, FAILED, TERM, KILL]),
        (KeepAlive(crashed=False), [CLEAN, FAILED, TERM], [SEGV]),
        # ORed: the combination that 4LM's author recommends is SuccessfulExit=false alone
        (KeepAlive(successful_exit=False, crashed=True), [FAILED, TERM, SEGV], [CLEAN]),
        (KeepAlive(successful_exit=True, crashed=True), [CLEAN, SEGV], [FAILED, TERM]),
    ],
)
def test_keep_alive(keep: KeepAlive, restarts: list[LastExit], stays_down: list[LastExit]) -> None:
    assert [job.keeps_alive(keep, last, nothing) for last in restarts] == [True] * len(restarts)
    assert not any(job.keeps_alive(keep, last, nothing) for last in stays_down)


@pytest.mark.parametrize(
    ("path_state", "present", "expected"),
    [
        ((("/a", True),), {"/a"}, True),
        ((("/a", True),), set(), False),
        ((("/a", False),), set(), True),
        ((("/a", False),), {"/a"}, False),
        ((("/a", True), ("/b", True)), {"/b"}, True),
    ],
)
def test_path_state(
    path_state: tuple[tuple[str, bool], ...], present: set[str], expected: bool
) -> None:
    exists: Callable[[str], bool] = present.__contains__
    assert job.keeps_alive(KeepAlive(path_state=path_state), CLEAN, exists) is expected


@pytest.mark.parametrize(
    ("keys", "starts"),
    [
        ({}, False),
        ({"RunAtLoad": True}, True),
        ({"KeepAlive": True}, True),
        ({"KeepAlive": {"SuccessfulExit": False}}, True),
        ({"KeepAlive": {"PathState": {"/a": True}}}, False),
        ({"KeepAlive": {"PathState": {"/a": False}}}, True),
        ({"StartInterval": 60}, False),
    ],
)
def test_start_at_load(keys: dict[str, Any], starts: bool) -> None:
    state, _ = job.loaded(definition(**keys), JobState(), START, nothing)
    _, effects = job.ticked(definition(**keys), state, START, nothing)
    assert effects == ((Spawn(),) if starts else ())


@pytest.mark.parametrize(
    ("ran_s", "waits_s"), [(0.0, 10.0), (4.0, 6.0), (10.0, 0.0), (3600.0, 0.0)]
)
def test_throttle_spaces_starts(ran_s: float, waits_s: float) -> None:
    forever = definition(KeepAlive=True)
    state, _ = job.exited(forever, running(), FAILED, later(ran_s), nothing)
    assert state.phase is Phase.SCHEDULED
    assert state.spawn_at == later(ran_s + waits_s).now
    before = later(ran_s + waits_s - 0.1)
    if waits_s:
        assert job.ticked(forever, state, before, nothing)[1] == ()
    assert job.ticked(forever, state, later(ran_s + waits_s), nothing)[1] == (Spawn(),)


def test_kickstart_of_a_throttled_job_does_not_jump_the_queue() -> None:
    forever = definition(KeepAlive=True)
    state, _ = job.exited(forever, running(), FAILED, later(1), nothing)
    asked = job.demanded(forever, state, later(2).now, "non-ipc demand")
    assert asked.spawn_at == later(10).now


def test_bootout_of_a_living_job_waits_for_its_death() -> None:
    slow = definition(ExitTimeOut=3)
    state, effects = job.booted_out(slow, running(), START)
    assert (state.phase, state.pid, state.removing) == (Phase.TERMINATING, 7, True)
    assert Signal(signal.SIGTERM) in effects
    assert Log("scheduling cleanup in 3 sec after sending Terminated: 15") in effects
    assert job.ticked(slow, state, later(2.9), nothing)[1] == ()
    state, effects = job.ticked(slow, state, later(3), nothing)
    assert state.phase is Phase.KILLED
    assert Signal(signal.SIGKILL, group=True) in effects
    assert Log("Service did not exit 3 seconds after SIGTERM. Sending SIGKILL.") in effects
    assert job.exited(slow, state, KILL, later(3.1), nothing)[1] == (Remove(),)


def test_bootout_of_a_dead_job_is_done_at_once() -> None:
    for phase in (Phase.IDLE, Phase.SCHEDULED):
        assert job.booted_out(definition(), JobState(phase=phase), START)[1] == (Remove(),)


def test_bootout_beats_keep_alive() -> None:
    forever = definition(KeepAlive=True)
    state, _ = job.booted_out(forever, running(), START)
    assert job.exited(forever, state, TERM, later(20), nothing)[1] == (Remove(),)


def test_exit_timeout_zero_never_kills() -> None:
    state, _ = job.booted_out(definition(ExitTimeOut=0), running(), START)
    assert job.ticked(definition(ExitTimeOut=0), state, later(1e6), nothing)[1] == ()


def test_kickstart_kill_starts_again_even_without_keep_alive() -> None:
    plain = definition()
    state, effects = job.restarted(plain, running(), later(20))
    assert Signal(signal.SIGTERM) in effects
    state, _ = job.exited(plain, state, CLEAN, later(21), nothing)
    assert (state.phase, state.spawn_at) == (Phase.SCHEDULED, later(21).now)


def test_disabled_job_is_not_started_again() -> None:
    forever = definition(KeepAlive=True)
    state, _ = job.exited(forever, running(), FAILED, later(20), nothing, enabled=False)
    assert state.phase is Phase.IDLE


def test_setup_failure_is_tried_again_whatever_keep_alive_says() -> None:
    once = definition(RunAtLoad=True)
    state, _ = job.exited(once, running(), LastExit(code=78), later(0), nothing, setup_failed=True)
    assert (state.phase, state.spawn_at) == (Phase.SCHEDULED, later(10).now)
    assert state.setup_failed


def test_successive_crashes_count_and_reset() -> None:
    forever = definition(KeepAlive=True)
    state, _ = job.exited(forever, running(crashes=2), SEGV, later(1), nothing)
    assert state.crashes == 3
    state, _ = job.exited(forever, replace(state, pid=8), FAILED, later(2), nothing)
    assert state.crashes == 0


def test_interval_counts_from_the_end_of_the_run() -> None:
    hourly = definition(StartInterval=3600)
    state, _ = job.loaded(hourly, JobState(), START, nothing)
    state, effects = job.ticked(hourly, state, later(3600), nothing)
    assert (effects, state.reason) == ((Spawn(),), "launch event")
    state = job.spawned(state, 7, later(3600))
    state, effects = job.ticked(hourly, state, later(7200), nothing)
    assert effects == ()  # still running: coalesced
    state, _ = job.exited(hourly, state, CLEAN, later(7300), nothing)
    assert state.interval_at == later(7300 + 3600).now


def test_calendar_strikes_once_and_arms_the_next() -> None:
    hourly = definition(StartCalendarInterval={"Minute": 30})
    state, _ = job.loaded(hourly, JobState(), START, nothing)
    assert state.calendar_at is not None
    strike = Moment(START.now + state.calendar_at - START.wall, state.calendar_at)
    assert job.next_deadline(state, START) == pytest.approx(strike.now)
    state, effects = job.ticked(hourly, state, strike, nothing)
    assert (effects, state.reason) == ((Spawn(),), "calendar interval")
    assert state.calendar_at == strike.wall + 3600


def test_path_state_wakes_an_idle_job_and_leaves_its_interval_alone() -> None:
    watched = definition(KeepAlive={"PathState": {"/a": True}}, StartInterval=3600)
    state, _ = job.loaded(watched, JobState(), START, nothing)
    state, effects = job.ticked(watched, state, later(1), nothing)
    assert effects == ()
    assert state.interval_at == later(3600).now
    _, effects = job.ticked(watched, state, later(2), lambda path: path == "/a")
    assert effects == (Spawn(),)


def test_an_idle_job_needs_no_timer() -> None:
    state, _ = job.loaded(definition(), JobState(), START, nothing)
    assert job.next_deadline(state, START) is None
