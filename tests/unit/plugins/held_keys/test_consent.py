"""When a record on a host counts as somebody's consent to serve the LAN."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.module_utils import consent
from ansible_collections.closet.inference.plugins.module_utils.consent import (
    Consent,
    objection,
    on_command_line,
    on_this_host,
)
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    parse,
)

RECORD = Consent("attic", "me@desk", "2026-11-24T15:00:00Z", "typed", ("10.77.31.10",))
MODES = "drwxr-xr-x 0 -rw-r--r-- 0"


@pytest.mark.parametrize(
    ("modes", "text", "why"),
    [
        pytest.param(MODES, RECORD.text(), None, id="root's"),
        # ls marks extended attributes and access lists behind the mode
        pytest.param("drwxr-xr-x@ 0 -rw-r--r--@ 0", RECORD.text(), None, id="attributes"),
        pytest.param("", "", "it has not been confirmed", id="nothing"),
        pytest.param("drwxr-xr-x 0", "", "it has not been confirmed", id="a folder alone"),
        pytest.param("drwxr-xr-x 501 -rw-r--r-- 0", RECORD.text(), "consent is not", id="folder"),
        pytest.param("drwxrwxr-x 0 -rw-r--r-- 0", RECORD.text(), "consent is not", id="group"),
        pytest.param("drwxr-xr-x 0 -rw-r--r-- 501", RECORD.text(), "lan.json is not", id="file"),
        pytest.param("drwxr-xr-x 0 -rw-r--rw- 0", RECORD.text(), "lan.json is not", id="others"),
        pytest.param("drwxr-xr-x 0 lrwxr-xr-x 0", RECORD.text(), "lan.json is not", id="link"),
        pytest.param(MODES, "yes", "is not a record", id="not JSON"),
        pytest.param(MODES, "[]", "is not a record", id="a list"),
        pytest.param(MODES, "{}", "is not a record", id="no host"),
        pytest.param(MODES, RECORD.text().replace("attic", "cellar"), "for cellar", id="other"),
    ],
)
def test_objection(modes: str, text: str, why: str | None) -> None:
    said = objection("attic", modes, text)
    assert (said is None) if why is None else (said is not None and why in said)


def test_a_record_is_one_line_of_all_that_was_known() -> None:
    assert RECORD.text().count("\n") == 1
    assert json.loads(RECORD.text()) == {
        "host": "attic",
        "by": "me@desk",
        "at": "2026-11-24T15:00:00Z",
        "how": "typed",
        "addresses": ["10.77.31.10"],
    }


def test_the_look_at_a_mac_brings_it() -> None:
    facts = parse(f"consent_modes={MODES} \nconsent={RECORD.text()}firewall=packets.conf \n")
    assert objection("attic", facts.consent_modes, facts.consent) is None
    assert facts.firewall == ("packets.conf",)


def test_on_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "consent"
    file = folder / "lan.json"
    assert on_this_host(str(folder), str(file)) == "it has not been confirmed on this host"
    folder.mkdir(mode=0o755)
    file.write_text(RECORD.text())
    file.chmod(0o644)
    owner = file.stat().st_uid
    said = on_this_host(str(folder), str(file))
    assert (said is None) if owner == 0 else (said is not None and f"uid {owner}" in said)
    folder.chmod(0o777)
    assert "is not root's alone" in str(on_this_host(str(folder), str(file)))
    assert "run `confirm it` and type" in consent.sentence("attic", "x", "confirm it")


@pytest.mark.parametrize(
    ("extra_vars", "given"),
    [
        ((), None),
        (("scope=lan",), None),
        (("scope=lan", "confirm=attic"), "attic"),
        (("scope=lan confirm=attic",), "attic"),
        (('{"confirm": "attic"}',), "attic"),
        (("{confirm: attic}",), None),
        (("confirm='attic'",), "attic"),
        (("confirm='attic",), None),
        (("confirm=attic", "confirm=air"), "air"),
        (("@given.yml",), None),
        (("@confirm=attic",), None),
        (("[1]",), None),
        (("",), None),
        # a template is a text here, and no host has such a name
        (("confirm={{inventory_hostname}}",), "{{inventory_hostname}}"),
    ],
)
def test_on_command_line(extra_vars: tuple[str, ...], given: str | None) -> None:
    assert on_command_line("confirm", extra_vars) == given
