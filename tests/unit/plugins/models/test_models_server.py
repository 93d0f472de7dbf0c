# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running omlx is told of models, or asked to fetch one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models import server as unit
from ansible_collections.closet.inference.plugins.module_utils.models.download import PullLimits
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.server import (
    Server,
    missing,
    read_status,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner
from tests.unit.plugins.omlx_double import OmlxDouble, Steps, running_omlx

KEY = "sk-main-1234"
REPO = "acme/tiny-mlx"
TOKEN = "hf_secret_token"
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
    assert "is answering 1 request, and did not come to rest within 30 s" in told.sentence


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


# --- pull --------------------------------------------------------------------------------------


def moving(*sizes: int, total: int = 100) -> Steps:
    steps = [
        {"status": "downloading", "downloaded_size": size, "total_size": total} for size in sizes
    ]
    return [*steps, {"status": "completed", "downloaded_size": total}]


def failed(error: str) -> Steps:
    return [{"status": "failed", "error": error}]


def test_a_download_is_asked_for_and_followed(omlx: OmlxDouble) -> None:
    omlx.script[REPO] = [moving(10, 60)]
    heard: list[tuple[int, int]] = []
    pulled = client(omlx).pull(REPO, token=TOKEN, heard=lambda *seen: heard.append(seen))
    assert (pulled.adopted, pulled.requests) == (False, 1)
    assert heard == [(10, 100), (60, 100)]
    bodies = [body for _method, path, body in omlx.requests if path == "/admin/api/hf/download"]
    assert bodies == [{"repo_id": REPO, "hf_token": TOKEN}]


def test_a_running_download_is_adopted(omlx: OmlxDouble) -> None:
    omlx.script[REPO] = [moving(10, 60)]
    omlx.enqueue(REPO)
    pulled = client(omlx).pull(REPO)
    assert (pulled.adopted, pulled.requests) == (True, 0)


def test_a_download_that_somebody_starts_at_the_same_moment_is_adopted(omlx: OmlxDouble) -> None:
    omlx.script[REPO] = [moving(10, 60)]
    look = omlx.advance

    def look_then_lose_the_race() -> None:
        look()
        if not omlx.tasks:
            omlx.enqueue(REPO)  # after the client's look, before its request

    omlx.advance = look_then_lose_the_race  # type: ignore[method-assign]
    pulled = client(omlx).pull(REPO)
    assert (pulled.adopted, pulled.requests) == (True, 1)


def test_an_old_row_of_the_queue_is_not_the_answer(omlx: OmlxDouble) -> None:
    omlx.script[REPO] = [failed("old"), moving(50)]
    omlx.enqueue(REPO)
    omlx.advance()
    pulled = client(omlx).pull(REPO)
    assert (pulled.adopted, pulled.requests) == (False, 1)


def test_a_restart_that_emptied_the_queue_is_survived(omlx: OmlxDouble) -> None:
    before: Steps = [{"status": "downloading", "downloaded_size": 40}, {"restart": True}]
    omlx.script[REPO] = [before, moving(10, 60)]
    pulled = client(omlx).pull(REPO)
    assert pulled.requests == 2
    assert omlx.asked("/admin/api/login") == 2, "the session was lost with the server"


def test_a_server_that_is_away_for_a_while_is_waited_for(omlx: OmlxDouble) -> None:
    omlx.script[REPO] = [moving(10, 20)]
    omlx.failing = [503, 502, 504, 503]
    assert client(omlx).pull(REPO).requests == 1


def test_a_server_that_stays_away_is_an_error_after_its_time() -> None:
    with running_omlx() as omlx:
        server = client(omlx)
    with pytest.raises(ModelError, match=r"nothing listens there, for 30\d? s"):
        server.pull(REPO)


def test_a_server_that_loses_it_all_the_time_is_not_asked_for_ever(omlx: OmlxDouble) -> None:
    omlx.script[REPO] = [[{"status": "downloading"}, {"restart": True}]]
    with pytest.raises(ModelError, match="lost the download of acme/tiny-mlx 20 times"):
        client(omlx).pull(REPO)


def test_a_download_that_does_not_move_is_left_after_the_stall_time(omlx: OmlxDouble) -> None:
    omlx.script[REPO] = [[{"status": "downloading", "downloaded_size": 5}]]
    with pytest.raises(ModelError, match=r"has not moved for 6\d s"):
        client(omlx).pull(REPO, PullLimits(stall_s=60))


def test_waiting_behind_a_download_that_moves_is_no_stall(omlx: OmlxDouble) -> None:
    slow = moving(*range(1, 100))
    omlx.script["acme/other"] = [slow]
    omlx.enqueue("acme/other")
    omlx.script[REPO] = [[{"status": "pending"}] * 100 + moving(50)]
    assert client(omlx).pull(REPO, PullLimits(stall_s=20)).requests == 1


def test_the_overall_deadline_ends_even_what_moves(omlx: OmlxDouble) -> None:
    omlx.script[REPO] = [moving(*range(1, 1000))]
    with pytest.raises(ModelError, match="did not finish acme/tiny-mlx within 100 s"):
        client(omlx).pull(REPO, PullLimits(overall_s=100))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            f"Repository not found: {REPO}. This may be a gated model that requires "
            "HuggingFace authentication.",
            "knows no such repository, or shows it only to a token",
        ),
        (f"Repository '{REPO}' is gated. Please provide a valid HF token.", "accept its terms"),
        ("[Errno 28] No space left on device", "disk is full"),
        ("[Errno 13] Permission denied: '/m'", "who owns it"),
    ],
)
def test_an_error_that_will_stay_is_told_at_once_in_plain_words(
    omlx: OmlxDouble, error: str, says: str
) -> None:
    omlx.script[REPO] = [failed(error)]
    with pytest.raises(ModelError, match=says):
        client(omlx).pull(REPO)
    assert omlx.asked("/admin/api/hf/download") == 1


def test_an_error_that_may_pass_is_tried_again(omlx: OmlxDouble) -> None:
    omlx.script[REPO] = [failed("Connection reset"), failed("timed out"), moving(50)]
    assert client(omlx).pull(REPO).requests == 3


def test_an_error_that_does_not_pass_is_told_without_the_token(omlx: OmlxDouble) -> None:
    omlx.script[REPO] = [failed(f"403 for\n token {TOKEN}")]
    with pytest.raises(ModelError, match=r"it says: 403 for token …\. Tried 3 times") as caught:
        client(omlx).pull(REPO, token=TOKEN)
    assert TOKEN not in str(caught.value)


def test_a_download_that_a_person_cancelled_is_not_taken_up_behind_their_back(
    omlx: OmlxDouble,
) -> None:
    omlx.script[REPO] = [[{"status": "downloading"}, {"status": "cancelled"}]]
    with pytest.raises(ModelError, match="somebody ended the download"):
        client(omlx).pull(REPO)
    assert omlx.asked("/admin/api/hf/download") == 1


def test_a_malformed_repository_is_refused_before_anything_is_asked(omlx: OmlxDouble) -> None:
    with pytest.raises(ModelError, match="is not a model repository"):
        client(omlx).pull("no-owner")
    assert omlx.requests == []
