# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parser against what macOS 10.10 to 27 printed."""

from __future__ import annotations

import pytest

from ansible_collections.closet.inference.plugins.module_utils.launchd.printout import (
    Printout,
    parse_disabled,
    parse_domain_services,
    parse_job,
)
from tests.unit.plugins.launchd.launchd_mac import fixture

IRON = "system/org.iron-link.daemon"
WORKER = "gui/501/com.example.queue-worker"
RUNNING = "f1_daemon_running.txt"


def job(name: str, target: str = IRON) -> Printout:
    found = parse_job(fixture(name), target)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "target", "state", "running", "pid", "runs", "last_exit", "text"),
    [
        (RUNNING, IRON, "running", True, 10526, 1, None, None),
        ("f1_daemon_stopped.txt", IRON, "not running", False, None, 1, 1, "1"),
        (
            "f1_daemon_spawn_failed.txt",
            IRON,
            "spawn scheduled",
            False,
            None,
            1,
            78,
            "78: EX_CONFIG",
        ),
        (
            "f3_agent_keepalive_conditions.txt",
            WORKER,
            "running",
            True,
            3438,
            371,
            -15,
            "Terminated: 15",
        ),
        ("f4_agent_interval_idle.txt", WORKER, "not running", False, None, 7, 0, "0"),
        (
            "f5_agent_never_ran.txt",
            "gui/501/com.example.on-demand",
            "not running",
            False,
            None,
            0,
            None,
            None,
        ),
        (
            "f9_agent_launch_constraint.txt",
            WORKER,
            "not running",
            False,
            None,
            27,
            78,
            "78: EX_CONFIG",
        ),
        ("f10_daemon_crash_loop.txt", IRON, "spawn scheduled", False, None, 87, 1, "1"),
        (
            "f11_submitted_broken.txt",
            "system/com.example.cellar-daemon",
            "spawn scheduled",
            False,
            None,
            54,
            78,
            "78: EX_CONFIG",
        ),
        ("f12_yosemite.txt", "system/dev.mysql", "running", True, 812, 3, 1, "1"),
    ],
)
def test_reads_how_a_job_is(
    name: str,
    target: str,
    state: str,
    running: bool,
    pid: int | None,
    runs: int,
    last_exit: int | None,
    text: str | None,
) -> None:
    found = job(name, target)
    assert found.complete
    assert (found.state, found.running, found.pid) == (state, running, pid)
    assert (found.runs, found.last_exit, found.last_exit_text) == (runs, last_exit, text)


def test_reads_the_definition_of_a_daemon() -> None:
    found = job(RUNNING)
    assert found.path == "/Library/LaunchDaemons/org.iron-link.daemon.plist"
    assert found.arguments == ("/usr/local/bin/iron-link-daemon",)
    assert found.environment is not None
    assert found.environment["IRON_LINK_CONFIG_DIR"].endswith("Application Support/iron-link")
    assert "PATH" not in found.environment, "that is the default environment"
    assert (found.throttle, found.exit_timeout) == (10, 5)
    assert found.properties == ("keepalive", "runatload", "inferred program")


def test_reads_the_definition_of_an_agent() -> None:
    found = job("f3_agent_keepalive_conditions.txt", WORKER)
    assert found.arguments == ("/opt/example/bin/queue-worker", "--concurrency", "4")
    assert found.values["working directory"] == "/opt/example"
    assert found.throttle == 30
    assert [line.strip() for line in found.blocks["semaphores"]] == [
        "successful exit => 0",
        "after crash => 1",
    ]


def test_nested_and_longer_keys_are_not_taken_for_the_real_ones() -> None:
    found = job("f1_daemon_stopped.txt")
    assert found.state == "not running", "not the `state = active` of a coalition"
    submitted = job("f11_submitted_broken.txt", "system/com.example.cellar-daemon")
    assert submitted.state == "spawn scheduled", "not `job state`"
    assert submitted.path is None
    assert submitted.properties == ()
    never = job("f5_agent_never_ran.txt", "gui/501/com.example.on-demand")
    assert never.throttle == 10


def test_the_configured_throttle_is_read_where_the_current_one_has_grown() -> None:
    text = fixture(RUNNING).replace(
        "minimum runtime = 10", "minimum runtime = 160\n\tbase minimum runtime = 10"
    )
    found = parse_job(text, IRON)
    assert found is not None
    assert found.throttle == 10


def test_umask_is_octal() -> None:
    text = fixture(RUNNING).replace("\tminimum", "\tumask = 77\n\tminimum")
    found = parse_job(text, IRON)
    assert found is not None
    assert found.umask == 63


