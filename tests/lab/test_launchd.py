"""launchd_job against a launchd that really supervises: slow, deaf, lost, cut off, refused."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.conftest import ENVIRONMENT, ROOT, as_root, lab, on, run

pytestmark = pytest.mark.usefixtures("fresh_lab")

LABEL = "inference.closet.lab-test"
TARGET = f"system/{LABEL}"
PLIST = f"/Library/LaunchDaemons/{LABEL}.plist"
LOG = "/var/log/lab-test.log"
FAULTS = "/var/db/closet-lab/launchd.json"

# $1 says what happens on SIGTERM; the log has one line for each start and each end
SERVER = """\
#!/bin/sh
trap '' HUP
echo "start $$ $*"
case $1 in
  deaf) trap '' TERM ;;
  slow) trap 'sleep "$2"; echo "end $$"; exit 0' TERM ;;
  dies) echo "no such model" >&2; exit 3 ;;
  *)    trap 'echo "end $$"; exit 0' TERM ;;
esac
while :; do sleep 0.05; done
"""


def server(*words: str, **keys: Any) -> dict[str, Any]:
    return {
        "ProgramArguments": ["/opt/lab-test/server", *words],
        "KeepAlive": {"SuccessfulExit": False, "Crashed": True},
        "ThrottleInterval": 1,
        "ExitTimeOut": 30,
        "StandardErrorPath": LOG,
        "StandardOutPath": LOG,
        **keys,
    }


def ask(module: str, *flags: str, **arguments: Any) -> dict[str, Any]:
    """Run a module on the closet by Ansible and return its result."""
    words = ("-m", f"closet.inference.{module}", "-a", json.dumps(arguments))
    as_json = ("env", "ANSIBLE_CALLBACK_RESULT_FORMAT=json")
    done = run(*as_json, "ansible", "attic", "--become", *words, *flags)
    answer = re.search(r"^attic \| (\w+)!? => (\{.*\})\s*$", done.output, re.MULTILINE | re.DOTALL)
    assert answer, done.output
    said = " ".join(done.output.split())
    result: dict[str, Any] = {**json.loads(answer[2]), "failed": done.code != 0, "said": said}
    return result


def job(*flags: str, **arguments: Any) -> dict[str, Any]:
    return ask("launchd_job", *flags, **{"label": LABEL, "settle_s": 1.0, **arguments})


def good(*flags: str, **arguments: Any) -> dict[str, Any]:
    result = job(*flags, **arguments)
    assert not result["failed"], result["msg"]
    return result


def sudo(command: str) -> str:
    """What a command prints that root runs on the closet; it has to work."""
    done = on("attic", f"sudo /bin/sh -c {shlex.quote(command)}")
    assert done.code == 0, f"{command}\n{done.output}"
    return done.output


def shown(key: str) -> str | None:
    text = on("attic", f"sudo launchctl print {TARGET}").output
    found = re.search(rf"^\t{re.escape(key)} = (.*)$", text, re.MULTILINE)
    return found[1] if found else None


def processes() -> list[str]:
    """Pids of the test's program, of whichever run."""
    done = on("attic", "pgrep -f '^/bin/sh /opt/lab-test/server'")
    return done.output.split()


@pytest.fixture(scope="module", autouse=True)
def program(fresh_lab: None) -> None:
    as_root("attic", "mkdir -p /opt/lab-test /Users/admin/Library/LaunchAgents")
    as_root("attic", f"printf %s {shlex.quote(SERVER)} > /opt/lab-test/server")
    as_root("attic", "chmod 755 /opt/lab-test/server; chown -R admin /Users/admin/Library")


