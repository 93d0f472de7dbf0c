# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One named test for each bug that others had with launchd, with where it was reported."""

from __future__ import annotations

import plistlib
from pathlib import Path

import pytest

from tests.unit.plugins.launchd.fake_launchd import Killed, Program, Quirks
from tests.unit.plugins.launchd.launchd_mac import LABEL, Mac

TARGET = f"system/{LABEL}"


# --- community.general.launchd (reproduced by running it) ----------------------------------------


def test_cg_1_enabled_alone_changes_the_override_and_no_plist(mac: Mac) -> None:
    mac.job(plist=mac.server())
    before = mac.path.read_bytes()
    result = mac.job(enabled=False)
    assert result["steps"] == ["disable"]
    assert mac.path.read_bytes() == before


def test_cg_2_check_mode_reports_no_change_where_there_is_none(mac: Mac) -> None:
    mac.job(plist=mac.server())
    assert not mac.job(check=True, plist=mac.server())["changed"]
    assert not mac.job(check=True)["changed"]


def test_cg_3_check_mode_reports_a_change_of_enabled_alone(mac: Mac) -> None:
    mac.job(plist=mac.server())
    predicted = mac.job(check=True, plist=mac.server(), enabled=False)
    assert (predicted["changed"], predicted["drift"]) == (True, ["override"])
    assert mac.launchd.disabled == {}


def test_cg_4_a_running_job_whose_previous_exit_failed_is_left_alone(mac: Mac) -> None:
    mac.job(plist=mac.server())
    mac.launchd.jobs[TARGET].last = "1"
    result = mac.job(plist=mac.server())
    assert (result["changed"], result["last_exit"]) == (False, 1)


def test_cg_5_stopping_keeps_a_keepalive_dictionary(mac: Mac) -> None:
    mac.job(plist=mac.server())
    mac.job(plist=mac.server(), state="stopped")
    assert plistlib.loads(mac.path.read_bytes())["KeepAlive"] == {
        "SuccessfulExit": False,
        "Crashed": True,
    }


def test_cg_6_a_path_with_a_space_works(mac: Mac) -> None:
    path = mac.folder / "with space" / f"{LABEL}.plist"
    path.parent.mkdir()
    result = mac.job(plist=mac.server(), path=str(path))
    assert result["state_after"] == "running"
    assert ("bootstrap", "system", str(path)) in mac.launchd.calls


def test_cg_7_the_plist_is_named_by_domain_and_label_never_searched() -> None:
    from ansible_collections.closet.inference.plugins.module_utils.launchd.job import want_from

    assert want_from({"label": "a.b"}).path == "/Library/LaunchDaemons/a.b.plist"
    home = f"{Path('~root').expanduser()}/Library/LaunchAgents/a.b.plist"
    assert want_from({"label": "a.b", "domain": "gui/root"}).path == home


def test_cg_8_restarted_is_changed_and_has_another_pid(mac: Mac) -> None:
    first = mac.job(plist=mac.server())
    mac.launchd.advance(60)
    result = mac.job(plist=mac.server(), state="restarted")
    assert result["changed"]
    assert result["pid"] not in (None, first["pid"])
    assert mac.job(check=True, plist=mac.server(), state="restarted")["changed"]


def test_cg_9_started_notices_that_launchd_runs_something_else_than_the_file(mac: Mac) -> None:
    mac.job(plist=mac.server())
    mac.launchd.jobs[TARGET].definition["ProgramArguments"][1] = "old"
    result = mac.job(plist=mac.server())
    assert result["drift"] == ["arguments"]
    assert mac.launchd.jobs[TARGET].definition["ProgramArguments"][1] == "serve"


def test_cg_10_a_label_that_nobody_knows_is_said_so(mac: Mac) -> None:
    result = mac.job()
    assert f"there is no {mac.path}, and no `plist` is given" in result["msg"]


def test_cg_11_and_12_legacy_verbs_are_never_used(mac: Mac) -> None:
    used = set()
    for state in ("started", "restarted", "stopped", "loaded", "absent"):
        mac.job(plist=mac.server(), state=state, timeout_s=60)
        used |= set(mac.launchd.verbs())
    assert used <= {
        "print",
        "print-disabled",
        "bootstrap",
        "bootout",
        "kickstart",
        "kill",
        "enable",
        "disable",
    }


# --- others ----------------------------------------------------------------------------------


def test_chef_a_mis_cased_key_is_refused(mac: Mac) -> None:
    result = mac.job(plist=mac.server(ExitTimeout=60))
    assert "did you mean 'ExitTimeOut'?" in result["msg"]
    assert mac.launchd.calls == []


def test_nix_darwin_1199_a_job_booted_out_by_hand_comes_back(mac: Mac) -> None:
    mac.job(plist=mac.server())
    mac.launchd.run(["launchctl", "bootout", TARGET])
    mac.launchd.advance(10)
    result = mac.job(plist=mac.server())
    assert (result["drift"], result["steps"]) == (["loaded"], ["bootstrap", "settle"])


