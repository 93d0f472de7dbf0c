"""What no launchctl can show on a Mac one shares: boot, reboot, faults, pid 1."""

from __future__ import annotations

import os
import plistlib
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.harness import Double, Launchctl

pytestmark = pytest.mark.only_double("boots, breaks and ends a launchd of its own")

SLEEP = ["/bin/sleep", "1000"]
Control = Callable[[], Launchctl]


@pytest.fixture
def control(fresh_double: Double, tmp_path: Path) -> Control:
    """Boot the fresh double and return a launchctl for it."""

    def boot() -> Launchctl:
        fresh_double.boot()
        environment = {"CLOSET_LAB_LAUNCHD_SOCKET": str(fresh_double.socket)}
        command = fresh_double.program("launchctl")
        return Launchctl(command, tmp_path, environment, fresh_double)

    return boot


def install(double: Double, folder: str, name: str, **keys: Any) -> Path:
    path = double.root / folder / f"{name}.plist"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"Label": name, "ProgramArguments": SLEEP, "RunAtLoad": True, **keys}
    path.write_bytes(plistlib.dumps(content))
    path.chmod(0o644)
    return path


def test_boot_order_and_what_boot_passes_over(fresh_double: Double, control: Control) -> None:
    own, system = "Library/LaunchDaemons", "System/Library/LaunchDaemons"
    for folder, name in ((own, "b.own"), (own, "a.own"), (system, "z.system")):
        install(fresh_double, folder, name)
    install(fresh_double, own, "c.writable").chmod(0o666)
    install(fresh_double, own, "d.disabled", Disabled=True)
    link = fresh_double.root / own / "e.link.plist"
    link.symlink_to(install(fresh_double, "elsewhere", "e.link"))
    launchctl = control()
    table = launchctl("list").stdout.splitlines()[1:]
    assert [row.split("\t")[2] for row in table] == ["z.system", "a.own", "b.own"]
    log = fresh_double.log
    assert "c.writable.plist: 122: Path had bad ownership/permissions" in log
    assert "d.disabled.plist: 119: Service is disabled" in log
    assert "e.link.plist: symbolic link" in log


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 85), (signal.SIGTERM, 86)])
def test_reboot_keeps_overrides_and_loses_jobs_of_elsewhere(
    fresh_double: Double, control: Control, number: int, status: int
) -> None:
    install(fresh_double, "Library/LaunchDaemons", "a.kept")
    install(fresh_double, "Library/LaunchDaemons", "a.disabled")
    launchctl = control()
    pid = int(launchctl.value("system/a.kept", "pid") or 0)
    assert launchctl("disable", "system/a.disabled").returncode == 0
    temporary = install(fresh_double, "tmp", "a.temporary")
    assert launchctl("bootstrap", "system", str(temporary)).returncode == 0
    assert fresh_double.end(number) == status
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    launchctl = control()
    assert launchctl.value("system/a.kept", "runs") == "1"
    for label in ("a.disabled", "a.temporary"):
        assert launchctl("print", f"system/{label}").returncode == 113


def test_shutdown_waits_for_a_slow_job_and_kills_a_deaf_one(
    fresh_double: Double, control: Control
) -> None:
    script = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]
    folder = "Library/LaunchDaemons"
    install(fresh_double, folder, "a.deaf", ProgramArguments=script, ExitTimeOut=1)
    control()
    time.sleep(0.2)
    started = time.monotonic()
    assert fresh_double.end() == 85
    assert 0.9 < time.monotonic() - started < 4
    assert "Service did not exit 1 seconds after SIGTERM. Sending SIGKILL." in fresh_double.log


def test_log_of_a_bootout(fresh_double: Double, control: Control) -> None:
    """The order that was measured on 26.5.1 (facts, section 1.5)."""
    install(fresh_double, "Library/LaunchDaemons", "a.job")
    launchctl = control()
    assert launchctl("bootout", "system/a.job").returncode == 0
    launchctl.wait_gone("system/a.job")
    phrases = (
        r"bootout initiated by: launchctl\[\d+\]",
        r"signaled service: Terminated: 15",
        r"scheduling cleanup in 5 sec after sending Terminated: 15",
        r"exited due to SIGTERM \| sent by launchd\[1\], ran for \d+ms",
        r"removing service: a\.job",
    )
    assert re.search(r"[^\n]*\n[^\n]*".join(phrases), fresh_double.log)


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ('{"fail_bootstrap_once": 37}', 37),
        ('{"bootstrap_busy_code": 37}', 0),
        ('{"unknown": 1}', 0),
        ("garbage", 0),
    ],
)
def test_faults_of_bootstrap(
    fresh_double: Double, control: Control, faults: str, code: int
) -> None:
    path = str(install(fresh_double, "tmp", "a.job"))
    launchctl = control()
    fresh_double.faults(faults)
    assert launchctl("bootstrap", "system", path).returncode == code
    if code:
        assert launchctl("bootstrap", "system", path).returncode == 0


