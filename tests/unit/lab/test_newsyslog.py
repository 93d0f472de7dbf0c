"""newsyslog's double: the parser's errors, what is due when, and what a rotation does to files."""

from __future__ import annotations

import bz2
import gzip
import os
import signal
import stat
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.lab.simulated_mac import LIBRARY, NOBODY, Said, SimulatedMac

if str(LIBRARY) not in sys.path:
    sys.path.insert(0, str(LIBRARY))

from newsyslog.command import consider, parse
from newsyslog.config import read
from newsyslog.decide import worklist
from newsyslog.rotate import Rotation

NEWSYSLOG = "usr/sbin/newsyslog"
NOW = "-DTN=20261123T101500"  # a Monday
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes owners")


def _check(mac: SimulatedMac, line: str, *flags: str) -> Said:
    """Read one line the way `newsyslog -nr -f -` does."""
    return _less_the_time(mac.said(NEWSYSLOG, NOW, "-nr", *flags, "-f", "-", text=line))


def _less_the_time(said: Said) -> Said:
    """Without the first line of stderr, which is about the pretended time."""
    return Said(said.code, said.out, said.err.partition("\n")[2])


def _log(mac: SimulatedMac, name: str = "a.log", size: int = 12_000) -> Path:
    log = mac.root / "var/log" / name
    log.write_bytes(b"x" * (size - 1) + b"\n" if size else b"")
    return log


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("LOG\n", "missing field in config file:"),
        ("LOG 640 5\n", "missing field in config file:"),
        ("LOG 640 5", "malformed line (missing fields):"),
        ("LOG 640 5 10\n", "missing field in config file:"),
        ("LOG nosuchuser:staff 640 5 10 *\n", "error in config file; unknown user:"),
        ("LOG 0:nosuchgroup 640 5 10 *\n", "error in config file; unknown group:"),
        ("LOG rw-r 5 10 * N\n", "error in config file; bad permissions:"),
        ("LOG 640 many 10 *\n", "error in config file; bad value for count of logs to save:"),
        ("LOG 640 -1 10 *\n", "error in config file; bad value for count of logs to save:"),
        ("LOG 640 5 10 @T25\n", "malformed 'at' value:"),
        ("LOG 640 5 10 $X1\n", "malformed 'at' value:"),
        ("LOG 640 5 10 daily\n", "malformed interval/at:"),
        ("LOG 640 5 10 99999999999\n", "interval is too large:"),
        ("LOG 640 5 10 * J pid\n", "illegal pid file or signal number in config file:"),
        ("LOG 640 5 10 * J /p TERM\n", "illegal signal number in config file:"),
        ("LOG 640 5 10 * J /p 99\n", "illegal signal number in config file:"),
        ("LOG 640 5 10 * J 0\n", "illegal signal number in config file:"),
        (" LOG 640 5 10 * N\n", "error in config file; bad permissions:"),
    ],
)
def test_a_bad_line_ends_the_run_and_is_shown(
    studio: SimulatedMac, line: str, message: str
) -> None:
    written = line.replace("LOG", "/var/log/x")
    assert _check(studio, written) == (1, "", f"newsyslog: {message}\n{written}\n")


@pytest.mark.parametrize("letter", "RXYEPMFf")
def test_flags_of_other_systems_are_refused(studio: SimulatedMac, letter: str) -> None:
    said = _check(studio, f"/var/log/x 640 5 10 * J{letter}\n")
    assert said == (1, "", f"newsyslog: illegal flag in config file -- {letter}\n")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "# a comment\n",
        "/var/log/x 640 5 10 *\n",
        "/var/log/x 640 5 10 *",
        "/var/log/x\t501:20\t640  5 10 24 BCDGJNUWZ-\n",
        "/var/log/x 0:0 640 5 10 * N # a comment\n",
        "/var/log/x root.0 640 5 10 * N\n",
        "/var/log/x :0 640 5 10 * - /var/run/x.pid 15\n",
        "/var/log/x 640 5 10 * - 30\n",
        "/var/log/x 640 5 * $W0D23\n",
        "/var/log/x 640 5 * 12@T00\n",
    ],
)
def test_good_lines(studio: SimulatedMac, line: str) -> None:
    assert _check(studio, line) == (0, "", "")


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("/x 640 5 big * N\n", "Invalid value of 'big' for 'size' in line:"),
        ("/x 640 5 10 * NU /p.pid\n", "Ignoring '/p.pid' because flag 'n' was specified in line:"),
        ("/x 640 5 10 * U\n", "Ignoring flag 'U' in line:"),
        ("/x 640 5 10 * c\n", "Assuming 'g' for 'c' in flags for line:"),
    ],
)
def test_odd_lines_are_only_warned_about(studio: SimulatedMac, line: str, warning: str) -> None:
    said = _check(studio, line)
    assert said.code == 0
    assert said.err.startswith(f"newsyslog: {warning}\n{line}\n")


