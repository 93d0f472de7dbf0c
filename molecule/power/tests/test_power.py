"""A desktop does not sleep, comes back after a power cut, and has no job that watches a battery."""

from __future__ import annotations

from lab_mac import Mac

WANTED = {"sleep": "0", "disksleep": "0", "displaysleep": "10", "womp": "1", "autorestart": "1"}


def settings(closet: Mac) -> dict[str, str]:
    """What pmset prints, a desktop's only source of power."""
    lines = closet.read("pmset -g custom").splitlines()
    assert lines[0] == "AC Power:"
    return {key.strip(): value for key, value in (line.rsplit(maxsplit=1) for line in lines[1:])}


def test_it_does_not_sleep_and_comes_back(closet: Mac) -> None:
    found = settings(closet)
    assert {key: found[key] for key in WANTED} == WANTED


def test_what_nobody_asked_for_is_as_it_was(closet: Mac) -> None:
    assert settings(closet)["hibernatefile"] == "/var/vm/sleepimage"


def test_nothing_watches_a_battery_that_is_not_there(closet: Mac) -> None:
    assert "Could not find service" in closet.job("inference.closet.power")
    assert closet.entries("/opt/closet/bin/closet-power") == {"/opt/closet/bin/closet-power": None}
