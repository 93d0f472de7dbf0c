"""pmset's double: a desktop, a laptop, and what pmset.m answers to nonsense."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.unit.lab.simulated_mac import NOBODY, SimulatedMac

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes files as root and as nobody")
PMSET = "usr/bin/pmset"


def _settings(text: str) -> dict[str, str]:
    pairs = [line.rsplit(None, 1) for line in text.splitlines() if line.startswith(" ")]
    return {key.strip(): value for key, value in pairs}


def _live(mac: SimulatedMac) -> dict[str, str]:
    return _settings(mac.said(PMSET, "-g", "live").out)


@as_root
def test_pmset_on_a_desktop(studio: SimulatedMac) -> None:
    assert studio.said(PMSET, "-g", "batt") == (0, "Now drawing from 'AC Power'\n", "")
    before = studio.said(PMSET, "-g", "custom")
    assert before.out.startswith("AC Power:\n Sleep On Power Button 1\n")
    assert "Battery Power" not in before.out
    wanted = {"sleep": "0", "disksleep": "0", "displaysleep": "0", "autorestart": "1"}
    words = [word for pair in wanted.items() for word in pair]
    assert studio.said(PMSET, "-a", *words) == (0, "", "")
    after = _settings(studio.said(PMSET, "-g", "custom").out)
    assert after == {**_settings(before.out), **wanted}
    assert _live(studio) == after


@as_root
def test_start_up_at_connect_is_a_desktop_s_since_26_5(tmp_path: Path) -> None:
    for macos, model, shown in (
        ("26.5.1", "Mac16,9", True),
        ("27.0", "Mac16,9", True),
        ("26.4.1", "Mac16,9", False),
        ("15.6", "Mac16,9", False),
        ("26.5.1", "Mac16,12", False),
    ):
        mac = SimulatedMac(
            tmp_path / macos / model, {"model": model, "macos": macos, "memory_gb": 16}
        )
        custom = mac.said(PMSET, "-g", "custom").out
        assert (" autorestartatconnect 0\n" in custom) == shown
        knows = macos in ("26.5.1", "27.0")
        assert mac.said(PMSET, "-a", "autorestartatconnect", "1").code == (0 if knows else 1)
        assert (" autorestartatconnect 1\n" in mac.said(PMSET, "-g", "custom").out) == shown


@as_root
def test_pmset_on_a_laptop_keeps_battery_and_charger_apart(air: SimulatedMac) -> None:
    # the warning is about every profile, also the one that was not touched
    said = air.said(PMSET, "-c", "sleep", "0", "womp", "1")
    assert (said.code, said.out) == (0, "")
    assert said.err.startswith('Warning: Idle sleep timings for "Battery Power" may not')
    battery, _, charger = air.said(PMSET, "-g", "custom").out.partition("AC Power:\n")
    assert battery.startswith("Battery Power:\n")
    assert (_settings(battery)["sleep"], _settings(charger)["sleep"]) == ("1", "0")
    assert air.said(PMSET, "-a", "autorestart", "1").code == 0
    assert "autorestart" not in air.said(PMSET, "-g", "custom").out


@as_root
def test_the_power_mode_has_the_name_this_mac_shows(
    studio: SimulatedMac, air: SimulatedMac
) -> None:
    for mac, shown in ((studio, "powermode"), (air, "lowpowermode")):
        for word, value in (("powermode", "2"), ("lowpowermode", "1")):
            assert mac.said(PMSET, "-a", word, value).code == 0
            power = {key: it for key, it in _live(mac).items() if "powermode" in key}
            assert power == {shown: value}


@as_root
def test_pmset_warns_of_sleep_before_the_display(studio: SimulatedMac) -> None:
    assert studio.said(PMSET, "sleep", "5", "displaysleep", "10") == (
        0,
        "",
        'Warning: Idle sleep timings for "AC Power" may not behave as expected.\n'
        "- Display sleep should have a lower timeout than system sleep.\n",
    )


@as_root
def test_pmset_shows_sleep_disabled_once_it_was_set(studio: SimulatedMac) -> None:
    assert "SleepDisabled" not in studio.said(PMSET, "-g").out
    assert studio.said(PMSET, "-a", "disablesleep", "1") == (0, "", "")
    assert studio.said(PMSET, "-g").out.startswith(
        "System-wide power settings:\n SleepDisabled\t\t1\nCurrently in use:\n"
    )


@as_root
@pytest.mark.parametrize(
    ("words", "code"), [(("-a", "sleep", "0"), 1), (("-a", "disablesleep", "1"), 0)]
)
def test_pmset_needs_root(studio: SimulatedMac, words: tuple[str, ...], code: int) -> None:
    refused = (code, "'pmset' must be run as root...\n", "")
    assert studio.said(PMSET, *words, user=NOBODY) == refused
    assert _settings(studio.said(PMSET, "-g", user=NOBODY).out)["sleep"] == "1"


@pytest.mark.parametrize(
    "words", [("-a",), ("sleep",), ("sleep", "never"), ("snooze", "1"), ("-g", "everything")]
)
def test_pmset_explains_itself(studio: SimulatedMac, words: tuple[str, ...]) -> None:
    usage = "Usage: pmset <options>\nSee pmset(1) for details: 'man pmset'\n"
    assert studio.said(PMSET, *words) == (1, usage, "")


def test_a_laptop_on_battery(air: SimulatedMac) -> None:
    charge = " -InternalBattery-0 (id=23265379)\t80%; AC attached; not charging present: true\n"
    assert air.said(PMSET, "-g", "ps").out == f"Now drawing from 'AC Power'\n{charge}"
    power = {"source": "Battery Power", "percent": 78, "state": "discharging; 5:05 remaining"}
    (air.root / "run/closet-lab/power.json").write_text(json.dumps(power))
    charge = " -InternalBattery-0 (id=23265379)\t78%; discharging; 5:05 remaining present: true\n"
    assert air.said(PMSET, "-g", "batt").out == f"Now drawing from 'Battery Power'\n{charge}"
    assert _live(air)["displaysleep"] == "2"
