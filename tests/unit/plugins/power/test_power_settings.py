# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""power_settings against captures of a laptop (macOS 26) and the desktop's own shape."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.closet.inference.plugins.module_utils.power.plan import Have, Want, plan
from ansible_collections.closet.inference.plugins.module_utils.power.pmset import (
    KEYS,
    UNMANAGED,
    PowerRefusedError,
    checked,
    parse_custom,
    parse_sleep_disabled,
)
from ansible_collections.closet.inference.plugins.module_utils.power.run import PowerError, execute
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner
from ansible_collections.closet.inference.plugins.modules import power_settings

# a MacBook with macOS 26, published by its owner; the order is a hash table's
LAPTOP = """\
Battery Power:
 Sleep On Power Button 1
 powermode            0
 standby              1
 ttyskeepawake        1
 hibernatemode        3
 powernap             1
 hibernatefile        /var/vm/sleepimage
 displaysleep         2
 womp                 0
 networkoversleep     0
 sleep                1
 lessbright           1
 tcpkeepalive         1
 disksleep            10
AC Power:
 Sleep On Power Button 1
 powermode            0
 standby              1
 ttyskeepawake        1
 hibernatemode        3
 powernap             1
 hibernatefile        /var/vm/sleepimage
 displaysleep         10
 womp                 1
 networkoversleep     0
 sleep                1 (sleep prevented by powerd, sharingd)
 tcpkeepalive         1
 disksleep            10
"""
DESKTOP = """\
AC Power:
 Sleep On Power Button 1
 autorestart          0
 powernap             1
 disksleep            10
 sleep                1
 displaysleep         10
 lowpowermode         0
 womp                 1
"""
# a Mac mini with macOS 26.5.2, published by its owner
LATE = """\
AC Power:
 Sleep On Power Button 1
 autorestartatconnect 0
 lowpowermode         0
 standby              0
 ttyskeepawake        1
 powernap             1
 displaysleep         0
 womp                 1
 networkoversleep     0
 sleep                0
 tcpkeepalive         1
 autorestart          1
 disksleep            10
"""
LIVE = (
    "System-wide power settings:\n SleepDisabled\t\t1\nCurrently in use:\n womp                 1\n"
)
CLOSET = {"sleep": 0, "disksleep": 0, "displaysleep": 10, "womp": 1, "autorestart": 1}


