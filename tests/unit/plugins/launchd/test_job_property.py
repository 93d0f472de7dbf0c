# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever there is, whatever is wanted, wherever a run is cut off: the next run mends it."""

from __future__ import annotations

import contextlib
import plistlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.module_utils.launchd.model import YOUNG_S
from ansible_collections.closet.inference.plugins.module_utils.launchd.stamp import stamped
from tests.unit.plugins.launchd.fake_launchd import FakeLaunchd, Killed, Program, Quirks
from tests.unit.plugins.launchd.launchd_mac import LABEL, Mac, as_root

DEFINITIONS: list[dict[str, Any]] = [
    {"KeepAlive": {"SuccessfulExit": False}, "ExitTimeOut": 60},
    {"KeepAlive": True, "ExitTimeOut": 20, "ThrottleInterval": 30},
    {"RunAtLoad": True, "EnvironmentVariables": {"A": "1"}},
    {"RunAtLoad": True, "EnvironmentVariables": {"A": "1", "B": "2"}, "Umask": 23},
    {"RunAtLoad": True, "Nice": 5, "SoftResourceLimits": {"NumberOfFiles": 4096}},
    {"RunAtLoad": True, "Nice": 6},
    {},
]
wants = st.fixed_dictionaries(
    {
        "plist": st.sampled_from(DEFINITIONS),
        "state": st.sampled_from(["started", "loaded", "stopped", "absent", "restarted"]),
        "enabled": st.booleans(),
        "restart_on": st.sampled_from([None, {"config": 1}, ["v2"]]),
    }
)
maybe_definition = st.sampled_from([None, *DEFINITIONS])
quirks = st.builds(
    Quirks,
    early_bootstrap=st.sampled_from(["5", "37", "dropped"]),
    busy_s=st.sampled_from([0.0, 4.0]),
    sits_idle=st.booleans(),
    bootout_code=st.sampled_from([0, 36]),
)
programs = st.builds(
    Program,
    drain_s=st.sampled_from([0.0, 3.0, 20.0]),
    ignores_term=st.booleans(),
    term_exit=st.sampled_from([0, 1, None]),
)


def _mac(folder: Path, program: Program, quirk: Quirks) -> Mac:
    return Mac(folder, FakeLaunchd(programs={LABEL: program}, quirks=quirk))


def _furnish(
    mac: Mac, on_disk: Any, in_launchd: Any, disabled: Any, leaving: bool, ours: bool
) -> None:
    """Any state: what earlier runs of ours left, or (not `ours`) what somebody else made."""

    def made(changes: Any) -> dict[str, Any]:
        plist = {"Label": LABEL, **mac.server(**changes)}
        return stamped(plist, {"config": 1}) if ours else plist

    if on_disk is not None:
        mac.path.write_bytes(plistlib.dumps(made(on_disk)))
        mac.path.chmod(0o644)
    if in_launchd is not None:
        mac.launchd.load(LABEL, made(in_launchd), str(mac.path))
        if leaving:
            mac.launchd.run(["launchctl", "bootout", f"system/{LABEL}"])
    if disabled is not None:
        mac.launchd.disabled[LABEL] = disabled


def _arguments(mac: Mac, want: dict[str, Any]) -> dict[str, Any]:
    return {**want, "plist": mac.server(**want["plist"]), "settle_s": 1.0}


def _assert_reached(mac: Mac, want: dict[str, Any]) -> None:
    job = mac.launchd.jobs.get(f"system/{LABEL}")
    if want["state"] in ("stopped", "absent"):
        assert job is None
        assert mac.path.exists() == (want["state"] == "stopped")
        return
    assert job is not None
    assert not job.leaving
    assert job.definition == plistlib.loads(mac.path.read_bytes())
    assert mac.launchd.disabled.get(LABEL, False) == (not want["enabled"])
    if want["state"] != "loaded":
        assert job.pid is not None


def _assert_nothing_left(mac: Mac, arguments: dict[str, Any]) -> None:
    steady = {**arguments}
    if steady["state"] == "restarted":
        steady["state"] = "started"
    # a program may leave an error behind when it is restarted; then the young one is watched
    mac.launchd.advance(YOUNG_S)
    predicted = mac.job(check=True, **steady)
    assert not predicted["changed"], predicted
    again = mac.job(**steady)
    assert not again["changed"], again
    assert again["drift"] == []
    assert len(mac.launchd.calls) <= 2
    assert mac.launchd.slept == 0


slow = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@slow
@given(
    wants,
    maybe_definition,
    maybe_definition,
    st.sampled_from([None, True, False]),
    st.booleans(),
    st.booleans(),
    programs,
    quirks,
)
def test_planning_after_applying_yields_nothing(
    monkeypatch: pytest.MonkeyPatch,
    want: Any,
    on_disk: Any,
    in_launchd: Any,
    disabled: Any,
    leaving: bool,
    ours: bool,
    program: Program,
    quirk: Quirks,
) -> None:
    as_root(monkeypatch)
    with tempfile.TemporaryDirectory() as name:
        mac = _mac(Path(name), program, quirk)
        _furnish(mac, on_disk, in_launchd, disabled, leaving, ours)
        arguments = _arguments(mac, want)
        predicted = mac.job(check=True, **arguments)
        result = mac.job(**arguments)
        assert not result.get("failed"), result
        assert predicted["changed"] == result["changed"]
        assert predicted["steps"] == result["steps"]
        _assert_reached(mac, want)
        _assert_nothing_left(mac, arguments)


@slow
@given(
    wants,
    maybe_definition,
    maybe_definition,
    st.integers(min_value=1, max_value=12),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["at once", "later", "after a reboot"]),
    programs,
    quirks,
)
def test_a_run_cut_off_anywhere_is_mended_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
    want: Any,
    on_disk: Any,
    in_launchd: Any,
    call: int,
    before: bool,
    ours: bool,
    when: str,
    program: Program,
    quirk: Quirks,
) -> None:
    as_root(monkeypatch)
    with tempfile.TemporaryDirectory() as name:
        mac = _mac(Path(name), program, quirk)
        _furnish(mac, on_disk, in_launchd, None, leaving=False, ours=ours)
        arguments = _arguments(mac, want)
        mac.launchd.die_at_call, mac.launchd.die_before = call, before
        with contextlib.suppress(Killed):
            mac.job(**arguments)
        mac.launchd.die_at_call = None
        if when == "later":
            mac.launchd.advance(300)
        if when == "after a reboot":
            mac.launchd.reboot(mac.folder)
        result = mac.job(**arguments)
        assert not result.get("failed"), result
        _assert_reached(mac, want)
        _assert_nothing_left(mac, arguments)
