"""One seam, three backends: a laptop asks one URL for one name and does not notice which."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.lab.conftest import ROOT, Done, lab, on, provisioned, run

pytestmark = pytest.mark.usefixtures("fresh_lab", "own_choice")

CHOICE = ROOT / "inventories/lab/.closet/attic.json"

# the closet and one laptop; localhost checks the inventory
WHO = ("--limit", "attic,air,localhost")
URL = "http://attic.local:8000/v1"
MODEL = "qwen3-coder-next"
KEY = '-H "Authorization: Bearer $(cat ~/.config/closet/key)"'
PROFILES = {"omlx": "coding-omlx", "mlx_lm": "coding-mlx-lm", "ollama": "ollama"}
JOBS = {
    "omlx": {"inference.closet.omlx"},
    "mlx_lm": {"inference.closet.mlx-lm", "inference.closet.gateway"},
    "ollama": {"inference.closet.ollama", "inference.closet.gateway"},
}
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 32}


@pytest.fixture(scope="module")
def own_choice() -> Iterator[None]:
    """A profile that was chosen here is nobody else's."""
    CHOICE.unlink(missing_ok=True)
    yield
    CHOICE.unlink(missing_ok=True)


def profile(backend: str, *words: str) -> Done:
    """Switch as an owner does."""
    chosen = ("-e", f"profile={PROFILES[backend]}")
    return run("ansible-playbook", "playbooks/profile.yml", *chosen, *WHO, *words, limit_s=600)


def ask(path: str, body: object = None, key: str = KEY) -> tuple[str, str]:
    """Ask from the laptop; status and text."""
    data = f"-H 'Content-Type: application/json' -d '{json.dumps(body)}'" if body else ""
    done = on("air", f"curl -s -m 60 -w '\\n%{{http_code}}' {key} {data} {URL}{path}")
    text, _, status = done.output.rpartition("\n")
    return status, text


def serves(backend: str) -> None:
    """The seam as a laptop sees it, and what runs behind it."""
    assert ask("/models", key="")[0] == "401"
    assert ask("/chat/completions", BODY, key="")[0] == "401"
    status, text = ask("/models")
    assert (status, [model["id"] for model in json.loads(text)["data"]]) == ("200", [MODEL])
    status, text = ask("/chat/completions", BODY)
    answer = json.loads(text)
    assert (status, answer["model"]) == ("200", MODEL)
    assert MODEL in answer["choices"][0]["message"]["content"]
    status, text = ask("/chat/completions", {**BODY, "stream": True})
    chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    # omlx keeps a connection alive with chunks that say nothing, mlx_lm with comments
    speaking = [each for each in chunks if any(c["delta"].get("content") for c in each["choices"])]
    assert len(speaking) > 5
    assert {chunk["model"] for chunk in speaking} == {MODEL}
    assert text.rstrip().endswith("data: [DONE]")
    assert ask("/chat/completions", {**BODY, "model": "nope"})[0] == "404"
    assert jobs() == JOBS[backend]


def jobs() -> set[str]:
    """The jobs that launchd has loaded, which have to be those that it would load at a boot."""
    loaded = set(re.findall(r"inference\.closet\.\S+", on("attic", "sudo launchctl list").output))
    plists = on("attic", "ls /Library/LaunchDaemons").output
    booted = set(re.findall(r"(inference\.closet\.\S+)\.plist", plists))
    known = set.union(*JOBS.values())
    assert loaded & known == booted & known
    return loaded & known


def opencode_answers() -> None:
    done = on("air", "timeout 150 opencode run 'Who are you?'", limit_s=180)
    assert done.code == 0, done.output
    assert MODEL in done.output


def test_a_check_of_an_untouched_closet_says_what_would_come_and_changes_nothing() -> None:
    done = provisioned(profile("ollama", "--check"))
    assert done.changed()["attic"] >= 8
    assert on("attic", "ls -d /opt/closet /Users/admin/.ollama").code != 0
    assert jobs() == set()


def stays_so(backend: str) -> None:
    """After a reboot with nobody logged in it serves, and a run has nothing to do."""
    lab("reboot", "attic")
    wait = (
        f"for i in $(seq 90); do curl -sf -m 5 {KEY} {URL}/models && exit 0; sleep 1; done; exit 1"
    )
    assert on("air", wait, limit_s=150).code == 0
    serves(backend)
    assert provisioned(profile(backend)).changed() == {"attic": 0, "air": 0, "localhost": 0}


def test_ollama_serves_from_nothing() -> None:
    done = provisioned(profile("ollama"))
    assert done.changed()["attic"] >= 8
    serves("ollama")
    opencode_answers()
    stays_so("ollama")


@pytest.mark.parametrize("backend", ["mlx_lm", "omlx"])
def test_another_backend_takes_over_and_no_laptop_is_touched(backend: str) -> None:
    done = provisioned(profile(backend))
    assert done.changed()["attic"] > 0
    assert done.changed()["air"] == 0, "a laptop noticed which backend serves"
    serves(backend)
    stays_so(backend)


def test_a_backend_that_never_answers_is_taken_back() -> None:
    # it waits for memory that it will not get, and the gateway says so with 503
    never = ("-e", "mlx_lm_wired_limit_mb=999999999", "-e", "mlx_lm_start_timeout_s=6")
    done = profile("mlx_lm", *never)
    assert done.code != 0
    assert "the switch to profile coding-mlx-lm was taken back" in done.output
    assert done.changed()["air"] == 0
    serves("omlx")


def test_and_back_to_where_it_began() -> None:
    assert provisioned(profile("ollama")).changed()["air"] == 0
    serves("ollama")


def test_stop_and_start_are_for_whichever_serves_and_upgrade_is_for_omlx() -> None:
    refused = run("ansible-playbook", "playbooks/upgrade.yml", *WHO, "-e", "closet_profile=ollama")
    assert refused.code != 0
    assert "take the new pin of ollama into the inventory" in " ".join(refused.output.split())
    for book, changed in (("stop", 1), ("stop", 0), ("start", 1), ("start", 0)):
        done = provisioned(run("ansible-playbook", f"playbooks/{book}.yml", *WHO))
        assert done.changed()["attic"] == changed, book
        if book == "stop":
            assert ask("/models")[0] == "000"
    wait = f"for i in $(seq 60); do curl -sf -m 5 {KEY} {URL}/models && exit 0; sleep 1; done"
    assert on("air", wait, limit_s=150).code == 0
    serves("ollama")