def test_nix_darwin_1709_a_missing_program_is_refused_before_anything_is_done(mac: Mac) -> None:
    plist = mac.server(ProgramArguments=[str(mac.folder / "gone")])
    result = mac.job(plist=plist)
    assert f"its program {mac.folder}/gone does not exist" in result["msg"]
    assert not mac.path.exists()


def test_home_manager_9629_no_login_is_said_with_what_to_use_instead(mac: Mac) -> None:
    result = mac.job(plist=mac.server(), domain="gui/501")
    assert "Use domain 'system' with UserName" in result["msg"]


def test_salt_57664_loaded_already_is_not_a_failure(mac: Mac) -> None:
    """Somebody else loads the very same job between our look and our bootstrap."""
    mac.path.write_bytes(plistlib.dumps({"Label": LABEL, **mac.server()}))
    mac.path.chmod(0o644)
    original = mac.launchd.run

    def meddle(argv: list[str], *rest: object, **more: object) -> object:
        if argv[1] == "bootstrap" and TARGET not in mac.launchd.jobs:
            mac.launchd.load(LABEL, mac.written(), str(mac.path))
        return original(argv)

    mac.launchd.run = meddle  # type: ignore[method-assign,assignment]
    assert not mac.job(plist=mac.server()).get("failed")


def test_puppet_4464_a_vendor_s_damaged_plist_next_door_is_never_read(mac: Mac) -> None:
    (mac.folder / "com.vendor.plist").write_text("not a plist")
    assert not mac.job(plist=mac.server()).get("failed")


# --- the race and its relatives ------------------------------------------------------------------


def test_hermes_41665_5_for_a_job_that_is_loaded_is_probed_before_it_is_believed(mac: Mac) -> None:
    mac.launchd.fail_next["bootstrap"] = [(5, "Bootstrap failed: 5: Input/output error\n")]
    assert not mac.job(plist=mac.server()).get("failed")


def test_local_operator_1231_a_failed_bootstrap_is_never_a_success(mac: Mac) -> None:
    mac.launchd.fail_next["bootstrap"] = [(122, "Bootstrap failed: 122: Path had bad …\n")]
    result = mac.job(plist=mac.server())
    assert result["failed"]
    assert result["changed"], "the plist was written, and removed again"
    assert "it is absent" in result["msg"].lower()


def test_openbase_15_a_job_that_sits_idle_after_a_good_bootstrap_is_kicked(mac: Mac) -> None:
    mac.launchd.quirks = Quirks(sits_idle=True)
    result = mac.job(plist=mac.server())
    assert (result["state_after"], result["runs"]) == ("running", 1)


@pytest.mark.parametrize("code", [1, 64, 78, 124, 127])
def test_opencodex_4249_a_probe_that_fails_is_not_taken_for_absent(mac: Mac, code: int) -> None:
    mac.job(plist=mac.server())
    mac.launchd.fail_next["print"] = [(code, "Could not print: something\n")]
    result = mac.job(plist=mac.server(Nice=1))
    assert result["failed"]
    assert "nothing was done" in result["msg"]
    assert mac.launchd.verbs() == ["print-disabled", "print"]


def test_oppi_31_a_user_domain_wants_background(mac: Mac) -> None:
    result = mac.job(plist=mac.server(), domain="user/501")
    assert "LimitLoadToSessionType: Background" in result["msg"]
    assert "bootstrap" not in mac.launchd.verbs()


@pytest.mark.parametrize("code", [112, 125])
def test_loom_4130_no_login_is_112_or_125_and_never_another_domain(mac: Mac, code: int) -> None:
    """The probe says it; where to go instead is the owner's choice, not a silent fallback."""
    mac.launchd.fail_next["print"] = [(code, "Could not find domain for user gui: 501\n")]
    result = mac.job(plist=mac.server(), domain="gui/501")
    assert "the domain gui/501 does not exist" in result["msg"]
    assert "or 'user/501' with LimitLoadToSessionType Background" in result["msg"]
    assert "bootstrap" not in mac.launchd.verbs()


def test_openclaw_84363_a_clean_exit_that_stays_down_is_started_by_the_next_run(mac: Mac) -> None:
    """KeepAlive {SuccessfulExit: false} takes exit 0 for the end, also of a program's restart."""
    mac.job(plist=mac.server())
    mac.launchd.run(["launchctl", "kill", "SIGTERM", TARGET])
    mac.launchd.advance(60)
    assert mac.launchd.jobs[TARGET].pid is None
    result = mac.job(plist=mac.server())
    assert (result["drift"], result["steps"]) == (["running"], ["kickstart", "settle"])
    assert result["state_after"] == "running"


