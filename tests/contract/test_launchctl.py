"""What launchctl answers: exit codes and words (facts/macos.md, section 1)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.harness import NOBODY, Launchctl

NO_SCREEN = 4242  # a uid that owns no GUI session anywhere
SLEEP = ("/bin/sleep", "1000")
PLIST_HEAD = b'<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict>'


# -- print and targets ---------------------------------------------------------------------------


@pytest.mark.source("1.4", "2+")
def test_unknown_service_is_113(launchctl: Launchctl) -> None:
    done = launchctl("print", "system/inference.closet.contract.none")
    assert done.returncode == 113
    assert done.stdout == ""
    words = 'Could not find service "inference.closet.contract.none" in domain for system\n'
    assert done.stderr.removeprefix("Bad request.\n") == words


@pytest.mark.source("1.4", "2+")
def test_gui_domain_of_nobody_is_112(launchctl: Launchctl) -> None:
    done = launchctl("print", f"gui/{NO_SCREEN}")
    assert done.returncode == 112
    words = f"Could not find domain for user gui: {NO_SCREEN}\n"
    assert done.stderr.removeprefix("Bad request.\n") == words


@pytest.mark.source("1.4", "2+")
@pytest.mark.parametrize(
    "words",
    [("print", "nonsense"), ("bootstrap", "/x.plist"), ("kickstart", "a.b"), ("enable", "system")],
)
def test_word_that_is_no_target_is_64(launchctl: Launchctl, words: tuple[str, ...]) -> None:
    done = launchctl(*words)
    assert done.returncode == 64
    assert done.stderr.startswith("Unrecognized target specifier.")


@pytest.mark.source("1.7", "2+")
def test_print_of_a_running_job(launchctl: Launchctl) -> None:
    target = launchctl.load("running", *SLEEP, RunAtLoad=True, KeepAlive=True)
    launchctl.wait(target, "state", "running")
    text = launchctl.text(target)
    assert text.startswith(f"{target} = {{\n\tactive count = 1\n\tpath = ")
    assert "\tprogram = /bin/sleep\n\targuments = {\n\t\t/bin/sleep\n\t\t1000\n\t}\n" in text
    assert launchctl.value(target, "runs") == "1"
    assert launchctl.value(target, "exit timeout") == "2"
    assert launchctl.value(target, "last exit code") == "(never exited)"
    assert "keepalive | runatload | inferred program" in text
    os.kill(int(launchctl.value(target, "pid") or 0), 0)


@pytest.mark.source("1.7", "1; blanks inferred from the format strings")
def test_print_keeps_blanks_and_empty_values(launchctl: Launchctl) -> None:
    keys = {"EnvironmentVariables": {"EMPTY": "", "BLANK": "x "}}
    text = launchctl.text(launchctl.load("blanks", *SLEEP, "", "y ", **keys))
    assert "\t\tEMPTY => \n" in text
    assert "\t\tBLANK => x \n" in text
    assert "\targuments = {\n\t\t/bin/sleep\n\t\t1000\n\t\t\n\t\ty \n\t}\n" in text


@pytest.mark.source("1.7", "2+")
def test_print_of_an_idle_job_has_no_pid(launchctl: Launchctl) -> None:
    target = launchctl.load("idle", *SLEEP)
    assert launchctl.value(target, "state") == "not running"
    assert launchctl.value(target, "runs") == "0"
    assert launchctl.value(target, "pid") is None


@pytest.mark.source("2", "2+")
def test_defaults_are_printed(launchctl: Launchctl) -> None:
    """ThrottleInterval 10, ExitTimeOut 5 (not 20)."""
    path = launchctl.plist("defaults", *SLEEP)
    path.write_bytes(re.sub(rb"(?s)<key>(ExitT|Throttle).*?</integer>", b"", path.read_bytes()))
    assert launchctl("bootstrap", "system", str(path)).returncode == 0
    target = f"system/{launchctl.label('defaults')}"
    assert launchctl.value(target, "minimum runtime") == "10"
    assert launchctl.value(target, "exit timeout") == "5"


# -- bootstrap -----------------------------------------------------------------------------------


@pytest.mark.source("1.4", "2+ for 5; 37 and 17 on other releases")
def test_second_bootstrap_is_refused(launchctl: Launchctl) -> None:
    launchctl.load("twice", *SLEEP)
    done = launchctl("bootstrap", "system", str(launchctl.plist("twice", *SLEEP)))
    assert done.returncode in (5, 37, 17)
    if done.returncode == 5:
        assert done.stderr == (
            "Bootstrap failed: 5: Input/output error\n"
            "Try re-running the command as root for richer errors.\n"
        )


@pytest.mark.source("1.4, 1.6", "2+")
def test_disabled_service_is_119_until_enabled(launchctl: Launchctl) -> None:
    path = launchctl.plist("disabled", *SLEEP)
    target = f"system/{launchctl.label('disabled')}"
    assert launchctl("disable", target).returncode == 0
    done = launchctl("bootstrap", "system", str(path))
    assert (done.returncode, done.stderr) == (119, "Bootstrap failed: 119: Service is disabled\n")
    assert launchctl("enable", target).returncode == 0
    assert launchctl("bootstrap", "system", str(path)).returncode == 0


@pytest.mark.source("1.6", "2+")
def test_override_is_listed_and_stops_nothing(launchctl: Launchctl) -> None:
    target = launchctl.load("override", *SLEEP, RunAtLoad=True)
    label = launchctl.label("override")
    launchctl.wait(target, "state", "running")
    for verb, word in (("disable", "(disabled|true)"), ("enable", "(enabled|false)")):
        assert launchctl(verb, target).returncode == 0
        assert re.search(f'"{label}" => {word}', launchctl("print-disabled", "system").stdout)
    assert launchctl.value(target, "state") == "running"


@pytest.mark.source("1.4", "2+")
@pytest.mark.parametrize(("mode", "owner"), [(0o666, 0), (0o664, 0), (0o644, NOBODY)])
def test_plist_of_wrong_owner_or_mode_is_122(launchctl: Launchctl, mode: int, owner: int) -> None:
    path = launchctl.plist("owner", *SLEEP)
    path.chmod(mode)
    os.chown(path, owner, 0)
    done = launchctl("bootstrap", "system", str(path))
    assert done.returncode == 122
    assert done.stderr == "Bootstrap failed: 122: Path had bad ownership/permissions\n"


@pytest.mark.source("1.4, 13", "1, inferred for root")
@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (b"garbage", (5, 109)),
        (b"<plist><dict><key>Label</key><string>x</string></dict></plist>", (5, 111)),
        (b"<plist><dict/></plist>", (5, 109, 110)),
        (None, (2, 5)),
    ],
)
def test_invalid_plist(launchctl: Launchctl, content: Any, codes: tuple[int, ...]) -> None:
    path = launchctl.plist("invalid", *SLEEP)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    done = launchctl("bootstrap", "system", str(path))
    assert done.returncode in codes
    assert done.stderr.startswith(f"Bootstrap failed: {done.returncode}: ")


@pytest.mark.source("1.4", "2+")
def test_bootstrap_into_a_gui_domain_that_nobody_has_is_125(launchctl: Launchctl) -> None:
    path = launchctl.plist("gui", *SLEEP)
    done = launchctl("bootstrap", f"gui/{NO_SCREEN}", str(path))
    assert done.returncode == 125
    words = "Bootstrap failed: 125: Domain does not support specified action\n"
    assert done.stderr == words


# -- bootout -------------------------------------------------------------------------------------


@pytest.mark.source("1.5", "2+, measured")
def test_bootout_answers_before_the_process_is_gone(launchctl: Launchctl) -> None:
    # it ends when the test lets it: three commands may take longer than any sleep
    held = launchctl.folder / "held"
    held.touch()
    script = (
        f"trap 'while [ -e \"{held}\" ]; do sleep 0.05; done; exit 0' TERM; "
        "echo; while :; do sleep 0.05; done"
    )
    out = launchctl.folder / "ready"
    keys = {"StandardOutPath": str(out), "RunAtLoad": True, "ExitTimeOut": 60}
    target = launchctl.load("slow", "/bin/sh", "-c", script, **keys)
    while not (out.exists() and out.stat().st_size):
        time.sleep(0.02)
    pid = int(launchctl.value(target, "pid") or 0)
    assert launchctl("bootout", target).returncode in (0, 36)
    assert launchctl("print", target).returncode == 0
    os.kill(pid, 0)
    path = str(launchctl.folder / f"{launchctl.label('slow')}.plist")
    assert launchctl("bootstrap", "system", path).returncode in (5, 37)
    held.unlink()
    launchctl.wait_gone(target)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert launchctl("bootstrap", "system", path).returncode == 0


@pytest.mark.source("1.4", "2+, 3 measured on 26.5.1")
def test_bootout_of_what_is_not_loaded(launchctl: Launchctl) -> None:
    done = launchctl("bootout", "system/inference.closet.contract.none")
    assert done.returncode in (3, 113)
    if done.returncode == 3:
        assert done.stderr == "Boot-out failed: 3: No such process\n"


@pytest.mark.source("1.1", "MAN")
def test_bootout_by_path(launchctl: Launchctl) -> None:
    target = launchctl.load("path", *SLEEP, RunAtLoad=True)
    path = launchctl.folder / f"{launchctl.label('path')}.plist"
    assert launchctl("bootout", "system", str(path)).returncode == 0
    launchctl.wait_gone(target)


# -- kickstart, kill, blame ----------------------------------------------------------------------


@pytest.mark.source("1.4", "2+")
def test_kickstart_of_a_running_job_is_37_without_a_word(launchctl: Launchctl) -> None:
    target = launchctl.load("again", *SLEEP, RunAtLoad=True)
    launchctl.wait(target, "state", "running")
    done = launchctl("kickstart", target)
    assert (done.returncode, done.stdout, done.stderr) == (37, "", "")


@pytest.mark.source("1.4, 1.7", "2+")
def test_kickstart_kill_gives_a_new_process(launchctl: Launchctl) -> None:
    target = launchctl.load("kick", *SLEEP, RunAtLoad=True)
    launchctl.wait(target, "state", "running")
    before = launchctl.value(target, "pid")
    done = launchctl("kickstart", "-k", "-p", target)
    assert done.returncode == 0
    assert re.fullmatch(r"\d+\n", done.stdout)
    assert done.stdout.strip() != before
    launchctl.wait(target, "runs", "2")
    assert launchctl("blame", target).stdout == "non-ipc demand\n"


@pytest.mark.source("2", "2+")
def test_kickstart_does_not_read_the_plist_again(launchctl: Launchctl) -> None:
    target = launchctl.load("stale", *SLEEP, RunAtLoad=True)
    launchctl.wait(target, "state", "running")
    launchctl.plist("stale", "/bin/sleep", "2000", RunAtLoad=True)
    assert launchctl("kickstart", "-k", target).returncode == 0
    launchctl.wait(target, "runs", "2")
    assert "\t\t1000\n" in launchctl.text(target)


@pytest.mark.source("1.4", "2+")
def test_kickstart_of_an_unknown_service_is_113(launchctl: Launchctl) -> None:
    done = launchctl("kickstart", "system/inference.closet.contract.none")
    assert done.returncode == 113
    words = 'Could not find service "inference.closet.contract.none" in domain for system\n'
    assert done.stderr == words


@pytest.mark.source("1.2, 1.4", "PROC")
def test_kill(launchctl: Launchctl) -> None:
    target = launchctl.load("kill", *SLEEP, RunAtLoad=True)
    launchctl.wait(target, "state", "running")
    assert launchctl("kill", "SIGTERM", target).returncode == 0
    launchctl.wait(target, "last terminating signal", "Terminated: 15")
    done = launchctl("kill", "TERM", target)
    assert (done.returncode, done.stderr) == (3, "No process to signal.\n")


# -- list, error, managername --------------------------------------------------------------------


@pytest.mark.source("1.10", "2+")
def test_list(launchctl: Launchctl) -> None:
    launchctl.load("listed", "/bin/sh", "-c", "exit 3", RunAtLoad=True)
    label = launchctl.label("listed")
    launchctl.wait(f"system/{label}", "last exit code", "3")
    table = launchctl("list").stdout.splitlines()
    assert table[0] == "PID\tStatus\tLabel"
    assert f"-\t3\t{label}" in table
    text = launchctl("list", label).stdout
    assert text.startswith("{\n")
    assert text.endswith("};\n")
    assert f'\t"Label" = "{label}";\n' in text
    assert '\t"LastExitStatus" = 768;\n' in text


@pytest.mark.source("1.4", "2+")
def test_list_of_an_unknown_label_is_113(launchctl: Launchctl) -> None:
    done = launchctl("list", "inference.closet.contract.none")
    assert done.returncode == 113
    words = 'Could not find service "inference.closet.contract.none" in domain for port\n'
    assert done.stderr == words


@pytest.mark.source("1.3", "2+")
@pytest.mark.parametrize(
    ("code", "words"),
    [
        (5, "Input/output error"),
        (113, "Could not find specified service"),
        (119, "Service is disabled"),
        (122, "Path had bad ownership/permissions"),
    ],
)
def test_error(launchctl: Launchctl, code: int, words: str) -> None:
    done = launchctl("error", str(code))
    assert (done.returncode, done.stdout) == (0, f"{code}: {words}\n")


# -- callers who are not root --------------------------------------------------------------------


@pytest.mark.source("1.4", "2+ for kickstart and disable, 1+inferred for bootstrap")
def test_a_user_may_look_at_the_system_domain_but_not_change_it(launchctl: Launchctl) -> None:
    target = launchctl.load("user", *SLEEP)
    path = str(launchctl.plist("user2", *SLEEP))
    label = launchctl.label("user")
    assert launchctl("print", target, uid=NOBODY).returncode == 0
    assert launchctl("bootstrap", "system", path, uid=NOBODY).returncode in (1, 5)
    assert launchctl("bootout", target, uid=NOBODY).returncode != 0
    done = launchctl("kickstart", target, uid=NOBODY)
    words = f'Could not kickstart service "{label}": 1: Operation not permitted\n'
    assert (done.returncode, done.stderr) == (1, words)
    done = launchctl("disable", target, uid=NOBODY)
    words = "Could not disable service: 1: Operation not permitted\n"
    assert (done.returncode, done.stderr) == (1, words)
    assert launchctl.value(target, "runs") == "0"


@pytest.mark.source("1.4", "1")
def test_a_user_may_not_look_into_the_screen_of_another(launchctl: Launchctl) -> None:
    done = launchctl("print", f"gui/{NO_SCREEN}", uid=NOBODY)
    words = "Could not print domain: 1: Operation not permitted\n"
    assert (done.returncode, done.stderr) == (1, words)


# -- what only a Mac can settle (facts, section 13) ----------------------------------------------

Note = Callable[[str, str], None]


@pytest.mark.source("13", "open")
@pytest.mark.only_mac("which releases know --wait is reported, not measured; see test_double.py")
def test_bootout_wait(launchctl: Launchctl, settled: Note) -> None:
    target = launchctl.load("wait", *SLEEP, RunAtLoad=True)
    done = launchctl("bootout", "--wait", target)
    settled("bootout --wait", f"{done.returncode} {done.stderr.strip()!r}")
    assert done.returncode in (0, 64)
    if done.returncode == 0:
        assert launchctl("print", target).returncode == 113


@pytest.mark.source("13", "open")
@pytest.mark.only_mac("whether kickstart -k waits for the throttle is not known; the double does")
def test_kickstart_kill_and_the_throttle(launchctl: Launchctl, settled: Note) -> None:
    target = launchctl.load("throttle", *SLEEP, RunAtLoad=True, ThrottleInterval=3)
    launchctl.wait(target, "state", "running")
    started = time.monotonic()
    assert launchctl("kickstart", "-k", target).returncode == 0
    launchctl.wait(target, "runs", "2")
    took = time.monotonic() - started
    settled("kickstart -k of a young job, ThrottleInterval 3", f"a new process after {took:.1f} s")
    assert took < 5


@pytest.mark.source("1.4, 13", "open")
@pytest.mark.only_mac("numbers and words for a broken or missing plist as root are inferred")
@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("no property list", b"garbage"),
        ("a property list without a program", PLIST_HEAD + b"<key>Label</key><string>x</string>"),
        ("a property list without a label", PLIST_HEAD),
        ("a plist that is not there", None),
    ],
)
def test_bootstrap_of_a_broken_plist(
    launchctl: Launchctl, settled: Note, what: str, content: bytes | None
) -> None:
    path = launchctl.plist("broken", *SLEEP)
    path.unlink()
    if content is not None:
        path.write_bytes(content + (b"</dict></plist>" if b"<dict>" in content else b""))
        path.chmod(0o644)
    done = launchctl("bootstrap", "system", str(path))
    settled(f"bootstrap of {what}, as root", f"{done.returncode} {done.stderr.strip()!r}")
    assert done.returncode in (2, 5, 109, 110, 111)


@pytest.mark.source("1.4, 13", "open")
@pytest.mark.only_mac("5, 17 or 37 for a label that is loaded, as root, differs between reports")
def test_bootstrap_of_a_loaded_label(launchctl: Launchctl, settled: Note) -> None:
    launchctl.load("loaded", *SLEEP)
    path = launchctl.plist("loaded", *SLEEP)
    same = launchctl("bootstrap", "system", str(path))
    settled("bootstrap of a loaded label, as root", f"{same.returncode} {same.stderr.strip()!r}")
    other = path.with_name("other.plist")
    other.write_bytes(path.read_bytes())
    other.chmod(0o644)
    done = launchctl("bootstrap", "system", str(other))
    settled("the same from another path", f"{done.returncode} {done.stderr.strip()!r}")
    assert same.returncode in (5, 17, 37)
    assert done.returncode in (5, 17, 37)
    assert launchctl.value(launchctl.target("loaded"), "path") == str(path)


@pytest.mark.source("2, 13", "open")
@pytest.mark.only_mac("who opens StandardOutPath is inferred; the double lets the job's user do it")
def test_who_opens_the_log(launchctl: Launchctl, settled: Note) -> None:
    folder = launchctl.folder / "closed"
    folder.mkdir(mode=0o755)
    log = folder / "log"
    keys = {"UserName": "nobody", "StandardOutPath": str(log), "RunAtLoad": True}
    target = launchctl.load("opener", *SLEEP, **keys)
    deadline = time.monotonic() + 10
    while launchctl.value(target, "runs") == "0" and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    owner = log.stat().st_uid if log.exists() else None
    last = launchctl.value(target, "last exit code")
    settled(
        "log of a UserName job in a folder of root",
        f"owner {owner}, pid {launchctl.value(target, 'pid')}, last exit code {last}",
    )
    assert (owner is None) == (last == "78: EX_CONFIG")


@pytest.mark.source("1.4", "open: no transcript")
@pytest.mark.only_mac("kickstart of a job that is leaving has no transcript; the double says 36")
def test_kickstart_of_a_leaving_job(launchctl: Launchctl, settled: Note) -> None:
    script = "trap '' TERM; while :; do sleep 0.05; done"
    target = launchctl.load("leaving", "/bin/sh", "-c", script, RunAtLoad=True)
    launchctl.wait(target, "state", "running")
    time.sleep(0.3)
    assert launchctl("bootout", target).returncode in (0, 36)
    settled("state of a job that is booted out", str(launchctl.value(target, "state")))
    done = launchctl("kickstart", target)
    settled("kickstart of it", f"{done.returncode} {done.stderr.strip()!r}")
    assert done.returncode != 0
