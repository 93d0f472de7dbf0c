# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a run does not begin: each host's own reasons, and two names of one machine."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.filter.preflight import preflight_errors
from ansible_collections.closet.inference.plugins.plugin_utils.probe import script, verdict
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    parse,
    plain,
)

UUID = "0EA18D8F-6E5E-5C1B-9E4A-5C6F2B6C1A11"
OTHER = "1EA18D8F-6E5E-5C1B-9E4A-5C6F2B6C1A11"
MACHINE = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("uuids", "names"),
    [
        ({"air": UUID, "pro": OTHER}, None),
        ({"air": UUID, "pro": UUID}, "air and pro are one Mac"),
        ({"attic": UUID, "air": OTHER, "pro": UUID}, "attic and pro are one Mac"),
        ({"air": UUID, "book": UUID, "pro": UUID}, "air, book and pro are one Mac"),
        ({"tux": MACHINE, "tex": MACHINE}, "tux and tex are one machine (/etc/machine-id"),
        # what could not be read says nothing about any other
        ({"air": None, "pro": None}, None),
        ({"air": "", "pro": ""}, None),
        ({"tux": "uninitialized", "tex": "uninitialized"}, None),
    ],
)
def test_two_names_of_one_machine_are_refused(
    uuids: dict[str, str | None], names: str | None
) -> None:
    found = verdict.errors({host: {"uuid": uuid} for host, uuid in uuids.items()}, [], [], True)
    assert len(found) == (names is not None)
    assert (names or "") in "".join(found)


@pytest.mark.parametrize(
    ("kernel", "line", "uuid"),
    [("Darwin", UUID, UUID), ("Linux", MACHINE, MACHINE), ("Darwin", "", None)],
)
def test_the_look_brings_the_machine_s_own_number(kernel: str, line: str, uuid: str | None) -> None:
    facts = parse(f"probe=begin\nkernel={kernel}\nuuid={line}\nprobe=end\n")
    assert facts.uuid == uuid
    assert plain(facts)["uuid"] == uuid
    assert "ioreg -rd1 -c IOPlatformExpertDevice" in script.FACTS
    assert "/etc/machine-id" in script.FACTS


HOSTS: dict[str, dict[str, Any]] = {
    "localhost": {"preflight_facts": {"skipped": True}},
    "attic": {"preflight_facts": {"consent_errors": ["consent"], "choice_errors": ["choice"]}},
    "air": {"preflight_facts": {"errors": ["air has no sudo"], "uuid": UUID}},
    "pro": {},
}


def test_all_reasons_come_together_and_a_consent_before_a_choice() -> None:
    found = preflight_errors(list(HOSTS), HOSTS, ["attic"], ["localhost", "attic", "air"])
    assert found == ["air has no sudo", "consent", "choice"]


def test_who_asks_for_the_consent_needs_neither() -> None:
    assert preflight_errors(list(HOSTS), HOSTS, ["attic"], list(HOSTS), False) == [
        "air has no sudo"
    ]


def test_a_closet_has_to_answer_and_a_laptop_does_not() -> None:
    found = preflight_errors(["attic", "pro"], HOSTS, ["attic"], [])
    assert found[-1] == "attic is the closet and does not answer, see above"
    assert not [sentence for sentence in found if sentence.startswith("pro")]
    # one that this run leaves out is not asked
    assert preflight_errors(["pro"], HOSTS, ["attic"], ["pro"]) == []