def test_hermes_28530_the_wait_follows_exit_timeout(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(drain_s=110)
    mac.job(plist=mac.server(ExitTimeOut=120))
    assert not mac.job(plist=mac.server(ExitTimeOut=120, Nice=1)).get("failed")


def test_o8_1538_a_crash_loop_does_not_go_unseen(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(lives_s=0.1, exit_code=1)
    job = mac.launchd.load(LABEL, mac.written(), str(mac.path))
    job.runs = 86
    mac.path.write_bytes(plistlib.dumps(mac.written()))
    mac.path.chmod(0o644)
    mac.launchd.advance(1)
    result = mac.job(plist=mac.server())
    assert result["failed"]
    assert "runs: 87" in result["msg"] or "runs: 88" in result["msg"]


def test_o8_1538_a_loop_that_happens_to_be_alive_does_not_go_unseen_either(mac: Mac) -> None:
    """Each run lasts 20 s, so most looks meet a process: one that is young, and the 87th."""
    mac.job(plist=mac.server())
    mac.launchd.programs[LABEL] = Program(lives_s=20, exit_code=1)
    job = mac.launchd.jobs[TARGET]
    job.runs, job.last, job.started_at = 87, "1", mac.launchd.clock - 19
    job.exits_at, job.exit_with = mac.launchd.clock + 1, 1
    predicted = mac.job(check=True, plist=mac.server())
    assert (predicted["changed"], predicted["steps"]) == (False, ["settle"])
    assert "launchd has started it 87 times" in predicted["warnings"][0]
    result = mac.job(plist=mac.server())
    assert result["failed"]
    assert "it ended again within 1.0 s; state: spawn scheduled, runs: 87" in result["msg"]


def test_o8_1538_a_crash_of_long_ago_costs_no_wait(mac: Mac) -> None:
    mac.job(plist=mac.server())
    job = mac.launchd.jobs[TARGET]
    job.runs, job.last, job.started_at = 9, "1", mac.launchd.clock - 3600
    result = mac.job(plist=mac.server())
    assert (result["changed"], result["steps"], result["warnings"]) == (False, [], [])
    assert mac.launchd.slept == 0


def test_openclaw_110213_a_booted_out_label_is_not_kickstarted(mac: Mac) -> None:
    mac.path.write_bytes(plistlib.dumps({"Label": LABEL, **mac.server()}))
    mac.path.chmod(0o644)
    result = mac.job(plist=mac.server(), state="restarted")
    assert not result.get("failed")
    assert mac.launchd.verbs().index("bootstrap") > 0
    assert "kickstart" not in mac.launchd.verbs()


def test_a_power_cut_between_bootout_and_bootstrap_is_mended(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(drain_s=3)
    mac.job(plist=mac.server())
    mac.launchd.calls.clear()
    mac.launchd.die_at_call = 3  # after bootout
    with pytest.raises(Killed):
        mac.jobs([{"label": LABEL, "path": str(mac.path), "plist": mac.server(Nice=1)}])
    assert mac.launchd.verbs()[-1] == "bootout"
    mac.launchd.die_at_call = None
    mac.launchd.reboot(mac.folder)
    result = mac.job(plist=mac.server(Nice=1))
    assert result["state_after"] == "running"
    assert mac.launchd.jobs[TARGET].definition["Nice"] == 1


# --- ours: values were read after strip() ---------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    ["", " ", "ends in a blank ", " begins with one", "tab\t", "arrow => ", "first \nlast"],
)
def test_blanks_of_a_variable_are_no_drift(mac: Mac, value: str) -> None:
    plist = mac.server(EnvironmentVariables={"BEFORE": "1", "FOO": value, "LAST": ""})
    assert mac.job(plist=plist)["changed"]
    again = mac.job(plist=plist)
    assert (again["changed"], again["drift"]) == (False, [])


@pytest.mark.parametrize("arguments", [[""], ["x ", "y"], ["a \n\t\tb ", "\t\tc"], ["\n", "x"]])
def test_blanks_of_an_argument_are_no_drift(mac: Mac, arguments: list[str]) -> None:
    plist = mac.server()
    plist["ProgramArguments"] += arguments
    assert mac.job(plist=plist)["changed"]
    assert mac.job(plist=plist)["drift"] == []


def test_blanks_of_a_path_are_no_drift(mac: Mac) -> None:
    folder = mac.folder / "blank at the end "
    folder.mkdir()
    keys = {"WorkingDirectory": str(folder), "StandardOutPath": f"{folder}/log "}
    # a definition without our stamp: every line of it is compared
    mac.launchd.load(LABEL, mac.server(**keys), str(mac.path))
    mac.path.write_bytes(plistlib.dumps({"Label": LABEL, **mac.server(**keys)}))
    assert mac.job()["drift"] == []
    mac.launchd.jobs[TARGET].definition["StandardOutPath"] = f"{folder}/log"
    assert mac.job()["drift"] == ["stdout_path"]


@pytest.mark.parametrize(
    ("loaded", "wanted"),
    [("x", "x "), ("", " ")],
)
def test_a_blank_that_differs_is_drift(mac: Mac, loaded: str, wanted: str) -> None:
    for name, keys in (
        ("environment", lambda value: {"EnvironmentVariables": {"FOO": value}}),
        ("arguments", lambda value: {"ProgramArguments": ["/bin/sh", "a\nb", value]}),
    ):
        mac.launchd.load(LABEL, mac.server(**keys(loaded)), str(mac.path))
        mac.path.write_bytes(plistlib.dumps({"Label": LABEL, **mac.server(**keys(wanted))}))
        assert mac.job()["drift"] == [name]
        mac.launchd.jobs.clear()
