# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hubs that refuse, stumble or lie: each has its own sentence, and no token is in it."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from tests.unit.plugins.models.bench import REPO, SHARDS, Bench, served_files, tiny_model
from tests.unit.plugins.models.hub_double import Fault

TOKEN = "hf_secretsecretsecret"


def sentence(bench: Bench, *wants: dict[str, str], **options: Any) -> str:
    with pytest.raises(ModelError) as raised:
        bench.run(*wants, **options)
    text = str(raised.value)
    assert TOKEN not in text
    return text


def test_unknown_repository(bench: Bench) -> None:
    text = sentence(bench)
    assert text.startswith(f"{REPO} is not a repository at {bench.hub.endpoint}.")
    assert "needs a token" in text


def test_unknown_repository_with_a_good_token(bench: Bench) -> None:
    bench.hub.token = TOKEN
    assert sentence(bench, token=TOKEN) == f"{REPO} is not a repository at {bench.hub.endpoint}."


def test_unknown_revision(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    text = sentence(bench, {"repo": REPO, "name": "tiny", "revision": "v9"})
    assert text == f"{REPO} has no revision 'v9' at {bench.hub.endpoint}."


def test_gated_repository_without_a_token(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.gated.add(REPO)
    assert sentence(bench).startswith(f"{REPO} is gated: accept its terms at")


def test_token_without_the_terms_accepted(bench: Bench) -> None:
    bench.hub.faults["api"] = [Fault("status", 403, (("X-Error-Code", "GatedRepo"),))]
    assert sentence(bench, token=TOKEN).startswith(f"the token may not read {REPO}")


def test_refused_token_on_a_public_repository(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    text = sentence(bench, token=TOKEN)
    assert f"{REPO} is public, and {bench.hub.endpoint} refuses it because of the token" in text
    assert TOKEN not in text


@pytest.mark.parametrize("gated", [True, False], ids=["gated", "not there"])
def test_refused_token_where_it_would_be_needed(bench: Bench, gated: bool) -> None:
    if gated:
        bench.hub.publish(REPO, tiny_model())
        bench.hub.gated.add(REPO)
    text = sentence(bench, token=TOKEN)
    assert f"refused the token for {REPO} (401)" in text
    assert TOKEN not in text


def test_a_good_token_opens_a_gated_repository_and_stays_at_the_hub(bench: Bench) -> None:
    model = tiny_model()
    bench.hub.publish(REPO, model)
    bench.hub.gated.add(REPO)
    bench.hub.token = TOKEN
    bench.run(token=TOKEN)
    storage = int(bench.hub.storage.rpartition(":")[2])
    seen = {header for port, header in bench.hub.tokens if port == storage}
    assert bench.hub.paths("/storage/")
    assert seen == {None}


@pytest.mark.parametrize(
    "answer", ["<html>Sign in to the hotel</html>", "[]", '{"sha": "main"}', '{"id": "x"}', "42"]
)
def test_a_hub_that_is_not_a_hub(bench: Bench, answer: str) -> None:
    bench.hub.api_text = answer
    text = sentence(bench)
    assert text.startswith(f"{bench.hub.endpoint} is not a model hub: ")
    assert bench.slept == []


def test_no_route_is_said_with_the_endpoint_after_bounded_tries(bench: Bench) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        bench.hub.endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        text = sentence(bench)
    assert text.startswith(f"{bench.hub.endpoint} was not reached: connection refused")
    assert "Tried 5 times in a row" in text
    assert bench.slept == [1, 2, 4, 8]


def test_check_mode_without_a_route_reports_unknown_sizes(bench: Bench) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        bench.hub.endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        result = bench.run(check_mode=True, tries=2)
    entry = result["models"][0]
    assert (entry["state"], entry["bytes"], entry["revision"]) == ("would_pull", None, "main")
    assert (result["changed"], result["missing_bytes"]) == (True, None)


@pytest.mark.parametrize(
    ("fault", "slept"),
    [
        (Fault("status", 503), 1),
        (Fault("status", 500), 1),
        (Fault("status", 429, (("Retry-After", "7"),)), 7),
        (Fault("status", 429, (("Retry-After", "99999"),)), 300),
    ],
    ids=["503", "500", "429", "429 for a day"],
)
@pytest.mark.parametrize("where", ["api", SHARDS[0]])
def test_a_busy_hub_is_waited_for(bench: Bench, where: str, fault: Fault, slept: int) -> None:
    model = tiny_model()
    bench.hub.publish(REPO, model)
    bench.hub.faults[where] = [fault]
    assert bench.run()["models"][0]["state"] == "pulled"
    assert sum(bench.slept) == slept


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_of_the_storage_gets_a_new_redirect(bench: Bench, status: int) -> None:
    model = tiny_model()
    bench.hub.publish(REPO, model)
    bench.hub.faults[SHARDS[0]] = [Fault("status", status)]
    assert bench.run(connections=1)["models"][0]["state"] == "pulled"
    assert len(bench.hub.paths(f"/resolve/{bench.hub.branches[(REPO, 'main')]}/{SHARDS[0]}")) == 2
    assert bench.slept == [1]
    assert bench.model_files() == served_files(model)


@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_storage_that_goes_on_refusing_is_named(bench: Bench, token: str | None) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.token = TOKEN
    bench.hub.faults[SHARDS[0]] = [Fault("status", 403)] * 40
    text = sentence(bench, token=token)
    assert text.startswith(f"{bench.hub.storage}, to which {bench.hub.endpoint} redirects, ")
    assert f"answered 403 for {SHARDS[0]}" in text
    assert "Tried 9 times" in text
    assert "gated" not in text and "terms" not in text


def test_a_refusal_of_the_hub_for_one_file_is_its_own(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.faults["config.json"] = [Fault("status", 403)]
    assert sentence(bench).startswith(f"{REPO} is gated")
    assert bench.slept == []


LIMIT = Fault("status", 429, (("RateLimit", '"api";r=0;t=187'),))


@pytest.mark.parametrize("where", ["api", SHARDS[0], "config.json"])
def test_the_window_of_a_rate_limit_is_waited_for_and_shown(bench: Bench, where: str) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.faults[where] = [LIMIT]
    assert bench.run()["models"][0]["state"] == "pulled"
    assert sum(bench.slept) == 187
    hub, storage = bench.hub.endpoint, bench.hub.storage
    limit = f"the rate limit of {hub} (models_token would raise it)"
    assert f"waits for {storage if where == SHARDS[0] else limit}, 3 min left" in bench.said[0]
    assert not (bench.store / ".closet.progress.json").exists()


def test_a_rate_limit_that_never_ends_names_the_token(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.faults["api"] = [LIMIT] * 5
    text = sentence(bench)
    assert "allows no more requests for now (429" in text
    assert "set models_token" in text and "It requires a wait of 187 s." in text
    assert sum(bench.slept) == 4 * 187


def test_with_a_token_none_is_advised(bench: Bench) -> None:
    bench.hub.token = TOKEN
    bench.hub.faults["api"] = [LIMIT] * 5
    assert "models_token" not in sentence(bench, token=TOKEN)


@pytest.mark.parametrize("t", [31, 187, 3600])
def test_a_plan_leaves_a_long_wait_to_the_pull_that_can_show_it(bench: Bench, t: int) -> None:
    bench.hub.publish(REPO, tiny_model())
    wait = Fault("status", 429, (("RateLimit", f'"api";r=0;t={t}'),))
    bench.hub.faults["api"] = [wait]
    planned = bench.run(fetch=False)
    assert (planned["pending"], planned["changed"], bench.slept) == (True, False, [])
    bench.hub.faults["api"] = [wait]
    assert bench.run()["models"][0]["state"] == "pulled"
    assert sum(bench.slept) == t


def test_a_plan_waits_for_a_short_time_itself(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.faults["api"] = [Fault("status", 429, (("Retry-After", "30"),))]
    assert bench.run(fetch=False)["models"]
    assert bench.slept == [30]


@pytest.mark.parametrize("kind", ["wrong_range", "wrong_length", "flip", "ignore_range", "etag"])
def test_one_lie_does_no_harm(bench: Bench, kind: str) -> None:
    model = tiny_model()
    bench.hub.publish(REPO, model)
    first = [] if kind == "flip" else [Fault("cut", 1234)]
    bench.hub.faults[SHARDS[0]] = [*first, Fault(kind)]
    bench.run(connections=1)
    assert bench.hub.faults[SHARDS[0]] == []
    assert {p: d for p, d in bench.files().items() if p != ".closet.json"} == served_files(model)


def test_storage_may_name_its_content_as_it_likes(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.faults[SHARDS[0]] = [Fault("etag")]
    bench.run()
    assert bench.slept == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("wrong_range", "the request was for bytes 1234-4999 of 5000"),
        ("wrong_length", "lists 5000"),
        ("flip", "both times their hash was not the listed one"),
    ],
)
def test_a_hub_that_goes_on_lying_is_given_up(bench: Bench, kind: str, words: str) -> None:
    bench.hub.publish(REPO, tiny_model())
    first = [Fault("cut", 1234)] if kind == "wrong_range" else []
    bench.hub.faults[SHARDS[0]] = [*first, *[Fault(kind)] * 40]
    assert words in sentence(bench, connections=1)
    assert not (bench.folder / SHARDS[0]).exists()


@pytest.mark.parametrize(
    "etag",
    [
        f'"{"0" * 40}"',
        "0" * 40,
        f'"{"0" * 64}"',
        f'W/"{"0" * 40}"',
        f'"{"0" * 32}"',
        '"{SHA1{%s}}"' % ("0" * 40),
        "",
    ],
)
def test_an_etag_is_not_held_against_the_content(bench: Bench, etag: str) -> None:
    """A mirror names files by hashes of its own; what the bytes hash to decides."""
    bench.hub.publish(REPO, tiny_model())
    bench.hub.etag = etag
    assert bench.run()["models"][0]["state"] == "pulled"
    assert bench.slept == []
    assert bench.model_files() == served_files(tiny_model())


@pytest.mark.parametrize("etag", [f'"{"0" * 40}"', '"none"', "0" * 32])
def test_a_linked_etag_that_is_no_sha256_says_nothing(bench: Bench, etag: str) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.linked_etag = etag
    assert bench.run()["models"][0]["state"] == "pulled"
    assert bench.slept == []


@pytest.mark.parametrize("etag", [f'"{"0" * 64}"', "0" * 64, f'W/"{"0" * 64}"'])
def test_a_hub_that_links_to_other_content_is_named(bench: Bench, etag: str) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.linked_etag = etag
    assert "sends other content than it lists" in sentence(bench)


def test_wrong_content_of_a_small_file_is_found_by_its_bytes(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.faults["config.json"] = [Fault("flip")] * 2
    assert "config.json" in (text := sentence(bench))
    assert "both times their hash was not the listed one" in text


def test_a_hub_without_ranges_that_is_always_cut_is_given_up(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.no_ranges = True
    bench.hub.faults[SHARDS[0]] = [Fault("cut", 4000)] * 40
    assert "cannot resume a file in the middle" in sentence(bench)


def test_a_full_disk_keeps_what_arrived(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()
    bench.hub.publish(REPO, model)
    real = os.pwrite

    def full(descriptor: int, data: memoryview, offset: int) -> int:
        if len(data) > 1000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    assert f"the disk of {bench.store} is full" in sentence(bench, connections=1)
    monkeypatch.setattr(os, "pwrite", real)
    bench.forget_requests()
    bench.run(connections=1)
    assert [path for path in bench.hub.bodies if "index.json" in path] == []


def test_a_folder_that_cannot_be_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.hub.publish(REPO, tiny_model())

    def refuse(path: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    text = sentence(bench)
    assert text.startswith(f"{bench.store} may not be written by uid {os.geteuid()}")
