"""lab.hub: what goes wrong with a pull, each thing as a test orders it."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lab.hub.content import ContentError, place
from lab.hub.served import Served
from lab.hub.storage import storage_origin
from lab.hub.web import Span, shifted
from tests.unit.lab.hub_bench import CONFIG, REPO, WEIGHTS, Lab, running_hub

FILE = f"/{REPO}/resolve/main/model.safetensors"
SMALL = f"/{REPO}/resolve/main/config.json"


# --- two origins -------------------------------------------------------------------------------


def test_a_big_file_lives_at_a_second_origin_that_is_not_told_the_token(lab: Lab) -> None:
    asked = lab.hub(FILE, follow=False)
    target = urlsplit(asked.headers["location"])
    assert (asked.status, target.port) == (302, lab.storage.port)
    signed = f"{target.path}?{target.query}"
    got = lab.storage(signed)
    assert (got.status, got.body) == (200, WEIGHTS)
    assert got.headers["etag"].strip('"') != hashlib.sha256(WEIGHTS).hexdigest()
    assert lab.storage(signed, Authorization="Bearer hf_x").status == 400


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (("Signature=", "Signature=0"), 403),
        (("path=model.safetensors", "path=config.json"), 403),
        (("/lab-bridge/", "/other/"), 404),
    ],
)
def test_the_storage_gives_out_what_the_hub_signed_and_nothing_else(
    lab: Lab, change: tuple[str, str], status: int
) -> None:
    target = urlsplit(lab.hub(FILE, follow=False).headers["location"])
    assert lab.storage(f"{target.path}?{target.query}".replace(*change)).status == status


def test_an_address_of_the_storage_expires(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.hub.storage.LIFETIME_S", -1)
    assert lab.hub(FILE).status == 403


def test_a_small_file_is_redirected_within_the_hub(lab: Lab) -> None:
    asked = lab.hub(SMALL, follow=False)
    assert asked.status == 307
    assert asked.headers["location"].startswith(f"/api/resolve-cache/models/{REPO}/")
    cached = lab.hub(asked.headers["location"])
    assert cached.body == CONFIG
    assert cached.headers["etag"] == asked.headers["etag"]


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("hub.local:8080", "http://cdn.hub.local:8082"),
        ("10.77.31.2:8080", "http://10.77.31.2:8082"),
        ("hub:8080", "http://hub:8082"),
        ("hub.local", "http://cdn.hub.local:8082"),
    ],
)
def test_the_second_origin_has_a_name_where_the_first_one_has(host: str, origin: str) -> None:
    assert storage_origin(host, 8082) == origin


# --- revisions ---------------------------------------------------------------------------------


def test_a_commit_moves_its_branch_and_the_old_one_stays(lab: Lab) -> None:
    before = lab.hub(f"/api/models/{REPO}").json["sha"]
    lab.order("refs", {"repo": REPO, "name": "v1", "revision": "main", "tag": True})
    asked = {"repo": REPO, "files": {"config.json": {"text": "{}"}, "sub/notes.txt": None}}
    after = lab.order("commits", asked)["commit"]
    for revision, sha, config in (
        ("main", after, b"{}"),
        (after, after, b"{}"),
        ("v1", before, CONFIG),
        (before, before, CONFIG),
    ):
        info = lab.hub(f"/api/models/{REPO}/revision/{revision}").json
        assert info["sha"] == sha
        assert lab.hub(f"/{REPO}/resolve/{revision}/config.json").body == config
    names = [entry["path"] for entry in lab.hub(f"/api/models/{REPO}/tree/main").json]
    assert names == ["config.json", "model.safetensors"]
    history = lab.hub(f"/api/models/{REPO}/commits/main").json
    assert [each["id"] for each in history] == [after, before]


def test_a_branch_can_be_moved_back_and_content_that_returns_is_another_commit(lab: Lab) -> None:
    first = lab.hub(f"/api/models/{REPO}").json["sha"]
    lab.order("commits", {"repo": REPO, "files": {"config.json": {"text": "{}"}}})
    again = {"repo": REPO, "files": {"config.json": {"text": CONFIG.decode()}}}
    assert lab.order("commits", again)["commit"] != first
    lab.order("refs", {"repo": REPO, "name": "main", "revision": first})
    refs = lab.hub(f"/api/models/{REPO}/refs").json
    assert refs["branches"] == [
        {"name": "main", "ref": "refs/heads/main", "targetCommit": first},
    ]


def test_a_test_can_make_a_repository_from_another(lab: Lab) -> None:
    asked = {"repo": "made/here", "branch": "dev", "from": REPO, "files": {"a": {"text": "b"}}}
    commit = lab.order("commits", asked)["commit"]
    assert lab.hub(f"/api/models/made/here/revision/{commit}").status == 200
    assert lab.hub("/made/here/resolve/dev/model.safetensors").body == WEIGHTS
    assert lab.hub("/api/models/made/here").status == 404, "it has no main"
    assert lab.hub("/_lab/repositories", "DELETE").json == {"cleared": 1}
    assert lab.hub("/api/models/made/here/revision/dev").status == 401


def test_what_tests_made_outlives_the_hub(tmp_path: Path) -> None:
    with running_hub(tmp_path) as before:
        asked = {"repo": "made/here", "files": {"a.txt": {"text": "b"}}}
        commit = before.order("commits", asked)["commit"]
        before.order("accounts", {"token": "hf_a", "repos": ["made/*"]})
        before.order("access", {"repo": "made/here", "gated": "auto"})
        before.hub("/made/here/resolve/main/a.txt", Authorization="Bearer hf_a")
        before.order("faults", {"delay_s": 0.1, "times": 2})
        before.hub(SMALL)
    with running_hub(tmp_path) as after:
        assert [(each["id"], each["used"]) for each in after.hub("/_lab/faults").json] == [(1, 1)]
        assert after.hub("/api/models/made/here").json["sha"] == commit
        assert after.hub("/made/here/resolve/main/a.txt").status == 401
        assert after.hub("/made/here/resolve/main/a.txt", Authorization="Bearer hf_a").body == b"b"
        rows = after.hub("/_lab/served").json
        assert [(row["path"], row["bytes"]) for row in rows] == [
            ("config.json", len(CONFIG)),
            ("a.txt", 2 * len(b"b")),
        ]


@pytest.mark.parametrize(
    ("what", "asked", "says"),
    [
        ("commits", {"repo": "bad"}, "owner/name"),
        ("commits", {"files": {}}, "'repo' is missing"),
        ("commits", {"repo": REPO, "from": "no/such"}, "there is no no/such"),
        ("commits", {"repo": REPO, "files": {"a": {"size": -1}}}, "is no size"),
        ("commits", {"repo": REPO, "files": {"a": "text"}}, "a content is an object"),
        ("refs", {"repo": REPO, "name": "x", "revision": "gone"}, "no revision 'gone'"),
        ("access", {"repo": REPO, "gated": "shut"}, "gated is one of"),
        ("access", {"repo": "no/such"}, "there is no no/such"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(
    lab: Lab, what: str, asked: Any, says: str
) -> None:
    answer = lab.hub(f"/_lab/{what}", "POST", asked)
    assert answer.status == 400
    assert says in answer.json["error"]


# --- gates and tokens --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "info", "file", "code"),
    [
        (None, 200, 401, "GatedRepo"),
        ("hf_other", 200, 403, "GatedRepo"),
        ("hf_wrong", 401, 401, None),
        ("hf_in", 200, 200, None),
    ],
)
def test_a_gated_repository(
    lab: Lab, token: str | None, info: int, file: int, code: str | None
) -> None:
    lab.order("access", {"repo": REPO, "gated": "manual"})
    lab.order("accounts", {"token": "hf_in", "repos": [REPO]})
    lab.order("accounts", {"token": "hf_other"})
    headers: dict[str, Any] = {"Authorization": f"Bearer {token}"} if token else {}
    told = lab.hub(f"/api/models/{REPO}", **headers)
    got = lab.hub(FILE, **headers)
    assert (told.status, got.status, got.headers.get("x-error-code")) == (info, file, code)
    assert info != 200 or told.json["gated"] == "manual"


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [(None, 401, "RepoNotFound"), ("hf_other", 404, "RepoNotFound"), ("hf_in", 200, None)],
)
def test_a_private_repository_is_not_there_for_others(
    lab: Lab, token: str | None, status: int, code: str | None
) -> None:
    lab.order("access", {"repo": REPO, "private": True})
    lab.order("accounts", {"token": "hf_in", "repos": ["acme/*"]})
    lab.order("accounts", {"token": "hf_other"})
    headers: dict[str, Any] = {"Authorization": f"Bearer {token}"} if token else {}
    for path in (f"/api/models/{REPO}", FILE):
        answer = lab.hub(path, **headers)
        assert (answer.status, answer.headers.get("x-error-code")) == (status, code)
    assert lab.hub("/api/models?search=tiny").json == []


def test_a_refused_token_closes_public_repositories_too(lab: Lab) -> None:
    lab.order("accounts", {"token": "hf_in"})
    answer = lab.hub(SMALL, Authorization="Bearer hf_wrong")
    assert answer.status == 401
    assert answer.json == {"error": "Invalid credentials in Authorization header"}
    assert lab.hub(SMALL).status == 200


# --- faults of a body --------------------------------------------------------------------------


def test_ranges_can_be_ignored(lab: Lab) -> None:
    lab.order("faults", {"path": "*.safetensors", "ignore_range": True})
    got = lab.hub(FILE, Range="bytes=100-199")
    assert (got.status, got.body) == (200, WEIGHTS)


def test_a_206_can_carry_another_range_than_was_asked_for(lab: Lab) -> None:
    lab.order("faults", {"range_shift": -10})
    got = lab.hub(FILE, Range="bytes=100-199")
    assert (got.status, got.body) == (206, WEIGHTS[90:190])
    assert got.headers["content-range"] == f"bytes 90-189/{len(WEIGHTS)}"
    assert lab.hub(FILE).body == WEIGHTS, "nothing to shift without a range"


@pytest.mark.parametrize("by", [-5, -1000, 3, 1000])
def test_a_shifted_range_stays_inside_the_file(by: int) -> None:
    span = shifted(Span(4, 9, partial=True), by, 12)
    assert 0 <= span.start <= span.end <= 11


@pytest.mark.parametrize("delta", [-40, 40])
def test_a_length_can_be_wrong(lab: Lab, delta: int) -> None:
    lab.order("faults", {"length_delta": delta})
    got = lab.hub(FILE)
    assert got.headers["content-length"] == str(len(WEIGHTS) + delta)
    assert got.body == WEIGHTS[: len(WEIGHTS) + min(delta, 0)]
    assert lab.last_request(FILE).get("cut", False) is (delta > 0)


def test_a_bit_can_arrive_wrong_and_stays_in_its_place_whatever_the_range(lab: Lab) -> None:
    lab.order("faults", {"flip_at": 5000})
    wrong = WEIGHTS[:5000] + bytes([WEIGHTS[5000] ^ 1]) + WEIGHTS[5001:]
    assert lab.hub(FILE).body == wrong
    assert lab.hub(FILE, Range="bytes=4990-5009").body == wrong[4990:5010]
    assert lab.hub(FILE, Range="bytes=0-99").body == WEIGHTS[:100]


@pytest.mark.parametrize(("path", "content"), [(FILE, WEIGHTS), (SMALL, CONFIG)])
def test_other_content_under_the_same_name_has_its_own_etag(
    lab: Lab, path: str, content: bytes
) -> None:
    name = "x-linked-etag" if path == FILE else "etag"
    honest = lab.hub(path, follow=False).headers[name]
    lab.order("faults", {"changed": True, "times": 1})
    changed = lab.hub(path, follow=False)
    assert changed.headers[name] != honest
    target = urlsplit(changed.headers["location"])
    other = lab.storage if path == FILE else lab.hub
    body = other(f"{target.path}?{target.query}").body
    assert len(body) == len(content)
    assert body != content
    assert lab.hub(path).body == content


def test_bursts_come_at_once_and_pauses_between_them(lab: Lab) -> None:
    lab.order("faults", {"burst_bytes": 4096, "pause_s": 0.1})
    began = time.monotonic()
    assert lab.hub(FILE).body == WEIGHTS
    assert time.monotonic() - began >= 0.2, "two pauses in ten kilobytes"


def test_a_page_can_stand_where_the_hub_was(lab: Lab) -> None:
    lab.order("faults", {"page": "<html>log in</html>", "route": "*"})
    for path in (f"/api/models/{REPO}", FILE):
        got = lab.hub(path)
        assert (got.status, got.body) == (200, b"<html>log in</html>")
        assert got.headers["content-type"].startswith("text/html")


def test_the_storage_can_fail_where_the_hub_does_not(lab: Lab) -> None:
    lab.order("faults", {"route": "storage", "status": 503, "retry_after_s": 2, "times": 1})
    refused = lab.hub(FILE)
    assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    assert lab.hub(FILE).body == WEIGHTS


def test_the_storage_refuses_in_words_of_its_own(lab: Lab) -> None:
    denied = {"route": "storage", "status": 403, "error_code": "AccessDenied", "times": 1}
    lab.order("faults", {**denied, "headers": {"x-amz-request-id": "1"}})
    refused = lab.hub(FILE)
    assert (refused.status, refused.headers["x-amz-request-id"]) == (403, "1")
    assert b"<Code>AccessDenied</Code>" in refused.body
    assert "x-error-code" not in refused.headers
    assert lab.hub(FILE).body == WEIGHTS


def test_a_fault_of_one_file_and_one_route_is_nobody_elses(lab: Lab) -> None:
    lab.order("faults", {"path": "model.safetensors", "cut_after_bytes": 10})
    lab.order("faults", {"path": "model.safetensors", "status": 500, "times": 1})
    assert lab.hub(SMALL).body == CONFIG
    assert lab.hub(FILE).status == 500
    assert lab.hub(FILE).body == WEIGHTS[:10]
    used = [fault["used"] for fault in lab.hub("/_lab/faults").json]
    assert used == [1, 1], "the redirect did not use up the fault of the body"


# --- counting ----------------------------------------------------------------------------------


def test_bytes_are_counted_by_file_as_they_leave(lab: Lab) -> None:
    lab.hub(FILE, Range="bytes=0-99")
    lab.hub(FILE, "HEAD")
    lab.hub(SMALL)
    expected = [
        {
            "repo": REPO,
            "path": path,
            "client": "127.0.0.1",
            "bytes": size,
            "requests": requests,
        }
        for path, size, requests in (
            ("config.json", len(CONFIG), 1),
            ("model.safetensors", 100, 2),
        )
    ]
    assert lab.hub("/_lab/served").json == expected
    assert lab.hub("/_lab/served", "DELETE").json == {"cleared": 2}
    assert lab.hub("/_lab/served").json == []


def test_a_count_is_on_disk_before_the_answer_has_ended(tmp_path: Path) -> None:
    served = Served(tmp_path)
    count = served.begin("acme/x", "a b.bin", "10.0.0.1")
    count.add(7)
    row = {"repo": "acme/x", "path": "a b.bin", "client": "10.0.0.1", "bytes": 7, "requests": 1}
    assert Served(tmp_path).listing() == [row], "as after a kill"


def test_counting_from_many_threads_loses_nothing(tmp_path: Path) -> None:
    served = Served(tmp_path)
    counts = [served.begin("acme/x", "f", "c") for _ in range(8)]
    threads = [
        threading.Thread(target=lambda count=count: [count.add(1) for _ in range(50)])
        for count in counts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert served.listing()[0]["bytes"] == 400


# --- large contents ----------------------------------------------------------------------------


def test_a_large_file_takes_hardly_any_disk_and_has_its_true_hash(tmp_path: Path) -> None:
    size = 48 << 20
    file = place("big.safetensors", {"size": size, "seed": 3}, tmp_path / "blobs", tmp_path)
    assert file.source.stat().st_size == size
    assert file.source.stat().st_blocks * 512 < size / 50
    content = file.source.read_bytes()
    assert hashlib.sha256(content).hexdigest() == file.digest.sha256
    assert content[: len(b"3:0;")] == b"3:0;"
    assert content[1 << 20 :].startswith(b"3:1048576;")
    again = place("other.bin", {"size": size, "seed": 3}, tmp_path / "blobs", tmp_path)
    assert again.source == file.source
    other = place("big.safetensors", {"size": size, "seed": 4}, tmp_path / "blobs", tmp_path)
    assert other.digest != file.digest


@pytest.mark.parametrize("wanted", [{"size": 0}, {"size": 9, "sed": 1}, {"text": 1}, {}, 7])
def test_a_content_that_cannot_be_made_is_refused(wanted: Any, tmp_path: Path) -> None:
    with pytest.raises(ContentError):
        place("a", wanted, tmp_path, tmp_path)


def test_a_large_file_is_served_in_ranges(lab: Lab) -> None:
    size = 12 << 20
    files = {"big.safetensors": {"size": size, "seed": 1}, "plain.dat": {"size": 5000}}
    lab.order("commits", {"repo": "acme/big", "files": files})
    tree = {entry["path"]: entry for entry in lab.hub("/api/models/acme/big/tree/main").json}
    whole = lab.hub("/acme/big/resolve/main/big.safetensors").body
    assert hashlib.sha256(whole).hexdigest() == tree["big.safetensors"]["lfs"]["oid"]
    part = lab.hub("/acme/big/resolve/main/big.safetensors", Range=f"bytes={9 << 20}-")
    assert part.body == whole[9 << 20 :]
    plain = lab.hub("/acme/big/resolve/main/plain.dat").body
    git = hashlib.sha1(b"blob %d\0" % len(plain) + plain).hexdigest()
    assert git == tree["plain.dat"]["oid"]


# --- headers -----------------------------------------------------------------------------------


def test_a_test_words_the_link_to_the_next_page(lab: Lab) -> None:
    words = '</docs>; rel="help", <{path}>; title="more"; rel="next"'
    lab.hub("/_lab/faults", "POST", {"route": "tree", "headers": {"Link": words}})
    page = f"/api/models/{REPO}/tree/main"
    first = lab.hub(f"{page}?limit=1").headers["link"]
    target = f"{page}?recursive=false&limit=1&cursor=1"
    assert first == f'</docs>; rel="help", <{target}>; title="more"; rel="next"'
    assert "link" not in lab.hub(page).headers


def test_the_hub_answers_below_the_prefix_of_a_mirror(lab: Lab) -> None:
    below = "/artifactory/api/huggingfaceml/ext"
    page = f"{below}/api/models/{REPO}/tree/main?limit=1"
    assert f"{below}/api/models/{REPO}/tree/main?" in lab.hub(page).headers["link"]
    words = "<{path}>; rel=next, <{below}>; rel=up"
    lab.hub("/_lab/faults", "POST", {"route": "tree", "headers": {"Link": words}})
    own, _, full = lab.hub(page).headers["link"].partition(", ")
    assert own.startswith("</api/models/") and full.startswith(f"<{below}/api/models/")
    assert lab.hub(f"{below}{SMALL}").body == CONFIG
    assert lab.hub(f"{below}{FILE}").body == WEIGHTS


def test_a_refusal_carries_the_headers_that_a_test_gives(lab: Lab) -> None:
    limit = {"RateLimit": '"api";r=0;t=187'}
    lab.hub("/_lab/faults", "POST", {"route": "info", "status": 429, "headers": limit})
    assert lab.hub(f"/api/models/{REPO}").headers["ratelimit"] == limit["RateLimit"]
