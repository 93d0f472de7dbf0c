"""pfctl's double: what it loads, counts and refuses; its words are from captures."""

from __future__ import annotations

import pytest

from tests.unit.lab.simulated_mac import NOBODY, SimulatedMac

PFCTL = "usr/sbin/pfctl"
ANCHOR = "com.apple/250.closet"
RULES = """\
# a remark
table <lan> const { 192.168.1.0/24, 100.64.0.0/10 }
block drop in quick on ! lo0 proto tcp from ! <lan> to any port 8000
"""
LOADED = "block drop in quick on ! lo0 proto tcp from ! <lan> to any port = 8000\n"


@pytest.fixture
def rules(studio: SimulatedMac) -> str:
    (studio.root / "etc/rules").write_text(RULES)
    return "/etc/rules"


def show(studio: SimulatedMac, what: str = "rules") -> str:
    return studio.said(PFCTL, "-a", ANCHOR, "-s", what).out


def test_rules_are_loaded_into_an_anchor_and_a_dry_run_loads_none(
    studio: SimulatedMac, rules: str
) -> None:
    assert studio.said(PFCTL, "-a", ANCHOR, "-nf", rules).code == 0
    assert show(studio) == ""
    said = studio.said(PFCTL, "-a", ANCHOR, "-f", rules)
    assert said.code == 0
    assert said.err.startswith("pfctl: Use of -f option, could result in flushing of rules\n")
    assert said.err.endswith("No ALTQ support in kernel\nALTQ related functions disabled\n")
    assert show(studio) == LOADED
    assert show(studio, "Tables") == "lan\n"
    assert studio.said(PFCTL, "-s", "rules").out == "", "it is in the anchor, not in the main rules"


def test_rules_that_it_cannot_read_change_nothing(studio: SimulatedMac, rules: str) -> None:
    studio.said(PFCTL, "-a", ANCHOR, "-f", rules)
    (studio.root / "etc/broken").write_text("table <lan> const { couch.local }\nblok in all\n")
    said = studio.said(PFCTL, "-a", ANCHOR, "-f", "/etc/broken")
    assert said.code == 1
    assert "/etc/broken:2: syntax error\n" in said.err
    assert said.err.endswith("pfctl: Syntax error in config file: pf rules not loaded\n")
    assert show(studio) == LOADED


def test_pf_is_on_until_the_last_reference_is_given_back(studio: SimulatedMac) -> None:
    assert show(studio, "info").startswith("Status: Disabled")
    tokens = []
    for words in ("pf enabled\n", "pfctl: pf already enabled\n"):
        said = studio.said(PFCTL, "-E")
        assert said.err.startswith(words)
        tokens.append(said.err.rpartition("Token : ")[2].strip())
    assert show(studio, "References").split() == tokens
    assert studio.said(PFCTL, "-X", tokens[0]).code == 0
    assert show(studio, "info").startswith("Status: Enabled")
    assert studio.said(PFCTL, "-X", tokens[0]).code == 1
    assert studio.said(PFCTL, "-X", tokens[1]).code == 0
    assert show(studio, "info").startswith("Status: Disabled")


def test_flushing_an_anchor_leaves_pf_on(studio: SimulatedMac, rules: str) -> None:
    studio.said(PFCTL, "-E")
    studio.said(PFCTL, "-a", ANCHOR, "-f", rules)
    studio.said(PFCTL, "-a", ANCHOR, "-F", "rules")
    assert show(studio) == ""
    assert show(studio, "Tables") == "lan\n"
    studio.said(PFCTL, "-a", ANCHOR, "-F", "Tables")
    assert show(studio, "Tables") == ""
    assert show(studio, "info").startswith("Status: Enabled")


def test_only_root_may_and_unknown_words_are_refused(studio: SimulatedMac) -> None:
    said = studio.said(PFCTL, "-s", "info", user=NOBODY)
    assert said == (1, "", "pfctl: /dev/pf: Permission denied\n")
    assert studio.said(PFCTL, "-Y").err.startswith("usage: pfctl")