def test_fault_slow_teardown_and_dropped_bootstrap(fresh_double: Double, control: Control) -> None:
    path = str(install(fresh_double, "tmp", "a.job"))
    launchctl = control()
    fresh_double.faults('{"teardown_delay_s": 3, "drop_early_bootstrap": true}')
    assert launchctl("bootstrap", "system", path).returncode == 0
    assert launchctl("bootout", "system/a.job").returncode == 0
    assert launchctl.value("system/a.job", "state") == "SIGTERMed"
    assert launchctl("bootstrap", "system", path).returncode == 0  # accepted, then lost
    launchctl.wait_gone("system/a.job")


def test_fault_lost_job_and_old_definition(fresh_double: Double, control: Control) -> None:
    path = str(install(fresh_double, "tmp", "a.job"))
    launchctl = control()
    launchctl("bootstrap", "system", path)
    fresh_double.faults('{"lose_job_once": "a.job"}')
    assert launchctl("print", "system/a.job").returncode == 113
    fresh_double.faults('{"stale_definition_once": "a.job"}')
    launchctl("bootstrap", "system", path)
    launchctl("bootout", "system/a.job")
    launchctl.wait_gone("system/a.job")
    fresh_double.faults('{"stale_definition_once": "a.job"}')
    install(fresh_double, "tmp", "a.job", ProgramArguments=["/bin/sleep", "2000"])
    assert launchctl("bootstrap", "system", path).returncode == 0
    assert "\t\t1000\n" in launchctl.text("system/a.job")


def test_fault_gui_session(fresh_double: Double, control: Control) -> None:
    path = str(install(fresh_double, "tmp", "a.agent"))
    launchctl = control()
    fresh_double.faults('{"gui_sessions": [65534]}')
    assert launchctl("bootstrap", "gui/65534", path).returncode == 0
    launchctl.wait("gui/65534/a.agent", "state", "running")
    pid = launchctl.value("gui/65534/a.agent", "pid")
    assert Path(f"/proc/{pid}").stat().st_uid == 65534


def test_moving_the_clock_fires_the_calendar(fresh_double: Double, control: Control) -> None:
    folder = "Library/LaunchDaemons"
    keys = {"RunAtLoad": False, "StartCalendarInterval": {"Minute": 30}}
    install(fresh_double, folder, "a.hourly", ProgramArguments=["/bin/true"], **keys)
    launchctl = control()
    assert launchctl.value("system/a.hourly", "runs") == "0"
    fresh_double.faults('{"clock_offset_s": 3600}')
    launchctl.wait("system/a.hourly", "runs", "1")


@pytest.mark.parametrize(("macos", "knows"), [("26.5.1", True), ("15.6", False), ("14.7", False)])
def test_bootout_wait(fresh_double: Double, control: Control, macos: str, knows: bool) -> None:
    """--wait exists on 26 and is reported missing before (facts, section 1.2)."""
    fresh_double.macos = macos
    install(fresh_double, "Library/LaunchDaemons", "a.job")
    launchctl = control()
    fresh_double.faults('{"teardown_delay_s": 0.3}')
    started = time.monotonic()
    done = launchctl("bootout", "--wait", "system/a.job")
    if not knows:
        assert (done.returncode, done.stderr) == (64, "Unrecognized target specifier.\n")
        assert launchctl("print", "system/a.job").returncode == 0
        return
    assert done.returncode == 0
    assert time.monotonic() - started > 0.25
    assert launchctl("print", "system/a.job").returncode == 113


@pytest.mark.parametrize(
    ("macos", "has", "lacks"),
    [
        ("26.5.1", ("OSLogRateLimit => 64", "resource coalition", "checked allocations"),
         ("probabilistic guard malloc",)),
        ("15.6", ("probabilistic guard malloc",), ("OSLogRateLimit", "coalition = {")),
        ("14.7", ("probabilistic guard malloc",), ("OSLogRateLimit", "coalition = {")),
    ],
)  # fmt: skip
def test_what_print_shows_depends_on_the_release(
    fresh_double: Double,
    control: Control,
    macos: str,
    has: tuple[str, ...],
    lacks: tuple[str, ...],
) -> None:
    fresh_double.macos = macos
    install(fresh_double, "Library/LaunchDaemons", "a.job")
    launchctl = control()
    launchctl.wait("system/a.job", "state", "running")
    text = launchctl.text("system/a.job")
    assert [words for words in has if words not in text] == []
    assert [words for words in lacks if words in text] == []
    store = launchctl("print-disabled", "system").stdout
    assert store.startswith("\n\tdisabled" if macos.startswith("26") else "disabled services = {")


@pytest.mark.parametrize(("verb", "code"), [("bootout", 36), ("kickstart", 5)])
def test_fault_of_a_verb_strikes_once(
    fresh_double: Double, control: Control, verb: str, code: int
) -> None:
    install(fresh_double, "Library/LaunchDaemons", "a.job", RunAtLoad=False)
    launchctl = control()
    fresh_double.faults(f'{{"fail_{verb}_once": {code}}}')
    assert launchctl(verb, "system/a.job").returncode == code
    assert launchctl(verb, "system/a.job").returncode == 0


