# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running omlx is told of models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models import server as unit
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.server import (
    Server,
    missing,
    read_status,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner
from tests.unit.plugins.omlx_double import OmlxDouble, running_omlx

KEY = "sk-main-1234"
BUSY = {"active_requests": 1}


class Clock(Runner):
    """A runner whose waiting costs no time."""

    def __init__(self) -> None:
        self.time = 0.0

    def sleep(self, seconds: float) -> None:
        self.time += max(0.0, seconds)

    def now(self) -> float:
        return self.time


@pytest.fixture
def omlx() -> Iterator[OmlxDouble]:
    with running_omlx() as double:
        yield double


def client(omlx: OmlxDouble, key: str | None = KEY) -> Server:
    return Server(omlx.url, key, Clock())


# --- tell --------------------------------------------------------------------------------------


def test_a_server_that_offers_everything_is_left_alone(omlx: OmlxDouble) -> None:
    omlx.models = {"qwen3": 105}
    assert client(omlx).tell({"qwen3": 100}, changed=False).state == unit.CURRENT
    assert omlx.asked("/admin/api/login") == 0, "nothing to do needs no login"


@pytest.mark.parametrize("offered", [{}, {"qwen3": 50}], ids=["not listed", "half of it"])
def test_a_model_that_is_not_offered_whole_leads_to_one_reload(
    omlx: OmlxDouble, offered: dict[str, int]
) -> None:
    omlx.models, omlx.on_disk = offered, {"qwen3": 105}
    assert client(omlx).tell({"qwen3": 100}, changed=False).state == unit.RELOADED
    assert omlx.reloads == 1


def test_changed_files_lead_to_a_reload_though_the_names_are_the_same(omlx: OmlxDouble) -> None:
    omlx.models = omlx.on_disk = {"qwen3": 105}
    assert client(omlx).tell({"qwen3": 100}, changed=True).state == unit.RELOADED


@pytest.mark.parametrize("busy", [BUSY, {"waiting_requests": 2}, {"models_loading": 1}])
def test_a_reload_waits_until_the_server_has_come_to_rest(
    omlx: OmlxDouble, busy: dict[str, int]
) -> None:
    omlx.on_disk = {"qwen3": 105}
    # busy when we come, a gap between two requests, busy again, then quiet
    omlx.statuses = [{}, busy, {}, busy, {}, {}]
    assert client(omlx).tell({"qwen3": 100}, changed=True).state == unit.RELOADED
    assert omlx.statuses == [{}]


def test_a_server_that_does_not_rest_in_time_keeps_its_models(omlx: OmlxDouble) -> None:
    omlx.on_disk, omlx.statuses = {"qwen3": 105}, [BUSY]
    told = client(omlx).tell({"qwen3": 100}, changed=True, idle_wait_s=30)
    assert (told.state, omlx.reloads) == (unit.BUSY, 0)
    assert "is answering 1 request, and was not idle within 30 s" in told.sentence


def test_a_model_that_does_not_appear_is_an_error_that_names_it(omlx: OmlxDouble) -> None:
    omlx.on_disk = {"qwen3": 50}
    with pytest.raises(ModelError, match=r"does not list other \(and 1 more\)"):
        client(omlx).tell({"qwen3": 100, "other": 1}, changed=True)
    with pytest.raises(ModelError, match="lists qwen3 with 50 bytes of weights instead of 100"):
        client(omlx).tell({"qwen3": 100}, changed=True)


def test_a_server_that_is_down_is_no_error() -> None:
    with running_omlx() as omlx:
        url = omlx.url
    told = Server(url, KEY, Clock()).tell({"qwen3": 100}, changed=True)
    assert told.state == unit.DOWN
    assert "nothing listens there" in told.sentence


def test_a_server_that_is_starting_counts_as_down(omlx: OmlxDouble) -> None:
    omlx.failing = [503]
    assert client(omlx).tell({"qwen3": 100}, changed=True).state == unit.DOWN


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("sk-wrong", "did not take the one given"),
        (None, "wants a key"),
        ("two words", "ASCII without blanks"),
        ("schlüssel", "ASCII without blanks"),
        ("line\nbreak", "ASCII without blanks"),
    ],
)
def test_a_wrong_key_is_a_sentence_without_the_key(
    omlx: OmlxDouble, key: str | None, says: str
) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        client(omlx, key).tell({"qwen3": 100}, changed=True)
    assert key is None or key not in str(caught.value)


def test_a_session_that_ended_is_renewed_once(omlx: OmlxDouble) -> None:
    omlx.on_disk = {"qwen3": 105}
    server = client(omlx)
    server.tell({"qwen3": 100}, changed=True)
    omlx.sessions.clear()
    assert server.tell({"qwen3": 100}, changed=True).state == unit.RELOADED
    assert omlx.asked("/admin/api/login") == 2


def test_a_server_without_a_key_has_no_admin_api_to_ask(omlx: OmlxDouble) -> None:
    omlx.key = None
    with pytest.raises(ModelError, match="has no API key of its own"):
        client(omlx).tell({"qwen3": 100}, changed=True)


def test_something_else_that_answers_is_called_so(omlx: OmlxDouble) -> None:
    other = Server(f"{omlx.url}/elsewhere", KEY, Clock())
    with pytest.raises(ModelError, match="is not omlx"):
        other.tell({"qwen3": 100}, changed=True)


@pytest.mark.parametrize("url", ["attic:8000", "http://u:p@attic", "ftp://attic", ""])
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(ModelError, match="server_url cannot be used"):
        Server(url, KEY, Clock())


def test_a_client_address_is_taken_as_well(omlx: OmlxDouble) -> None:
    omlx.models = {"qwen3": 105}
    server = Server(f"{omlx.url}/v1/", KEY, Clock())
    assert server.tell({"qwen3": 100}, changed=False).state == unit.CURRENT


def test_what_a_status_lacks_counts_as_nothing() -> None:
    status = read_status({"models": [{"id": "a"}, {"no": "id"}, "x"]}, None)
    assert (status.models, status.busy) == ({"a": 0}, None)
    assert read_status([], {"active_requests": "many"}).busy is None
    assert missing({"a": 0, "b": 1}, status.models) == ["does not list b"]