def test_it_needs_root_or_r(studio: SimulatedMac) -> None:
    if os.geteuid() == 0:
        said = studio.said(NEWSYSLOG, "-n", user=NOBODY)
        assert said == (1, "", "newsyslog: must have root privs\n")
        # at a set time: on the first of each month, from 05:00 to 06:00, wtmp is due
        said = _less_the_time(studio.said(NEWSYSLOG, NOW, "-nr", user=NOBODY))
        assert said == (0, "", "")
    said = studio.said(NEWSYSLOG, "-nrf", str(studio.root / "none"))
    assert said == (1, "", f"newsyslog: {studio.root}/none: No such file or directory\n")


@pytest.mark.parametrize(("flags", "hint"), [(("-X",), ""), (("-F", "-N"), "Only one of -F and")])
def test_a_wrong_command_line(studio: SimulatedMac, flags: tuple[str, ...], hint: str) -> None:
    said = studio.said(NEWSYSLOG, *flags)
    assert (said.code, said.out) == (1, "")
    assert hint in said.err
    assert (
        "usage: newsyslog [-CFNnrsv] [-a directory] [-d directory] [-f config-file]\n" in said.err
    )


def test_verbose_says_what_it_thinks_of_each_log(studio: SimulatedMac) -> None:
    log = _log(studio)
    lines = f"{log} 640 7 10240 * ZN\n{log}.none 640 7 10240 * JN\n{log} 640 3 * @01T05 B\n"
    assert _check(studio, lines, "-v").out.splitlines() == [
        f"{log} <7Z>: size (Kb): 12 [10240] --> skipping",
        f"{log}.none <7J>: does not exist, skipped.",
        f"{log} <3>: --> will trim at Tue Dec  1 05:00:00 2026",
    ]


def test_a_forced_dry_run_prints_the_plan_and_changes_nothing(studio: SimulatedMac) -> None:
    log = _log(studio, size=0)
    out = _check(studio, f"{log} 501:20 640 5 1000 * J\n", "-vF").out
    assert out == (
        f"{log} <5J>: size (Kb): 0 [1000] --> trimming log....\n"
        f"\trm -f {log}.5\n\trm -f {log}.5.gz\n\trm -f {log}.5.bz2\n"
        f"\tln {log} {log}.0\n\tchmod 640 {log}.0\n\tchown 501:20 {log}.0\n"
        "Start new log...\n"
        f"\tmktemp {log}.zXXXXXX\n\tchown 501:20 {log}.zXXXXXX\n\tchmod 640 {log}.zXXXXXX\n"
        f"\tmv {log}.zXXXXXX {log}\n"
        "Compress all rotated log file(s)...\n"
        f"\tbzip2 {log}.0\n\tchmod 640 {log}.0.bz2\n\tchown 501:20 {log}.0.bz2\n"
    )
    assert sorted(path.name for path in log.parent.iterdir()) == ["a.log"]


@pytest.mark.parametrize(
    ("size_and_when", "due"),
    [("12 *", True), ("13 *", False), ("* *", False), ("* $D10", True), ("* $D9", False)],
)
def test_when_a_log_is_due(studio: SimulatedMac, size_and_when: str, due: bool) -> None:
    log = _log(studio)
    out = _check(studio, f"{log} 640 5 {size_and_when} N\n").out
    assert out.startswith(f"{log} <5>: trimming\n") is due


def test_hours_count_from_the_last_archive(studio: SimulatedMac) -> None:
    log = _log(studio)
    line = f"{log} 640 5 * 24 ZN\n"
    assert _check(studio, line, "-v").out.startswith(f"{log} <5Z>:  age (hr): -1 [24] --> trimming")
    archive = log.with_name("a.log.0.gz")
    archive.touch()
    day_before = datetime(2026, 11, 22, 11, 15).timestamp()
    os.utime(archive, (day_before, day_before))
    out = _check(studio, line, "-v").out
    assert out == f"{log} <5Z>:  age (hr): 23 [24] --> skipping\n"


