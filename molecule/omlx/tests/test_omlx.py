"""omlx serves the profile at /v1, to who has the key, from a program that it cannot change."""

from __future__ import annotations

import http.client
import json
import re
from typing import Any

import pytest
from lab_mac import Entry, Job, Mac, closet_key, lineup

JOB = Job("inference.closet.omlx", "/var/log/closet/omlx/omlx.log")
PLIST = f"/Library/LaunchDaemons/{JOB.label}.plist"
WAIT = "/opt/closet/bin/closet-wired-wait"
SETTINGS = "/Users/admin/.omlx/settings.json"
PORT = 8000
FILES = {
    PLIST: Entry("file", "root", "wheel", "0644"),
    WAIT: Entry("file", "root", "wheel", "0755"),
    SETTINGS: Entry("file", "admin", "staff", "0600"),
    "/Users/admin/.omlx": Entry("folder", "admin", "staff", "0700"),
    "/var/log/closet/omlx": Entry("folder", "admin", "staff", "0750"),
}


@pytest.fixture(scope="module")
def key(closet: Mac) -> str:
    return closet_key(closet)


@pytest.fixture(scope="module")
def pid(closet: Mac) -> str:
    """The process that launchd holds for the job now."""
    found = re.search(r"^\tpid = (\d+)$", closet.job(JOB.label), re.MULTILINE)
    assert found, "launchd runs no process for it"
    return found[1]


def ask(closet: Mac, path: str, key: str = "", body: Any = None) -> tuple[int, Any]:
    """Ask /v1 over the LAN; returns the status and the answer."""
    talk = http.client.HTTPConnection(closet.address, PORT, timeout=60)
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    talk.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
    answer = talk.getresponse()
    return answer.status, json.loads(answer.read() or b"null")


def test_files_are_whose_they_should_be(closet: Mac) -> None:
    assert closet.entries(*FILES) == FILES


def test_launchd_runs_it_as_the_account(closet: Mac, pid: str) -> None:
    assert "\tstate = running\n" in closet.job(JOB.label)
    assert closet.read(f"ps -o user= -p {pid}") == "admin"


def test_the_account_cannot_change_what_it_runs(closet: Mac) -> None:
    program = closet.read(f"sed -n 's:.*<string>\\(.*/bin/omlx\\)</string>:\\1:p' {PLIST}")
    environment = program.removesuffix("/bin/omlx")
    assert re.fullmatch(r"/opt/closet/omlx/[0-9a-f]+", environment)
    complete = closet.entries(program, f"{environment}/.complete")
    assert all(entry is not None and entry.owner == "root" for entry in complete.values())
    # uv leaves empty lock files that everybody may lock
    writable = r"find /opt/closet ! -type l ! -name '*.lock' \( ! -user root -o -perm /022 \)"
    assert closet.read(writable, root=True) == ""


@pytest.mark.parametrize("wrong", ["", "not-the-key"])
def test_without_the_key_nobody_is_answered(closet: Mac, wrong: str) -> None:
    assert ask(closet, "/v1/models", wrong)[0] == 401
    assert ask(closet, "/v1/chat/completions", wrong, {"model": "x", "messages": []})[0] == 401
    header = f"-H 'Authorization: Bearer {wrong}'" if wrong else ""
    local = f"curl -s -o /dev/null -w '%{{http_code}}' {header} http://127.0.0.1:{PORT}/v1/models"
    assert closet.read(local) == "401"


def test_with_the_key_it_lists_exactly_the_profile(closet: Mac, key: str) -> None:
    status, answer = ask(closet, "/v1/models", key)
    assert status == 200
    assert {model["id"] for model in answer["data"]} == set(lineup(closet))


def test_a_chat_model_answers(closet: Mac, key: str) -> None:
    chat = next(name for name, model in lineup(closet).items() if model["kind"] == "chat")
    question = {"role": "user", "content": "Who are you?"}
    body = {"model": chat, "messages": [question], "max_tokens": 32}
    status, answer = ask(closet, "/v1/chat/completions", key, body)
    assert status == 200, answer
    assert answer["choices"][0]["message"]["content"].strip()


def test_it_listens_where_it_should_and_nowhere_else(closet: Mac) -> None:
    found = closet.read(f"lsof -nP -iTCP:{PORT} -sTCP:LISTEN -Fn", root=True)
    names = {line[1:] for line in found.splitlines() if line.startswith("n")}
    assert names == {f"127.0.0.1:{PORT}", f"{closet.address}:{PORT}"}


def test_the_key_is_nowhere_but_in_its_file(closet: Mac, key: str) -> None:
    places = {
        "launchctl print": closet.job(JOB.label),
        "plist": closet.read(f"cat {PLIST}"),
        "processes": closet.read("ps -axww -o command", root=True),
        "log": closet.read(f"cat {JOB.log}", root=True),
    }
    assert [place for place, text in places.items() if key in text] == []
    assert json.loads(closet.read(f"cat {SETTINGS}"))["auth"]["api_key"] == key


def test_it_started_when_the_gpu_had_its_memory(closet: Mac) -> None:
    log = closet.read(f"cat {JOB.log}", root=True)
    starts = re.findall(r"closet-wired-wait: .* wired limit (\d+) MiB, starting", log)
    assert starts, "the log has no start"
    assert starts[-1] == closet.read("sysctl -n iogpu.wired_limit_mb")
