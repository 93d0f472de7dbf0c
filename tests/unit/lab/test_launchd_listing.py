"""print-disabled, list and the domain print, in the shapes of facts, sections 1.8 to 1.10."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.launchd import listing, overrides, plist
from lab.launchd.exits import LastExit
from lab.launchd.job import JobState

ENTRIES = {"com.apple.ftpd": True, "com.openssh.sshd": False}

P1 = """
\tdisabled services = {
\t\t"com.apple.ftpd" => disabled
\t\t"com.openssh.sshd" => enabled
\t}

\tlogin item associations = {
\t}
"""
P2 = """disabled services = {
\t"com.apple.ftpd" => disabled
\t"com.openssh.sshd" => enabled
}
login item associations = {
}
"""
P3 = """disabled services = {
\t\t"com.apple.ftpd" => disabled
\t\t"com.openssh.sshd" => enabled
\t}
login item associations = {
\t}
"""
P4 = """disabled services = {
\t"com.apple.ftpd" => true
\t"com.openssh.sshd" => false
}
"""


@pytest.mark.parametrize(
    ("macos", "expected"), [(26, P1), (15, P2), (14, P2), (13, P2), (27, P3), (12, P4), (11, P4)]
)
def test_print_disabled(macos: int, expected: str) -> None:
    assert listing.overrides(ENTRIES, macos) == expected


def worker(**keys: object) -> plist.JobDefinition:
    raw = {"Label": "a.b", "ProgramArguments": ["/opt/x", "start"], **keys}
    return plist.parse(raw)[0]


@pytest.mark.parametrize(
    ("state", "row"),
    [
        (JobState(), "-\t0\ta.b"),
        (JobState(pid=73093, last_exit=LastExit(code=0)), "73093\t0\ta.b"),
        (JobState(last_exit=LastExit(code=78)), "-\t78\ta.b"),
        (JobState(pid=501, last_exit=LastExit(signal=9)), "501\t-9\ta.b"),
    ],
)
def test_list_row(state: JobState, row: str) -> None:
    assert listing.table([(worker(), state)]) == f"PID\tStatus\tLabel\n{row}\n"


@pytest.mark.parametrize(
    ("last", "status"),
    [(LastExit(), 0), (LastExit(code=1), 256), (LastExit(code=3), 768), (LastExit(signal=15), 15)],
)
def test_list_label_shows_the_raw_wait_status(last: LastExit, status: int) -> None:
    text = listing.dictionary(worker(), JobState(last_exit=last), "System")
    assert f'\t"LastExitStatus" = {status};\n' in text
    assert '"PID"' not in text


def test_list_label_of_a_running_job() -> None:
    keys = {"KeepAlive": True, "StandardOutPath": "/o", "StandardErrorPath": "/e"}
    text = listing.dictionary(worker(**keys), JobState(pid=12345), "System")
    assert text == (
        '{\n\t"StandardOutPath" = "/o";\n\t"StandardErrorPath" = "/e";\n'
        '\t"LimitLoadToSessionType" = "System";\n\t"Label" = "a.b";\n\t"OnDemand" = false;\n'
        '\t"LastExitStatus" = 0;\n\t"PID" = 12345;\n\t"Program" = "/opt/x";\n'
        '\t"ProgramArguments" = (\n\t\t"/opt/x";\n\t\t"start";\n\t);\n};\n'
    )


def test_domain_print_lists_services_and_overrides() -> None:
    jobs = [(worker(), JobState(pid=42)), (worker(Label="c.d"), JobState())]
    text = listing.domain("gui", 501, 100020, jobs, ENTRIES, 26)
    assert text.startswith("gui/501 = {\n\ttype = login\n\thandle = 100020\n")
    assert "\tservice count = 2\n\tactive service count = 1\n" in text
    assert "\t\t      42      - \ta.b\n\t\t       0      - \tc.d\n" in text
    assert '\t\t"com.apple.ftpd" => disabled\n' in text


def test_override_store_keeps_what_others_wrote(tmp_path: Path) -> None:
    path = overrides.store(tmp_path / "new", "system", 0)
    overrides.write(path, "a", disabled=True)
    overrides.write(path, "b", disabled=False)
    overrides.write(path, "a", disabled=False)
    assert overrides.read(path) == {"a": False, "b": False}
    assert [entry.name for entry in path.parent.iterdir()] == ["disabled.plist"]


def test_user_and_gui_domain_share_a_store(tmp_path: Path) -> None:
    expected = tmp_path / "disabled.501.plist"
    assert {overrides.store(tmp_path, kind, 501) for kind in ("user", "gui")} == {expected}


@pytest.mark.parametrize("content", [None, b"", b"garbage", b"<plist><array/></plist>"])
def test_broken_store_holds_nothing(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "disabled.plist"
    if content is not None:
        path.write_bytes(content)
    assert overrides.read(path) == {}