@as_root
def test_the_system_files_are_read_and_one_bad_line_stops_them_all(studio: SimulatedMac) -> None:
    log = _log(studio)
    folder = studio.root / "etc/newsyslog.d"
    (studio.root / "etc/newsyslog.conf").write_text(f"{log} 0:0 640 5 1 * N\n")
    (folder / "zz.conf").write_text("/var/log/y 640 5 10 * R\n")
    said = studio.said(NEWSYSLOG)
    assert said == (1, "", "newsyslog: illegal flag in config file -- R\n")
    assert not log.with_name("a.log.0").exists()
    (folder / "zz.conf").rename(folder / "zz.conf.off")
    assert studio.said(NEWSYSLOG) == (0, "", "")
    assert log.with_name("a.log.0").exists()


@as_root
def test_without_an_owner_the_new_log_is_roots_and_admins(studio: SimulatedMac) -> None:
    log = _log(studio)
    os.chown(log, 501, 20)
    assert studio.said(NEWSYSLOG, "-Ff", "-", text=f"{log} 600 3 * * N\n").code == 0
    have = log.stat()
    assert (have.st_uid, have.st_gid, stat.S_IMODE(have.st_mode)) == (0, 80, 0o600)
    archive = log.with_name("a.log.0").stat()
    assert (archive.st_uid, archive.st_gid) == (501, 80)


@as_root
def test_a_writer_that_holds_the_log_follows_the_archive(studio: SimulatedMac) -> None:
    log = _log(studio)
    with log.open("a") as held:
        assert studio.said(NEWSYSLOG, "-Ff", "-", text=f"{log} 501:20 644 3 * * N\n").code == 0
        held.write("late\n")
    assert log.with_name("a.log.0").read_text().endswith("late\n")
    lines = log.read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].endswith(": logfile turned over due to -F request")
    assert "late" not in log.read_text()
    assert (log.stat().st_uid, log.stat().st_gid) == (501, 20)


@as_root
def test_a_link_in_the_place_of_a_log_gives_away_what_it_points_to(studio: SimulatedMac) -> None:
    """macOS's link(2) follows it, so the archive is the file itself, and gets the log's owner."""
    target = studio.root / "var/db/of-root"
    target.write_text("x" * 12_000)
    log = studio.root / "var/log/a.log"
    log.symlink_to(target)
    assert studio.said(NEWSYSLOG, "-Ff", "-", text=f"{log} 501:20 644 3 * * N\n").code == 0
    assert log.with_name("a.log.0").samefile(target)
    assert not log.with_name("a.log.0").is_symlink()
    assert (target.stat().st_uid, stat.S_IMODE(target.stat().st_mode)) == (501, 0o644)
    assert not log.is_symlink()


@as_root
@pytest.mark.parametrize(("flag", "ending"), [("Z", ".gz"), ("J", ".bz2")])
def test_archives_move_down_and_the_oldest_goes(
    studio: SimulatedMac, flag: str, ending: str
) -> None:
    log = _log(studio)
    opened: Any = gzip.open if flag == "Z" else bz2.open
    for round_number in range(4):
        log.write_text(f"round {round_number}\n")
        text = f"{log} 0:0 640 2 * * {flag}NB\n"
        assert studio.said(NEWSYSLOG, "-Ff", "-", text=text) == (0, "", "")
    # newsyslog.c keeps archives 0 to count, which is one more than the manual says
    archives = [f"a.log.{number}{ending}" for number in range(3)]
    assert {path.name for path in log.parent.iterdir()} == {"a.log", *archives}
    texts = [opened(log.with_name(name), "rt").read() for name in archives]
    assert texts == ["round 3\n", "round 2\n", "round 1\n"]
    assert log.read_text() == ""


@as_root
def test_a_count_of_zero_keeps_no_archive(studio: SimulatedMac) -> None:
    log = _log(studio)
    assert studio.said(NEWSYSLOG, "-Ff", "-", text=f"{log} 0:0 640 0 * * NB\n").code == 0
    assert [path.name for path in log.parent.iterdir()] == ["a.log"]
    assert log.read_text() == ""


@as_root
def test_globs_take_files_that_no_line_names(studio: SimulatedMac) -> None:
    for name in ("one.log", "two.log", "other.txt"):
        _log(studio, name)
    folder = studio.root / "var/log"
    text = f"{folder}/one.log 0:0 640 5 9999 * N\n{folder}/*.log 0:0 640 5 1 * GN\n"
    assert studio.said(NEWSYSLOG, "-f", "-", text=text).code == 0
    archives = {path.name for path in folder.glob("*.0")}
    assert archives == {"two.log.0"}