class Mac(Runner):
    """pmset over a text that it changes; `stubborn` names a setting that it silently keeps."""

    def __init__(self, text: str, stubborn: str = "", root: bool = True) -> None:
        self.text, self.stubborn, self.root = text, stubborn, root
        self.disabled = False
        self.writes: list[list[str]] = []

    def run(
        self,
        argv: Sequence[str],
        timeout_s: float = 30,
        input: str | None = None,  # noqa: A002 - the word of Runner
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        words = list(argv)[1:]
        if words == ["-g", "custom"]:
            return Completed(tuple(argv), 0, self.text, "")
        if words == ["-g"]:
            return Completed(tuple(argv), 0, LIVE if self.disabled else "Currently in use:\n", "")
        self.writes.append(words)
        if not self.root:
            return Completed(tuple(argv), 1, "'pmset' must be run as root...\n", "")
        titles = {"-c": "AC Power:", "-b": "Battery Power:", "-u": "UPS Power:"}
        current = ""
        lines = self.text.splitlines()
        for key, value in zip(words, words[1:]):
            current = titles.get(key, current)
            if key == "disablesleep":
                self.disabled = value == "1"
            elif key not in titles and key != self.stubborn:
                inside = ""
                for at, line in enumerate(lines):
                    inside = line if not line.startswith(" ") else inside
                    if inside == current and line.split()[:1] == [key]:
                        lines[at] = f" {key:<20} {value}"
        self.text = "\n".join(lines) + "\n"
        return Completed(tuple(argv), 0, "", "")


def test_what_pmset_prints_is_read_from_the_right() -> None:
    found = parse_custom(LAPTOP)
    assert set(found) == {"ac", "battery"}
    assert found["ac"]["Sleep On Power Button"] == "1"
    assert found["ac"]["sleep"] == "1"
    assert found["battery"]["hibernatefile"] == "/var/vm/sleepimage"
    assert "lessbright" not in found["ac"]
    assert (parse_sleep_disabled(LIVE), parse_sleep_disabled("Currently in use:\n")) == (
        True,
        False,
    )


@pytest.mark.parametrize(
    ("text", "wanted", "writes", "unsupported"),
    [
        (DESKTOP, {"ac": {"sleep": "1", "womp": "1"}}, {}, ()),
        (DESKTOP, {"ac": {"sleep": "0", "womp": "1"}}, {"ac": {"sleep": "0"}}, ()),
        (DESKTOP, {"battery": {"sleep": "5"}}, {}, ("battery",)),
        (LAPTOP, {"ac": {"autorestart": "1"}}, {}, ("ac.autorestart",)),
        (LAPTOP, {"ac": {"lowpowermode": "1"}}, {"ac": {"powermode": "1"}}, ()),
        (DESKTOP, {"ac": {"powermode": "0"}}, {}, ()),
        (
            LAPTOP,
            {"ac": {"sleep": "0"}, "battery": {"sleep": "1", "womp": "1"}},
            {"ac": {"sleep": "0"}, "battery": {"womp": "1"}},
            (),
        ),
    ],
)
def test_plan(text: str, wanted: Any, writes: Any, unsupported: tuple[str, ...]) -> None:
    found = plan(Want(wanted), Have(parse_custom(text)))
    assert (found.writes, found.unsupported) == (writes, unsupported)


def started(after_failure: int, at_connect: int) -> str:
    """LATE with a choice of "Start up when power is connected"."""
    text = LATE.replace("autorestart          1", f"autorestart          {after_failure}")
    return text.replace("autorestartatconnect 0", f"autorestartatconnect {at_connect}")


NEVER, AFTER_A_FAILURE, ALWAYS, BOTH = (0, 0), (1, 0), (0, 1), (1, 1)


@pytest.mark.parametrize(
    ("have", "wanted", "becomes"),
    [
        *((have, {"autorestart": 1}, AFTER_A_FAILURE) for have in (NEVER, AFTER_A_FAILURE)),
        *((have, {"autorestart": 1}, have) for have in (ALWAYS, BOTH)),
        (ALWAYS, {"autorestart": 0}, ALWAYS),
        (AFTER_A_FAILURE, {"autorestart": 0}, NEVER),
        *((have, {"autorestartatconnect": 1}, ALWAYS) for have in (NEVER, ALWAYS, BOTH, (1, 0))),
        (ALWAYS, {"autorestartatconnect": 0}, NEVER),
        (AFTER_A_FAILURE, {"autorestartatconnect": 0}, AFTER_A_FAILURE),
        *(
            (have, {"autorestart": 1, "autorestartatconnect": 1}, ALWAYS)
            for have in (NEVER, AFTER_A_FAILURE, ALWAYS, BOTH)
        ),
        (ALWAYS, {"autorestart": 1, "autorestartatconnect": 0}, AFTER_A_FAILURE),
        (ALWAYS, {"autorestart": 0, "autorestartatconnect": 0}, NEVER),
        (ALWAYS, {"womp": 0}, ALWAYS),
    ],
)
def test_start_up_when_power_is_connected_is_one_setting(
    have: tuple[int, int], wanted: dict[str, int], becomes: tuple[int, int]
) -> None:
    mac = Mac(started(*have))
    told, warnings = execute({"ac": wanted}, mac)
    keys = parse_custom(mac.text)["ac"]
    assert (int(keys["autorestart"]), int(keys["autorestartatconnect"])) == becomes
    assert warnings == []
    if "womp" not in wanted:
        assert told["changed"] == (have != becomes)
    again, _ = execute({"ac": wanted}, mac)
    assert not again["changed"]


def test_an_older_macos_has_one_key_of_the_two() -> None:
    mac = Mac(DESKTOP)
    told, warnings = execute({"ac": {"autorestart": 1, "autorestartatconnect": 1}}, mac)
    assert told["written"] == {"ac": {"autorestart": "1"}}
    assert warnings == ["this Mac has no setting ac.autorestartatconnect; that was left out"]


def test_what_a_newer_macos_adds_is_a_setting_once_the_mac_shows_it() -> None:
    mac = Mac(DESKTOP + " brandnewswitch       0\n")
    told, _ = execute({"ac": {"brandnewswitch": True}}, mac)
    assert told["written"] == {"ac": {"brandnewswitch": "1"}}
    with pytest.raises(
        PowerRefusedError, match="brandnewswitch must be a whole number, not the text 'on'"
    ):
        execute({"ac": {"brandnewswitch": "on"}}, mac)
    with pytest.raises(PowerRefusedError, match="unknown key 'brandnewswitch' in ac"):
        execute({"ac": {"brandnewswitch": 1}}, Mac(DESKTOP))


# every setting of pmset(1) of macOS 26.5
MAN_PAGE = (
    *("displaysleep", "disksleep", "sleep", "womp", "ring", "autorestart", "autorestartatconnect"),
    *("powernap", "proximitywake", "tcpkeepalive", "lidwake", "acwake", "lessbright", "halfdim"),
    *("sms", "ttyskeepawake", "destroyfvkeyonstandby", "gpuswitch", "hibernatemode", "standby"),
    *("hibernatefile", "standbydelay", "standbydelayhigh", "standbydelaylow", "autopoweroff"),
    *("highstandbythreshold", "autopoweroffdelay", "networkoversleep", "disablesleep"),
    *("haltlevel", "haltafter", "haltremain", "schedule", "repeat", "relative"),
)


@pytest.mark.parametrize("key", MAN_PAGE)
def test_every_setting_of_the_man_page_is_known_or_said_to_be_unmanaged(key: str) -> None:
    if key in KEYS:
        assert checked("ups", {key: "/x" if key == "hibernatefile" else 1})
        assert key not in UNMANAGED
        return
    with pytest.raises(PowerRefusedError, match=f"ups: {key} is not managed as a setting: it is"):
        checked("ups", {key: 1})


@pytest.mark.parametrize("text", [DESKTOP, LAPTOP, LATE])
def test_one_call_writes_it_and_the_next_has_nothing_to_do(text: str) -> None:
    params = {"ac": CLOSET, "battery": {"sleep": 5}, "sleep_disabled": True}
    mac = Mac(text)
    foretold, _ = execute(params, mac, check_mode=True)
    assert mac.writes == []
    told, _ = execute(params, mac)
    assert told == foretold
    assert told["changed"]
    assert len(mac.writes) == 1
    assert told["diff"]["before"].splitlines()[-1] == "sleep_disabled 0"
    assert told["diff"]["after"].splitlines()[-1] == "sleep_disabled 1"
    again, _ = execute(params, mac)
    assert not again["changed"]
    assert (again["diff"]["before"], again["written"]) == ("", {})
    assert len(mac.writes) == 1


def test_the_one_call() -> None:
    mac = Mac(LAPTOP)
    execute({"ac": {"sleep": False}, "battery": {"sleep": 9, "womp": True}}, mac)
    assert mac.writes == [["-c", "sleep", "0", "-b", "sleep", "9", "womp", "1"]]


def test_what_a_mac_lacks_is_said_each_time_and_never_written() -> None:
    mac = Mac(DESKTOP)
    params = {"battery": {"sleep": 1}, "ups": {"sleep": 0}, "ac": {"lidwake": 1}}
    told, warnings = execute(params, mac)
    assert warnings == [
        "this Mac has no setting ac.lidwake, no Battery Power, no UPS Power; that was left out"
    ]
    assert not told["changed"]
    assert mac.writes == []


def test_a_setting_that_does_not_take_is_an_error_and_not_a_change_for_ever() -> None:
    with pytest.raises(PowerError, match=r"ac\.womp did not change: this Mac does not take it"):
        execute({"ac": {"womp": 0, "sleep": 0}}, Mac(DESKTOP, stubborn="womp"))


def test_without_root_it_says_so() -> None:
    with pytest.raises(PowerError, match="become: true"):
        execute({"ac": {"sleep": 0}}, Mac(DESKTOP, root=False))


def test_an_answer_that_cannot_be_read_changes_nothing() -> None:
    mac = Mac("pmset: something new\n")
    with pytest.raises(PowerError, match="names no power source"):
        execute({"ac": {"sleep": 0}}, mac)
    assert mac.writes == []


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"slep": 0}, "unknown key 'slep' in ac; did you mean 'sleep'?"),
        ({"sleep": "never"}, "ac.sleep must be a whole number, not the text 'never'"),
        ({"sleep": -1}, "ac.sleep must be at least 0, not -1"),
        ({"womp": 2}, "ac.womp must be at most 1, not 2"),
        ({"hibernatefile": "here"}, "absolute path"),
    ],
)
def test_bad_input_is_refused(wanted: dict[str, Any], problem: str) -> None:
    with pytest.raises(PowerRefusedError) as refused:
        checked("ac", wanted)
    assert problem in str(refused.value)


def test_as_ansible_calls_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mac = Mac(DESKTOP)
    monkeypatch.setattr(power_settings, "Runner", lambda: mac)
    with patch_module_args({"ac": CLOSET, "_ansible_diff": True}), pytest.raises(SystemExit):
        power_settings.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer["written"] == {"ac": {"sleep": "0", "disksleep": "0", "autorestart": "1"}}
    assert "ac autorestart 1\n" in answer["diff"]["after"]