def test_fault_a_program_that_ends_well_on_sigterm(fresh_double: Double, control: Control) -> None:
    """As upstream's server does: KeepAlive {SuccessfulExit: false} then leaves it down."""
    keys = {"KeepAlive": {"SuccessfulExit": False}, "ThrottleInterval": 1}
    install(fresh_double, "Library/LaunchDaemons", "a.job", **keys)
    launchctl = control()
    launchctl.wait("system/a.job", "state", "running")
    fresh_double.faults('{"ends_well_on_sigterm": ["a.job"]}')
    assert launchctl("kill", "TERM", "system/a.job").returncode == 0
    launchctl.wait("system/a.job", "last exit code", "0")
    assert launchctl.value("system/a.job", "state") == "not running"


def test_fault_a_sigkill_that_counts_as_jetsam_s(fresh_double: Double, control: Control) -> None:
    install(fresh_double, "Library/LaunchDaemons", "a.job", KeepAlive=True, ThrottleInterval=1)
    launchctl = control()
    launchctl.wait("system/a.job", "state", "running")
    fresh_double.faults('{"jetsam_on_sigkill": ["a.job"]}')
    assert launchctl("kill", "KILL", "system/a.job").returncode == 0
    launchctl.wait("system/a.job", "last exit reason", "OS_REASON_JETSAM")
    assert launchctl.value("system/a.job", "last jetsam exit details") == "OS_REASON_JETSAM"
    launchctl.wait("system/a.job", "state", "running")


def test_fault_slow_answers_and_slow_starts(fresh_double: Double, control: Control) -> None:
    path = str(install(fresh_double, "tmp", "a.job"))
    launchctl = control()
    fresh_double.faults('{"verb_delay_s": 0.3, "spawn_delay_s": 1.0}')
    started = time.monotonic()
    assert launchctl("bootstrap", "system", path).returncode == 0
    assert time.monotonic() - started > 0.3
    assert launchctl.value("system/a.job", "state") == "spawn scheduled"
    launchctl.wait("system/a.job", "state", "running")
    assert time.monotonic() - started > 1.0


def test_legacy_verbs(fresh_double: Double, control: Control) -> None:
    """load and unload exit 0 whatever happens (facts, section 1.2)."""
    path = str(install(fresh_double, "tmp", "a.job", ThrottleInterval=1))
    launchctl = control()
    assert launchctl("disable", "system/a.job").returncode == 0
    done = launchctl("load", path)
    assert (done.returncode, done.stderr) == (0, "Load failed: 119: Service is disabled\n")
    assert launchctl("load", "-w", path).returncode == 0
    launchctl.wait("system/a.job", "state", "running")
    assert launchctl("stop", "a.job").returncode == 0
    launchctl.wait("system/a.job", "state", "not running")
    assert launchctl("start", "a.job").returncode == 0
    launchctl.wait("system/a.job", "runs", "2")
    assert launchctl("unload", "-w", path).returncode == 0
    launchctl.wait_gone("system/a.job")
    assert '"a.job" => disabled' in launchctl("print-disabled", "system").stdout


def test_nothing_a_caller_sends_ends_launchd(fresh_double: Double, control: Control) -> None:
    launchctl = control()
    for sent in (b"", b"garbage\n", b"[]\n", b"{}\n", b'{"verb": 1}\n', b'{"verb": "print"}\n'):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(fresh_double.socket))
            connection.sendall(sent)
    assert launchctl("bootstrap", "system", "/etc/passwd/x.plist").returncode == 2
    # A store that cannot be written, as on a full disk
    (fresh_double.root / "var/db").mkdir()
    (fresh_double.root / "var/db/com.apple.xpc.launchd").write_text("in the way")
    assert launchctl("enable", "system/a.job").returncode == 5
    assert launchctl("managername").stdout == "System\n"


def test_as_pid_1_it_is_called_launchd_reaps_and_ends_strays(
    fresh_double: Double, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    script = "(setsid sleep 0.2 &) ; (setsid sleep 1000 &) ; cat /proc/1/comm; exec sleep 1000"
    keys = {"ProgramArguments": ["/bin/sh", "-c", script], "StandardOutPath": str(out)}
    install(fresh_double, "Library/LaunchDaemons", "a.parent", **keys)
    spaces = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [*spaces, *fresh_double.program("daemon"), "--root", str(fresh_double.root)]
    outer = subprocess.Popen(command, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 10
    while not (out.exists() and out.stat().st_size):
        if outer.poll() is not None:
            assert outer.stderr is not None
            pytest.skip(f"no namespaces here: {outer.stderr.read().decode()}")
        assert time.monotonic() < deadline
        time.sleep(0.02)
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
    init = int(children[0])
    time.sleep(0.5)
    states = [
        Path(f"/proc/{child}/stat").read_text().split(") ")[1][0]
        for child in Path(f"/proc/{init}/task/{init}/children").read_text().split()
    ]
    os.kill(init, signal.SIGINT)
    assert outer.wait(timeout=10) == 85
    assert out.read_text(encoding="utf-8") == "launchd\n"
    assert states and "Z" not in states