@as_root
def test_only_named_files_and_the_default_rule(studio: SimulatedMac) -> None:
    listed, other = _log(studio, "listed.log"), _log(studio, "other.log", 80_000)
    text = f"{listed} 0:0 640 5 1 * N\n"
    said = studio.said(NEWSYSLOG, "-rvnf", "-", str(other), text=text)
    assert said.out.startswith(f"{other} <3>: size (Kb): 80 [50] --> trimming log....\n")
    assert str(listed) not in said.out


@as_root
def test_big_c_creates_what_is_missing(studio: SimulatedMac) -> None:
    log = studio.root / "var/log/new/a.log"
    text = f"{log} 501:20 640 5 1 * CN\n"
    out = studio.said(NEWSYSLOG, "-vf", "-", text=text).out
    assert out == f"{log} <5>: does not exist, skipped (no -C option).\n"
    assert studio.said(NEWSYSLOG, "-Cf", "-", text=text).code == 0
    assert log.read_text().endswith(": logfile first created\n")
    assert (log.stat().st_uid, stat.S_IMODE(log.stat().st_mode)) == (501, 0o640)


@as_root
def test_norotate_leaves_everything(studio: SimulatedMac) -> None:
    log = _log(studio)
    out = studio.said(NEWSYSLOG, "-Nvf", "-", text=f"{log} 0:0 640 5 1 * N\n").out
    assert out == f"{log} <5>: size (Kb): 12 [1] --> skipping\n"


@as_root
def test_archives_in_another_folder(studio: SimulatedMac) -> None:
    log = _log(studio)
    text = f"{log} 0:0 640 5 1 * N\n"
    assert studio.said(NEWSYSLOG, "-a", "old", "-f", "-", text=text).code == 0
    assert (log.parent / "old/a.log.0").exists()


class Turn:
    """A run inside this process, so that its ten seconds of waiting are not waited."""

    def __init__(self, conf: Path, *flags: str) -> None:
        options, names = parse([*flags, "-f", str(conf)])
        self.waits: list[float] = []
        rotation = Rotation(options, sleep=self.waits.append)
        for entry in worklist(read(options), names):
            consider(entry, options, rotation)
        rotation.finish()


@as_root
def test_the_process_is_signalled_once_for_all_its_logs(
    studio: SimulatedMac, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = _log(studio, "one.log"), _log(studio, "two.log")
    conf, pid_file = studio.root / "conf", studio.root / "var/run/x.pid"
    with subprocess.Popen(["/bin/sleep", "30"]) as process:
        pid_file.write_text(f"{process.pid}\n")
        conf.write_text(
            "".join(f"{log} 0:0 640 5 1 * Z {pid_file} 15\n" for log in (first, second))
        )
        turn = Turn(conf, "-v")
        assert process.wait(timeout=10) == -signal.SIGTERM
    assert turn.waits == [10]
    assert {path.name for path in first.parent.iterdir()} == {
        *("one.log", "one.log.0.gz", "two.log", "two.log.0.gz"),
    }
    out = capfd.readouterr().out
    assert out.count(f"Notified daemon pid {process.pid} = {pid_file}\n") == 1


@as_root
def test_a_log_is_not_compressed_while_nobody_was_told(
    studio: SimulatedMac, capfd: pytest.CaptureFixture[str]
) -> None:
    log, conf = _log(studio), studio.root / "conf"
    conf.write_text(f"{log} 0:0 640 5 1 * J {studio.root}/none.pid\n")
    Turn(conf)
    err = capfd.readouterr().err
    assert f"can't open pid file: {studio.root}/none.pid: No such file or directory\n" in err
    assert f"log {log}.0 not compressed because daemon(s) not notified\n" in err
    assert log.with_name("a.log.0").exists()


@as_root
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "pid file is empty: "),
        ("abc\n", "pid file does not start with a valid number: "),
        ("1\n", "bad value '1' for process number in "),
    ],
)
def test_bad_pid_files(
    studio: SimulatedMac, capfd: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    log, conf, pid_file = _log(studio), studio.root / "conf", studio.root / "x.pid"
    pid_file.write_text(text)
    conf.write_text(f"{log} 0:0 640 5 1 * - {pid_file}\n")
    Turn(conf)
    assert f"{message}{pid_file}\n" in capfd.readouterr().err
    assert log.with_name("a.log.0").exists()
