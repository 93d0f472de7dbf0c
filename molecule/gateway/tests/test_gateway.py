"""The gateway: keys, names and paths in front of a model server that knows none of them."""

from __future__ import annotations

import http.client
import json
import re
from typing import Any

import pytest
from lab_mac import Entry, Job, Mac, closet_key, eventually

JOB = Job("inference.closet.gateway", "/var/log/closet/gateway/gateway.log")
PLIST = f"/Library/LaunchDaemons/{JOB.label}.plist"
CONFIG = "/Users/admin/.closet-gateway/Caddyfile"
FILES = {
    PLIST: Entry("file", "root", "wheel", "0644"),
    CONFIG: Entry("file", "admin", "staff", "0600"),
    "/Users/admin/.closet-gateway": Entry("folder", "admin", "staff", "0700"),
    "/var/log/closet/gateway": Entry("folder", "admin", "staff", "0750"),
}
PORT, MODEL = 8000, "qwen3-coder-next"
QUESTION = {"messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 32}


@pytest.fixture(scope="module")
def key(closet: Mac) -> str:
    return closet_key(closet)


def ask(closet: Mac, path: str, key: str = "", body: Any = None) -> tuple[int, str]:
    """Ask over the LAN; returns the status and the text of the answer."""
    talk = http.client.HTTPConnection(closet.address, PORT, timeout=60)
    headers = {"Content-Type": "application/json", "Origin": "http://elsewhere.example"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    talk.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
    answer = talk.getresponse()
    return answer.status, answer.read().decode()


def pid(closet: Mac, label: str) -> str:
    found = re.search(r"^\tpid = (\d+)$", closet.job(label), re.MULTILINE)
    assert found, f"launchd runs no process for {label}"
    return found[1]


def test_files_are_whose_they_should_be(closet: Mac) -> None:
    assert closet.entries(*FILES) == FILES


def test_launchd_runs_caddy_as_the_account(closet: Mac) -> None:
    assert closet.read(f"ps -o user= -p {pid(closet, JOB.label)}") == "admin"


@pytest.mark.parametrize("wrong", ["", "not-the-key", "*"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/", "/health"])
def test_without_the_key_nobody_is_answered(closet: Mac, path: str, wrong: str) -> None:
    status, told = ask(closet, path, wrong)
    assert (status, json.loads(told)["error"]["code"]) == (401, "invalid_api_key")


def test_a_key_with_more_behind_it_is_another_key(closet: Mac, key: str) -> None:
    assert ask(closet, "/v1/models", f"{key}x")[0] == 401
    assert ask(closet, "/v1/models", key[:-1])[0] == 401


def test_it_lists_the_served_name_alone(closet: Mac, key: str) -> None:
    listed = json.loads(ask(closet, "/v1/models", key)[1])
    assert [model["id"] for model in listed["data"]] == [MODEL]
    assert json.loads(ask(closet, f"/v1/models/{MODEL}", key)[1])["id"] == MODEL


def test_a_streamed_answer_comes_in_pieces_under_the_served_name(closet: Mac, key: str) -> None:
    body = {**QUESTION, "model": MODEL, "stream": True}
    status, told = ask(closet, "/v1/chat/completions", key, body)
    lines = [line for line in told.splitlines() if line.startswith("data: ")]
    assert (status, lines[-1]) == (200, "data: [DONE]")
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert {chunk["model"] for chunk in chunks} == {MODEL}
    said = [choice["delta"].get("content") for each in chunks for choice in each["choices"]]
    assert "".join(filter(None, said)) == f"I am {MODEL}, served from the closet."
    assert len(chunks) > 5


@pytest.mark.parametrize("name", ["gpt-4o", "/etc", "../store", "qwen3-coder"])
def test_a_name_that_is_not_served_does_not_reach_the_server(
    closet: Mac, key: str, name: str
) -> None:
    status, told = ask(closet, "/v1/chat/completions", key, {**QUESTION, "model": name})
    assert (status, json.loads(told)["error"]["code"]) == (404, "model_not_found")
    assert MODEL in told


def test_a_name_inside_a_message_is_a_word_like_others(closet: Mac, key: str) -> None:
    said = {"role": "user", "content": 'set {"model": "gpt-4o"} there'}
    body = {"messages": [said], "model": MODEL, "max_tokens": 8}
    assert ask(closet, "/v1/chat/completions", key, body)[0] == 200


def test_what_it_does_not_serve_is_refused_with_a_sentence(closet: Mac, key: str) -> None:
    for path in ("/v1/embeddings", "/v1/rerank"):
        status, told = ask(closet, path, key, {"model": MODEL, "input": "x"})
        assert status == 404
        assert (
            "For embeddings and reranking choose a profile with omlx"
            in json.loads(told)["error"]["message"]
        )


def test_it_listens_where_it_should_and_the_server_on_loopback_alone(closet: Mac) -> None:
    found = closet.read("lsof -nP -iTCP -sTCP:LISTEN -Fn", root=True)
    names = {line[1:] for line in found.splitlines() if re.fullmatch(r"n.*:800\d", line)}
    assert names == {f"127.0.0.1:{PORT}", f"{closet.address}:{PORT}", "127.0.0.1:8001"}


def test_keys_come_and_go_while_everything_runs_on(closet: Mac, key: str) -> None:
    before = {label: pid(closet, label) for label in (JOB.label, "inference.closet.mlx-lm")}
    other = "a-key-of-another-laptop"
    assert ask(closet, "/v1/models", other)[0] == 401
    add = f's|^.*Bearer {key}.*|&\\n\\t\\t\\theader Authorization "Bearer {other}"|'
    # replaced in one step, as the role does it; sed -i makes a new file of the same owner
    closet.read(f"cp -p {CONFIG} {CONFIG}.kept && sed -i '{add}' {CONFIG}", root=True)
    try:
        assert eventually(lambda: ask(closet, "/v1/models", other)[0] == 200, 15)
        assert ask(closet, "/v1/models", key)[0] == 200
    finally:
        closet.read(f"mv {CONFIG}.kept {CONFIG}", root=True)
    assert eventually(lambda: ask(closet, "/v1/models", other)[0] == 401, 15)
    assert ask(closet, "/v1/models", key)[0] == 200
    assert before == {label: pid(closet, label) for label in before}


def test_the_key_is_nowhere_but_in_its_file(closet: Mac, key: str) -> None:
    places = {
        "launchctl print": closet.job(JOB.label),
        "plist": closet.read(f"cat {PLIST}"),
        "processes": closet.read("ps -axww -o command", root=True),
        "log": closet.read(f"cat {JOB.log}", root=True),
    }
    assert [place for place, text in places.items() if key in text] == []
    assert key in closet.read(f"cat {CONFIG}")


def test_what_it_prints_is_in_a_log_that_launchd_does_not_hold(closet: Mac) -> None:
    assert "serving initial configuration" in closet.read(f"cat {JOB.log}", root=True)
    held = closet.read(f"plutil -extract StandardOutPath raw {PLIST}")
    assert held == "/var/log/closet/gateway.launchd.log"
