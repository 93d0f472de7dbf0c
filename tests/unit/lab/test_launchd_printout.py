"""`launchctl print` of the double against transcripts of real Macs (facts, section 1.8).

Numbers that name one moment of one machine (coalition IDs, forks, execs) are masked, nothing else.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lab.launchd import plist, printout
from lab.launchd.exits import LastExit
from lab.launchd.job import JobState, Phase
from lab.launchd.printout import ServiceView

FIXTURES = Path(__file__).parent / "fixtures" / "launchctl_print"
SSH_AGENT = (("SSH_AUTH_SOCK", "/var/run/com.apple.launchd.XXXXXXXXXX/Listeners"),)


def masked(text: str) -> str:
    return re.sub(r"\t(ID|forks|execs) = \d+", r"\t\1 = #", text)


def definition(**keys: object) -> plist.JobDefinition:
    return plist.parse(keys)[0]


F1 = ServiceView(
    kind="system",
    number=0,
    path="/Library/LaunchDaemons/org.iron-link.daemon.plist",
    definition=definition(
        Label="org.iron-link.daemon",
        ProgramArguments=["/usr/local/bin/iron-link-daemon"],
        RunAtLoad=True,
        KeepAlive=True,
        StandardOutPath="/Users/administrator/Library/Application Support/iron-link/daemon.log",
        StandardErrorPath="/Users/administrator/Library/Application Support/iron-link/daemon.log",
        EnvironmentVariables={
            "SUDO_GID": "20",
            "SUDO_UID": "501",
            "IRON_LINK_CONFIG_DIR": ("/Users/administrator/Library/Application Support/iron-link"),
        },
    ),
    state=JobState(phase=Phase.RUNNING, pid=10526, runs=1, reason="speculative"),
)

F3 = ServiceView(
    kind="gui",
    number=501,
    asid=100016,
    inherited=SSH_AGENT,
    path="/Library/LaunchAgents/com.example.queue-worker.plist",
    definition=definition(
        Label="com.example.queue-worker",
        ProgramArguments=["/opt/example/bin/queue-worker", "--concurrency", "4"],
        RunAtLoad=True,
        KeepAlive={"SuccessfulExit": False, "Crashed": True},
        ThrottleInterval=30,
        WorkingDirectory="/opt/example",
        StandardOutPath="/var/log/queue-worker.out.log",
        StandardErrorPath="/var/log/queue-worker.err.log",
        EnvironmentVariables={"PATH": "/usr/bin:/bin"},
    ),
    state=JobState(
        phase=Phase.RUNNING, pid=3438, runs=371, reason="semaphore", last_exit=LastExit(signal=15)
    ),
)

F5 = ServiceView(
    kind="gui",
    number=501,
    asid=100016,
    inherited=SSH_AGENT,
    path="/Library/LaunchAgents/com.example.on-demand.plist",
    definition=definition(
        Label="com.example.on-demand",
        Program="/opt/example/bin/on-demand",
        KeepAlive={"PathState": {"~/Library/Example/Trigger": True}},
    ),
    state=JobState(),
)


@pytest.mark.parametrize(
    ("name", "view"), [("F1", F1), ("F3", F3), ("F5", F5)], ids=["F1", "F3", "F5"]
)
def test_whole_text_of_a_transcript(name: str, view: ServiceView) -> None:
    transcript = (FIXTURES / f"{name}.txt").read_text(encoding="utf-8")
    assert masked(printout.service(view)) == masked(transcript)


def test_idle_interval_job_as_in_f4() -> None:
    """F4 is published as its differences from F3; apply them to F3's transcript."""
    expected = (FIXTURES / "F3.txt").read_text(encoding="utf-8")
    for pattern, new in (
        (r"^\tactive count = 1", "\tactive count = 0"),
        (r"\tstate = running", "\tstate = not running"),
        (r"\t\t--concurrency\n\t\t4\n", "\t\t-c\n\t\tset -eu; exec /opt/example/bin/python\n"),
        (r"minimum runtime = 30", "minimum runtime = 10"),
        (r"runs = 371", "runs = 7"),
        (r"\tpid = (.|\n)*flags = 0x0\n", ""),
        (r"last terminating signal = Terminated: 15", "last exit code = 0"),
        (r"\tsemaphores = (.|\n)*?\n\t}\n\n", ""),
        (r"cpumon = default", "cpumon = default\n\trun interval = 3600 seconds"),
    ):
        expected, changes = re.subn(pattern, new, expected, count=1, flags=re.MULTILINE)
        assert changes == 1, pattern
    worker = replace(
        F3.definition,
        arguments=("/opt/example/bin/queue-worker", "-c", "set -eu; exec /opt/example/bin/python"),
        keep_alive=plist.KeepAlive(),
        throttle_s=10,
        start_interval_s=3600,
    )
    view = replace(F3, definition=worker, state=JobState(runs=7, last_exit=LastExit(code=0)))
    assert masked(printout.service(view)) == masked(expected)