@pytest.fixture(autouse=True)
def nothing_there(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins without the job, and shows what launchd and the log say when it fails."""
    as_root("attic", f"rm -f {FAULTS}")
    good(state="absent", timeout_s=60)
    sudo(f"rm -f {LOG} {LOG}.*; launchctl enable {TARGET}")
    yield
    if request.node.stash.get(FAILED, False):
        print(on("attic", f"sudo launchctl print {TARGET}; sudo tail {LOG}").output)
        print(on("attic", "sudo tail -30 /var/log/com.apple.xpc.launchd/launchd.log").output)


FAILED = pytest.StashKey[bool]()


def test_it_starts_is_left_alone_and_says_all_that_before() -> None:
    predicted = good("--check", plist=server())
    assert processes() == []
    first = good(plist=server())
    assert (predicted["changed"], predicted["steps"]) == (True, first["steps"])
    assert (first["state_after"], processes()) == ("running", [str(first["pid"])])
    again = good(plist=server())
    assert (again["changed"], again["steps"], again["pid"]) == (False, [], first["pid"])
    assert not good("--check", plist=server())["changed"]


def test_drift_is_named_and_mended() -> None:
    good(plist=server())
    sudo(
        f"sed 's/lab-test\\/server</&\\/string><string>--old</' {PLIST} > /opt/old.plist; "
        f"launchctl bootout {TARGET}; while launchctl print {TARGET} >/dev/null; do :; done; "
        "launchctl bootstrap system /opt/old.plist"
    )
    assert "--old" in on("attic", f"sudo launchctl print {TARGET}").output
    [described] = ask("launchd_job_info", label=LABEL)["jobs"]
    assert described["drift"] == ["definition"], "its file carries the stamp of another one"
    assert described["path"] == "/opt/old.plist"
    result = good(plist=server())
    assert {"path", "arguments"} <= set(result["drift"])
    assert "--old" not in on("attic", f"sudo launchctl print {TARGET}").output
    assert not good(plist=server())["changed"]


def test_what_launchd_does_not_print_is_drift_too() -> None:
    """A deferred change of a key that `print` leaves out is seen by the run that may reload."""
    good(plist=server())
    deferred = good(plist=server(LowPriorityIO=True), on_change="defer")
    assert deferred["steps"] == ["write"]
    result = good(plist=server(LowPriorityIO=True))
    assert (result["drift"], result["steps"]) == (
        ["definition"],
        ["bootout", "bootstrap", "settle"],
    )


def test_a_job_that_was_booted_out_by_hand_comes_back() -> None:
    good(plist=server())
    sudo(f"launchctl bootout {TARGET}")
    result = good(plist=server())
    assert (result["drift"], result["state_after"]) == (["loaded"], "running")


def test_a_reload_waits_for_a_drain_of_20_s() -> None:
    first = good(plist=server("slow", "20"))
    began = time.monotonic()
    result = good(plist=server("slow", "0.1"))
    assert time.monotonic() - began > 20
    assert "WARNING" not in result["said"]
    assert processes() == [str(result["pid"])]
    lines = sudo(f"cat {LOG}").splitlines()
    assert lines[1] == f"end {first['pid']}", "it had the time that it took"
    assert lines[2].startswith(f"start {result['pid']} ")


def test_one_that_dies_at_start_is_an_error_with_its_last_words() -> None:
    result = job(plist=server("dies"))
    assert result["failed"]
    assert "last exit: 3" in result["msg"]
    assert re.search(r"runs: \d+", result["msg"])
    assert "no such model" in result["msg"]
    assert f"launchctl print {TARGET}" in result["msg"]


def test_a_slow_crash_loop_is_an_error_though_it_is_alive_when_looked_at() -> None:
    good(plist=server())
    for _ in range(2):
        pid = shown("pid")
        sudo(f"kill -9 {pid}")
        deadline = time.monotonic() + 20
        while shown("pid") in (pid, None):
            assert time.monotonic() < deadline
    result = good(plist=server())
    assert (result["changed"], result["steps"]) == (False, ["settle"])
    assert "may be crashing: launchd has started it 3 times" in result["said"]


def test_one_that_ignores_sigterm_is_gone_all_the_same() -> None:
    good(plist=server("deaf", ExitTimeOut=3))
    result = good(plist=server("deaf", ExitTimeOut=3), state="stopped")
    assert result["state_after"] == "absent"
    assert processes() == []
    assert "did not end within its exit timeout of 3 s" in result["said"]


def test_restarted_is_one_new_process() -> None:
    first = good(plist=server())
    result = good(plist=server(), state="restarted")
    assert result["pid"] != first["pid"]
    assert processes() == [str(result["pid"])]


def test_one_that_ends_well_when_told_to_is_started_again_by_the_next_run() -> None:
    """launchd leaves it down, by KeepAlive {SuccessfulExit: false}; the owner wants it up."""
    good(plist=server())
    sudo(f"launchctl kill TERM {TARGET}")
    deadline = time.monotonic() + 10
    while shown("state") != "not running":
        assert time.monotonic() < deadline
    assert good(plist=server())["steps"] == ["kickstart", "settle"]


def test_a_plist_of_the_wrong_owner_is_made_right_without_a_restart() -> None:
    first = good(plist=server())
    sudo(f"chown admin {PLIST}; chmod 666 {PLIST}")
    result = good(plist=server())
    assert result["drift"] == ["file_owner", "file_mode"]
    assert result["pid"] == first["pid"]
    assert sudo(f"stat -c '%U %a' {PLIST}").strip() == "root 644"


def test_somebody_else_s_plist_that_launchd_would_refuse_is_refused_before() -> None:
    good(plist=server(), state="stopped")
    sudo(f"chown admin {PLIST}")
    assert f"`sudo chown 0:0 {PLIST} && sudo chmod 0644 {PLIST}`" in job()["msg"]
    sudo(f"chown root {PLIST}; xattr -w com.apple.quarantine '0083;0;Safari;' {PLIST}")
    assert f"sudo xattr -d com.apple.quarantine {PLIST}" in job()["msg"]
    assert "shutdown" not in sudo("tail -3 /var/log/com.apple.xpc.launchd/launchd.log")
    assert good(plist=server())["drift"] == ["file_quarantine", "loaded"]
    assert good(state="stopped")["state_after"] == "absent", "and without owning it"
    assert good()["state_after"] == "running"


def test_a_label_that_was_disabled_before_is_enabled_and_runs() -> None:
    sudo(f"launchctl disable {TARGET}")
    result = good(plist=server())
    assert result["steps"] == ["write", "enable", "bootstrap", "settle"]
    assert f'"{LABEL}" => enabled' in sudo("launchctl print-disabled system")


def test_a_definition_that_cannot_be_loaded_is_taken_back() -> None:
    first = good(plist=server())
    as_root("attic", f"echo '{{\"fail_bootstrap_once\": 109}}' > {FAULTS}")
    result = job(plist=server("--new"))
    assert "109 (Invalid property list)" in result["msg"]
    assert "The previous job is loaded again." in result["msg"]
    assert result["state_after"] == "running"
    assert "--new" not in sudo(f"cat {PLIST}; launchctl print {TARGET}")
    assert processes() not in ([], [str(first["pid"])])
    assert not good(plist=server())["changed"]


@pytest.mark.parametrize(
    "faults",
    [
        {"teardown_delay_s": 3, "drop_early_bootstrap": True},
        {"teardown_delay_s": 3, "bootstrap_busy_code": 37, "verb_delay_s": 0.2},
        {"stale_definition_once": LABEL},
        {"bootout_in_progress": True},
    ],
    ids=lambda faults: ",".join(faults),
)
def test_a_launchd_that_is_slow_or_forgetful_is_brought_to_run_the_new_one(
    faults: dict[str, Any],
) -> None:
    good(plist=server())
    as_root("attic", f"echo '{json.dumps(faults)}' > {FAULTS}")
    good(plist=server("--new"))
    assert "--new" in sudo(f"launchctl print {TARGET}")
    assert len(processes()) == 1


def test_the_power_fails_between_bootout_and_bootstrap() -> None:
    good(plist=server("slow", "20"))
    arguments = json.dumps({"label": LABEL, "plist": server("--new"), "settle_s": 1.0})
    with subprocess.Popen(
        ["ansible", "attic", "-b", "-m", "closet.inference.launchd_job", "-a", arguments],
        cwd=ROOT,
        # so that it notices a Mac that went silent, though it is back at once
        env={**ENVIRONMENT, "ANSIBLE_SSH_ARGS": "-oControlPath=none -oServerAliveInterval=1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as cut_off:
        deadline = time.monotonic() + 60
        while shown("state") != "SIGTERMed":
            assert time.monotonic() < deadline
        lab("power-cut", "attic")
        cut_off.communicate(timeout=120)
    result = good(plist=server("--new"))
    assert result["state_after"] == "running"
    assert "--new" in sudo(f"launchctl print {TARGET}")
    assert len(processes()) == 1
    assert not good(plist=server("--new"))["changed"]


def test_twenty_changes_in_a_row_lose_no_job() -> None:
    """One play, a change with each task; a run on the heels of the other is what loses jobs."""
    tasks = [
        {
            "closet.inference.launchd_job": {
                "label": LABEL,
                "plist": server(str(number)),
                "settle_s": 0.2,
            },
            "become": True,
        }
        for number in range(20)
    ]
    play = [{"hosts": "attic", "gather_facts": False, "tasks": tasks}]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as book:
        json.dump(play, book)
        book.flush()
        done = run("ansible-playbook", book.name)
    assert done.code == 0, done.output
    assert done.changed()["attic"] == 20
    starts = re.findall(r"^start \d+ (\d+)$", sudo(f"cat {LOG}"), re.MULTILINE)
    assert starts == [str(number) for number in range(20)]
    assert len(processes()) == 1


def test_many_jobs_in_one_call_and_a_bad_one_among_them() -> None:
    jobs = [
        {"label": f"{LABEL}.{name}", "plist": plist, "settle_s": 0.5}
        for name, plist in (
            ("a", server()),
            ("b", server("dies")),
            ("c", {"Programm": "/bin/ls"}),
            ("d", server()),
        )
    ]
    result = ask("launchd_job", jobs=jobs)
    assert result["msg"].startswith("2 of 4 jobs failed")
    assert [bool(each.get("failed")) for each in result["jobs"]] == [False, True, True, False]
    described = ask("launchd_job_info", label_prefix=f"{LABEL}.")["jobs"]
    assert [each["label"][-1] for each in described] == ["a", "b", "d"]
    gone = [{"label": each["label"], "state": "absent"} for each in jobs]
    assert not ask("launchd_job", jobs=gone)["failed"]
    assert processes() == []


def test_a_job_of_the_screen_needs_somebody_at_it() -> None:
    plist = server(StandardErrorPath="/tmp/agent.log", StandardOutPath="/tmp/agent.log")
    refused = job(plist=plist, domain="gui/admin")
    assert "Use domain 'system' with UserName" in refused["msg"]
    as_root("attic", f"echo '{{\"gui_sessions\": [501]}}' > {FAULTS}")
    result = good(plist=plist, domain="gui/admin")
    assert (result["domain"], result["state_after"]) == ("gui/501", "running")
    assert sudo(f"stat -c %U {result['path']}").strip() == "admin"
    assert sudo(f"ps -o user= -p {result['pid']}").strip() == "admin"
    good(domain="gui/admin", state="absent")


def test_a_date_of_yaml_is_a_date_of_the_plist() -> None:
    play = f"""
- hosts: attic
  gather_facts: false
  tasks:
    - closet.inference.launchd_job:
        label: {LABEL}
        state: loaded
        plist:
          Program: /opt/lab-test/server
          LaunchEvents: {{com.example: {{a: {{Since: 2026-11-24 10:00:00}}}}}}
      become: true
"""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as book:
        book.write(play)
        book.flush()
        first, second = run("ansible-playbook", book.name), run("ansible-playbook", book.name)
    assert (first.code, first.changed()) == (0, {"attic": 1}), first.output
    assert second.changed() == {"attic": 0}, second.output
    assert "<date>2026-11-24T10:00:00Z</date>" in sudo(f"cat {PLIST}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"label": ""}, "a job needs a label"),
        ({"label": "system/a"}, "contains a slash"),
        ({"plist": {"Label": "b", "Program": "/bin/ls"}}, "the plist says Label 'b'"),
        ({"plist": {"ProgramArguments": ["server"]}}, "is not an absolute path"),
        ({"plist": server(ExitTimeout=60)}, "did you mean 'ExitTimeOut'?"),
        ({"plist": {"Program": "/opt/none"}}, "its program /opt/none does not exist"),
        (
            {"plist": server(UserName="admin", StandardOutPath="/etc/passwd")},
            "the user 'admin' cannot write StandardOutPath",
        ),
        ({"plist": server(UserName="nobody-here")}, "the user 'nobody-here' that the job runs as"),
        ({}, f"there is no {PLIST}, and no `plist` is given"),
        ({"path": "/etc/passwd"}, "/etc/passwd is not a property list"),
    ],
    ids=str,
)
def test_bad_input_has_its_own_sentence_and_touches_nothing(
    arguments: dict[str, Any], said: str
) -> None:
    before = sudo("launchctl list; ls -la /Library/LaunchDaemons")
    result = job(**arguments)
    assert result["failed"]
    assert said in result["msg"]
    assert not result["changed"]
    assert sudo("launchctl list; ls -la /Library/LaunchDaemons") == before