def test_an_argument_of_several_lines_is_one_argument_and_hides_nothing() -> None:
    script = "set -eu\nstate = lies\n\tpid = 7\nexec worker"
    text = fixture(RUNNING).replace(
        "\t\t/usr/local/bin/iron-link-daemon\n\t}", f"\t\t/bin/sh\n\t\t-c\n\t\t{script}\n\t}}"
    )
    found = parse_job(text, IRON)
    assert found is not None
    assert found.arguments == ("/bin/sh", "-c", script)
    assert (found.state, found.pid) == ("running", 10526)


def test_a_brace_in_an_argument_does_not_shift_what_comes_after() -> None:
    text = fixture(RUNNING).replace(
        "\t\t/usr/local/bin/iron-link-daemon\n\t}",
        "\t\t/bin/sh\n\t\tf() {\n\t}\n\tstate = lies\n\tpid = 7\n\t}",
    )
    found = parse_job(text, IRON)
    assert found is not None
    assert (found.state, found.pid, found.runs) == ("running", 10526, 1)


def test_a_pid_beside_not_running_is_not_believed() -> None:
    """Lines of an argument that look like what stands behind the arguments."""
    text = fixture("f1_daemon_stopped.txt").replace(
        "\t\t/usr/local/bin/iron-link-daemon\n\t}",
        "\t\t/bin/sh\n\t\tf() {\n\t}\n\tpid = 7\n\t}",
    )
    assert "\tpid = 7\n" in text
    found = parse_job(text, IRON)
    assert found is not None
    assert (found.state, found.running, found.pid) == ("not running", False, None)


def test_values_are_read_as_they_stand() -> None:
    text = fixture(RUNNING).replace(
        "\t\tSUDO_GID => 20\n",
        "\t\tEMPTY => \n\t\tBLANK => x \n\t\tBARE =>\n\t\tLINES => one\ntwo => 2\n",
    )
    found = parse_job(text, IRON)
    assert found is not None
    assert found.environment is not None
    seen = {name: found.environment.get(name) for name in ("EMPTY", "BLANK", "BARE", "LINES")}
    assert seen == {"EMPTY": "", "BLANK": "x ", "BARE": "", "LINES": "one"}
    assert "two" not in found.environment


@pytest.mark.parametrize("length", range(0, 1320, 37))
def test_truncated_output_is_unknown_and_never_absent(length: int) -> None:
    found = parse_job(fixture("f1_daemon_stopped.txt")[:length], IRON)
    if found is None:
        return
    assert not found.complete
    assert found.running is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\t", "    "),
        lambda text: "\n" + text,
        lambda text: "".join(f"\t{line}\n" if line else "\n" for line in text.splitlines()),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\tdomain = system\n", "\tdomain = system\n\tnew fact = 7\n"),
        lambda text: text.replace("\truns = 1\n\tpid = 10526\n", "\tpid = 10526\n\truns = 1\n"),
    ],
    ids=["spaces", "blank first line", "all indented", "CRLF", "unknown key", "other order"],
)
def test_tolerates_another_layout(change: object) -> None:
    assert callable(change)
    found = parse_job(change(fixture(RUNNING)), IRON)
    assert found is not None
    assert found.complete
    assert (found.state, found.pid, found.runs) == ("running", 10526, 1)
    assert found.arguments == ("/usr/local/bin/iron-link-daemon",)


@pytest.mark.parametrize("text", ["", "\n", "something else\n", "system/other = {\n}\n"])
def test_something_else_is_not_a_job(text: str) -> None:
    assert parse_job(text, IRON) is None


@pytest.mark.parametrize(
    "name",
    [
        "p1_disabled_macos26.txt",
        "p2_disabled_macos13.txt",
        "p3_disabled_macos27.txt",
        "p4_disabled_macos12.txt",
    ],
)
def test_reads_the_override_store_of_every_release(name: str) -> None:
    found = parse_disabled(fixture(name))
    assert found == {"com.apple.ftpd": True, "com.openssh.sshd": False}


@pytest.mark.parametrize(
    "text", ["", "disabled services = {\n", 'disabled services = {\n\t"a" => disabled\n', "oops"]
)
def test_an_override_store_that_ends_early_is_unknown(text: str) -> None:
    assert parse_disabled(text) is None


def test_an_empty_override_store_is_empty() -> None:
    assert parse_disabled("disabled services = {\n}\n") == {}
    assert parse_disabled("disabled services = {\n\t(no disabled services)\n}\n") == {}


def test_lists_the_labels_of_a_domain() -> None:
    assert parse_domain_services(fixture("f15_domain.txt")) == [
        "com.apple.example.login",
        "inference.closet.wired-memory",
        "inference.closet.omlx",
        "com.example.broken",
    ]
    assert parse_domain_services("gui/501 = {\n\tservices = {\n\t\t1 0 \ta\n") is None