def test_crash_loop_as_in_f10() -> None:
    loop = replace(F1.definition, throttle_s=30)
    state = JobState(phase=Phase.SCHEDULED, runs=87, last_exit=LastExit(code=1))
    lines = printout.service(replace(F1, definition=loop, state=state)).splitlines()
    for line in ("active count = 0", "state = spawn scheduled", "minimum runtime = 30"):
        assert f"\t{line}" in lines
    for line in ("runs = 87", "last exit code = 1"):
        assert f"\t{line}" in lines
    assert not [line for line in lines if line.startswith("\tpid = ")]


@pytest.mark.parametrize(
    ("last", "line"),
    [
        (LastExit(), "last exit code = (never exited)"),
        (LastExit(code=0), "last exit code = 0"),
        (LastExit(code=3), "last exit code = 3"),
        (LastExit(code=78), "last exit code = 78: EX_CONFIG"),
        (LastExit(signal=15), "last terminating signal = Terminated: 15"),
        (LastExit(signal=9), "last terminating signal = Killed: 9"),
        (LastExit(signal=11), "last terminating signal = Segmentation fault: 11"),
        (LastExit(signal=7), "last terminating signal = Bus error: 10"),
    ],
)
def test_last_exit_line(last: LastExit, line: str) -> None:
    assert last.printed() == line


def test_multi_line_argument_is_printed_raw() -> None:
    script = replace(F1.definition, arguments=("/bin/sh", "-c", "echo one\necho two"))
    text = printout.service(replace(F1, definition=script))
    assert "\t\t-c\n\t\techo one\necho two\n\t}\n" in text


def test_older_macos_prints_other_blocks() -> None:
    text = printout.service(replace(F1, macos=15))
    assert "probabilistic guard malloc policy = {\n\t\tactivation rate = 1/1000\n" in text
    for newer in ("resource coalition", "checked allocations", "OSLogRateLimit"):
        assert newer not in text
    assert "\n\n\n" not in text


def test_account_umask_nice_and_limits() -> None:
    service = definition(
        Label="x",
        ProgramArguments=["/bin/true"],
        UserName="admin",
        Umask=63,
        Nice=5,
        SoftResourceLimits={"NumberOfFiles": 4096},
        ProcessType="Interactive",
    )
    text = printout.service(replace(F1, definition=service))
    assert "\tdomain = system\n\tusername = admin\n\n\tumask = 77\n\tminimum runtime" in text
    assert "\texit timeout = 5\n\tnice = 5\n\truns" in text
    assert "\tresource limits = {\n\t\tmaxfiles (soft) => 4096\n\t}\n\n\tproperties" in text
    assert "\tspawn type = interactive (4)\n\tjetsam priority = 180\n" in text


def test_calendar_job_prints_its_trigger() -> None:
    """Trigger and channel as in a macOS 15 transcript of a nightly job."""
    nightly = definition(
        Label="n", ProgramArguments=["/bin/true"], StartCalendarInterval={"Hour": 2, "Minute": 0}
    )
    text = printout.service(replace(F3, definition=nightly, macos=15, state=JobState()))
    assert "\t\t\tstream = com.apple.launchd.calendarinterval\n" in text
    assert '\t\t\tdescriptor = {\n\t\t\t\t"Minute" => 0\n\t\t\t\t"Hour" => 2\n\t\t\t}\n' in text
    assert '\t\t"com.apple.launchd.calendarinterval" = {\n\t\t\tport = ' in text


def test_no_properties_leaves_the_key_empty() -> None:
    bare = definition(Label="x", Program="/bin/true")
    assert printout.service(replace(F1, definition=bare)).endswith("\n\n\tproperties = \n}\n")
