# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running omlx is told its keys, asked whether it does as told, and never restarted for them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils import consent
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.exposure import (
    local_end,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.keys import (
    Keys,
    KeyStep,
    KeysUnusableError,
    by_name,
    closed,
    merged_subs,
    plan,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.live import (
    NotToldError,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.plan import (
    SettingsRefusedError,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.run import execute
from tests.unit.plugins.omlx_double import OmlxDouble, running_omlx

MAIN, AIR, PRO, NEW = (f"secret-key-of-{name}-0123456789" for name in ("main", "air", "pro", "new"))


@pytest.fixture(autouse=True)
def confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "on_this_host", lambda: None)


@pytest.fixture
def omlx(tmp_path: Path) -> Iterator[OmlxDouble]:
    """A server that an earlier run has given main, air and pro, and somebody the key of a phone."""
    base = tmp_path / "omlx"
    base.mkdir()
    subs = {AIR: "closet:air", PRO: "closet:pro", "phone-key": "phone"}
    with running_omlx(OmlxDouble(MAIN, subs, base / "settings.json")) as served:
        served.save()
        yield served


def bring(omlx: OmlxDouble, check_mode: bool = False, **changed: Any) -> dict[str, Any]:
    assert omlx.file is not None
    params = {
        "base_path": str(omlx.file.parent),
        "settings": {"server": {"port": omlx.port}},
        "api_key": MAIN,
        "client_keys": [{"name": "air", "key": AIR}, {"name": "pro", "key": PRO}],
        **changed,
    }
    result, _ = execute(params, check_mode)
    told = json.dumps(result)
    assert [key for key in (MAIN, AIR, PRO, NEW) if key in told] == []
    return result


def in_file(omlx: OmlxDouble) -> Keys:
    assert omlx.file is not None
    auth = json.loads(omlx.file.read_text())["auth"]
    return Keys(auth["api_key"], {entry["key"]: entry["name"] for entry in auth["sub_keys"]})


def test_equal_keys_are_no_change(omlx: OmlxDouble) -> None:
    assert omlx.file is not None
    omlx.file.chmod(0o600)
    omlx.file.parent.chmod(0o700)
    result = bring(omlx)
    assert (result["changed"], result["restart_needed"]) == (False, False)
    assert omlx.changes == []


@pytest.mark.parametrize(
    ("wanted", "changes", "names"),
    [
        pytest.param(
            {"client_keys": [{"name": "air", "key": AIR}]},
            ["remove closet:pro"],
            ["auth.sub_keys"],
            id="a laptop left",
        ),
        pytest.param(
            {"client_keys": [{"name": "air", "key": NEW}, {"name": "pro", "key": PRO}]},
            ["add closet:air", "remove closet:air"],
            ["auth.sub_keys"],
            id="a laptop's key is replaced",
        ),
        pytest.param({"api_key": NEW}, ["main"], ["auth.api_key"], id="the main key is replaced"),
        pytest.param(
            {"api_key": AIR, "client_keys": [{"name": "pro", "key": PRO}]},
            ["main", "remove closet:air"],
            ["auth.api_key", "auth.sub_keys"],
            id="a laptop's key becomes the main one",
        ),
    ],
)
def test_a_running_server_is_told(
    omlx: OmlxDouble, wanted: dict[str, Any], changes: list[str], names: list[str]
) -> None:
    foretold = bring(omlx, check_mode=True, **wanted)
    assert omlx.changes == []
    told = bring(omlx, **wanted)
    assert told == foretold
    assert omlx.changes == changes
    assert told["changed_keys"] == names
    assert told["restart_needed"] is False
    assert omlx.subs["phone-key"] == "phone", "a key that somebody else made is gone"
    assert in_file(omlx) == Keys(str(omlx.key), omlx.subs)
    assert bring(omlx, **wanted)["changed"] is False


def test_the_digest_that_restarts_it_is_the_same_with_other_keys(omlx: OmlxDouble) -> None:
    assert bring(omlx)["digest"] == bring(omlx, api_key=NEW, client_keys=[])["digest"]


def test_a_file_that_says_other_than_the_server_is_made_to_follow(omlx: OmlxDouble) -> None:
    """What a run leaves that was cut off between the file and the restart that it owed."""
    assert omlx.file is not None
    document = json.loads(omlx.file.read_text())
    document["scheduler"] = {"max_concurrent_requests": 4}
    document["auth"]["sub_keys"] = []
    omlx.file.write_text(json.dumps(document))
    wanted: dict[str, Any] = {
        "settings": {
            "server": {"port": omlx.port},
            "scheduler": {"max_concurrent_requests": 4},
        },
        "client_keys": [{"name": "air", "key": AIR}],
    }
    assert bring(omlx, **wanted)["changed"] is True
    # the server wrote its memory, without the scheduler; the file has both again
    assert omlx.changes == ["remove closet:pro"]
    assert in_file(omlx).subs == omlx.subs
    assert json.loads(omlx.file.read_text())["scheduler"] == {"max_concurrent_requests": 4}


def test_a_server_that_none_of_our_keys_opens_is_restarted(omlx: OmlxDouble) -> None:
    omlx.key = "somebody-elses"
    result = bring(omlx)
    assert result["restart_needed"] is True
    assert in_file(omlx).main == MAIN
    assert omlx.changes == []


def test_taking_the_main_key_away_needs_a_restart(omlx: OmlxDouble) -> None:
    assert bring(omlx, api_key="")["restart_needed"] is True
    assert omlx.key == MAIN


def test_a_server_that_goes_on_taking_a_key_is_an_error(omlx: OmlxDouble) -> None:
    omlx.deaf_to_removals = True
    with pytest.raises(NotToldError, match="still takes a key that was taken away"):
        bring(omlx, client_keys=[])


def test_a_broken_server_is_an_error_only_when_there_is_something_to_tell(omlx: OmlxDouble) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(omlx, "answer", lambda *_: (200, {"engine_pool": {}}, ""))
        assert bring(omlx)["restart_needed"] is True  # it lets nobody log in
    omlx.broken = "/"
    result = bring(omlx, client_keys=[])
    assert result["restart_needed"] is False, "what answers like that is taken for no omlx"


def test_a_server_that_accepts_and_is_silent(tmp_path: Path, omlx: OmlxDouble) -> None:
    assert omlx.file is not None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        document = json.loads(omlx.file.read_text())
        document["server"]["port"] = port
        omlx.file.write_text(json.dumps(document))
        before = omlx.file.read_text()
        closing: dict[str, Any] = {"settings": {"server": {"port": port}}}

        def hung_up(*_: Any) -> Any:
            raise ConnectionResetError("it hung up")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("http.client.HTTPConnection.getresponse", hung_up)
            with pytest.raises(NotToldError, match="the server closed the connection"):
                bring(omlx, client_keys=[], **closing)
            assert omlx.file.read_text() == before
            assert bring(omlx, **closing)["restart_needed"] is False


def test_a_server_that_wants_no_key_and_shall_have_none_is_left_alone(omlx: OmlxDouble) -> None:
    assert omlx.file is not None
    omlx.key = ""
    omlx.save()
    result = bring(omlx, api_key="", client_keys=[])
    assert result["restart_needed"] is False
    assert bring(omlx)["restart_needed"] is True, "it cannot be given its first key live"


def test_what_is_no_omlx_gets_no_key(omlx: OmlxDouble) -> None:
    omlx.broken = "/health"
    bring(omlx, client_keys=[])
    assert {path for _method, path, _body in omlx.requests} == {"/health"}


def test_when_nothing_listens_the_file_is_enough(tmp_path: Path) -> None:
    base = tmp_path / "omlx"
    params = {
        "base_path": str(base),
        "settings": {"server": {"port": 1}},
        "api_key": MAIN,
        "client_keys": [{"name": "air", "key": AIR}],
    }
    result, _ = execute(params)
    assert result["restart_needed"] is False
    auth = json.loads((base / "settings.json").read_text())["auth"]
    assert auth["sub_keys"] == [{"key": AIR, "name": "closet:air", "created_at": ""}]


@pytest.mark.parametrize(
    ("wanted", "error", "sentence"),
    [
        ({"client_keys": [{"name": "air", "key": "abc"}]}, SettingsRefusedError, "key of air"),
        ({"client_keys": [{"name": "air", "key": MAIN}]}, SettingsRefusedError, "same as api_key"),
        (
            {"client_keys": [{"name": "air", "key": NEW}, {"name": "pro", "key": NEW}]},
            SettingsRefusedError,
            "the key of pro is the same as the key of air",
        ),
        (
            {"client_keys": [{"name": "air", "key": AIR}, {"name": "air", "key": PRO}]},
            KeysUnusableError,
            "names air more than once",
        ),
    ],
)
def test_keys_that_cannot_be_used_change_nothing(
    omlx: OmlxDouble, wanted: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    before = in_file(omlx)
    with pytest.raises(error, match=sentence):
        bring(omlx, **wanted)
    assert omlx.changes == []
    assert in_file(omlx) == before


def test_what_is_new_opens_before_what_is_old_closes() -> None:
    have = Keys("old", {"a": "closet:air", "b": "closet:pro"})
    want = Keys("new", {"b": "closet:pro", "c": "closet:air"})
    steps = plan(want, have)
    assert steps == [
        KeyStep("main", "new"),
        KeyStep("add", "c", "closet:air"),
        KeyStep("remove", "a"),
    ]
    assert closed(steps, have, want) == ["a", "old"]
    assert plan(want, want) == []


def test_merged_subs_leaves_what_is_not_ours() -> None:
    have = [{"key": "p", "name": "phone"}, {"key": "a", "name": "closet:air", "created_at": "then"}]
    assert merged_subs(have, {"air": "a"}) == have
    assert merged_subs(have, {}) == have[:1]
    assert merged_subs(None, {}) == []
    assert merged_subs(have, {"air": "p"}) == have[:1], "a key of somebody else's that is wanted"


def test_by_name() -> None:
    assert by_name([{"name": "air", "key": "a"}]) == {"air": "a"}


@pytest.mark.parametrize(
    ("host", "end"),
    [
        (None, "127.0.0.1"),
        (["127.0.0.1", "10.77.31.10"], "127.0.0.1"),
        ("10.77.31.10,127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::1", "::1"),
        ("10.77.31.10", "10.77.31.10"),
    ],
)
def test_where_the_running_server_is_reached(host: Any, end: str) -> None:
    assert local_end({"server": {"host": host, "port": 8001}}) == (end, 8001)
    assert local_end(None) == ("127.0.0.1", 8000)
