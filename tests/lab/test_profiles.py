"""A closet changes its profile: there and back, and by itself when the new one fails."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import conftest
from tests.lab.conftest import (
    ENVIRONMENT,
    ROOT,
    Done,
    as_root,
    cut_the_power_at,
    lab,
    on,
    provisioned,
    run,
)
from tests.lab.test_refusals import CLOSET, inventory
from tests.lab.test_site import disk

# the closet and one laptop; localhost checks the inventory
HOSTS = ("attic", "air")
WHO = ("--limit", "attic,air,localhost")
CHOICE = ROOT / "inventories/lab/.closet/attic.json"
DEFAULT = {"qwen3-coder-next", "qwen3.6-35b", "qwen3-embedding", "qwen3-reranker", "qwen3-vl-8b"}
LEAN = {"qwen3-coder-30b", "qwen3.6-35b", "qwen3-embedding", "qwen3-reranker"}
KEY = "$(cat ~/.config/closet/key)"
ASK = (
    f'curl -s -m 20 -H "Authorization: Bearer {KEY}" -H "Content-Type: application/json" '
    "http://attic.local:8000"
)


@pytest.fixture(scope="module", autouse=True)
def closet(provisioned_lab: None) -> Iterator[None]:
    """A closet that serves its default profile, and a choice that ends with these tests."""
    CHOICE.unlink(missing_ok=True)
    yield
    shutil.rmtree(CHOICE.parent, ignore_errors=True)


def switch(profile: str, *words: str, limit_s: float = 600) -> Done:
    """Switch as an owner does."""
    playbook = ("ansible-playbook", "playbooks/profile.yml", *WHO, "-e", f"profile={profile}")
    return run(*playbook, *words, limit_s=limit_s)


def site(*words: str) -> Done:
    """Run site.yml as an owner does."""
    return conftest.site(*WHO, *words)


def words_of(done: Done) -> str:
    return " ".join(done.output.split())


def served() -> set[str]:
    """What a laptop sees."""
    asked = on("air", f"{ASK}/v1/models")
    return {model["id"] for model in json.loads(asked.output)["data"]}


def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(on("attic", "cat /opt/closet/state/serving.json").output)
    return found


def says(model: str) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": "Who?"}], "max_tokens": 20}
    return on("air", f"{ASK}/v1/chat/completions -d '{json.dumps(body)}'", limit_s=60).output


def omlx_pid() -> str:
    done = on("attic", "sudo launchctl print system/inference.closet.omlx")
    found = re.search(r"^\tpid = (\d+)$", done.output, re.MULTILINE)
    assert found, done.output
    return found[1]


def unchanged(done: Done) -> None:
    assert {host: done.changed()[host] for host in HOSTS} == dict.fromkeys(HOSTS, 0), done.output


def at_home(folder: Path, edits: dict[str, Any]) -> str:
    """An inventory elsewhere, with the keys of the lab's and without what was chosen there."""
    lock = {f"{CLOSET}.attic.omlx_requirements": str(ROOT / "lab/parts/omlx.lock")}
    home = inventory(folder, {**lock, **edits})
    shutil.rmtree(home / ".closet", ignore_errors=True)
    shutil.copytree(ROOT / "inventories/lab/.secrets", home / ".secrets")
    return str(home)


COUNT = f"""
rm -f /tmp/asked /tmp/enough; while [ ! -e /tmp/enough ]; do
  code=$({ASK}/v1/chat/completions -o /dev/null -w '%{{http_code}}' -d \
'{{"model":"qwen3.6-35b","messages":[{{"role":"user","content":"Who?"}}],"max_tokens":4}}')
  echo "$(date +%s.%N) $code" >> /tmp/asked; sleep 0.2
done
"""


def test_a_laptops_requests_during_a_switch_are_counted() -> None:
    """The chat model is in both profiles: what fails is what the restart costs."""
    asking = ["python", "-m", "lab", "shell", "air", COUNT]
    with subprocess.Popen(asking, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL) as laptop:
        try:
            time.sleep(3)
            done = switch("lean")
            time.sleep(2)
        finally:
            on("air", "touch /tmp/enough")
            laptop.wait(timeout=60)
    provisioned(done)
    asked = [line.split() for line in on("air", "cat /tmp/asked").output.splitlines()]
    failed = [float(when) for when, code in asked if code != "200"]
    before = [float(when) for when, code in asked if code == "200" and float(when) < failed[0]]
    after = [float(when) for when, code in asked if code == "200" and float(when) > failed[-1]]
    assert before
    assert after, "the last requests must be answered again"
    print(
        f"\nswitch default -> lean: {len(asked)} requests asked, {len(failed)} failed, "
        f"{after[0] - before[-1]:.1f} s between the last answer before and the first after"
    )
    assert served() == LEAN
    assert "lean" in record()["serving"]["profile"]


def test_the_laptop_followed_in_the_same_run() -> None:
    listed = on("air", "timeout 60 opencode models", limit_s=90)
    assert set(listed.output.split()) == {"closet/qwen3-coder-30b", "closet/qwen3.6-35b"}
    lock = on("air", "cat '/Library/Application Support/opencode/opencode.json'").output
    models = json.loads(lock)["provider"]["closet"]["models"]
    assert models["qwen3-coder-30b"]["limit"] == {"context": 65536, "output": 32768}
    mine = json.loads(on("air", "sed 1d ~/.config/opencode/config.json").output)
    assert mine["agent"]["build"]["temperature"] == 0.7
    assert mine["agent"]["plan"]["top_p"] == 0.95


def test_limits_and_sampling_reached_the_server() -> None:
    told = json.loads(on("air", f"{ASK}/v1/models/status").output)["models"]
    assert {m["id"]: m["max_context_window"] for m in told}["qwen3-coder-30b"] == 65536
    stored = json.loads(on("attic", "cat ~/.omlx/model_settings.json").output)["models"]
    assert stored["qwen3-coder-30b"]["repetition_penalty"] == 1.05


def test_site_stays_with_what_was_chosen_and_has_nothing_to_do() -> None:
    unchanged(provisioned(site()))
    unchanged(provisioned(site("--check", "--diff")))
    unchanged(provisioned(switch("lean")))
    assert served() == LEAN


def test_another_checkout_is_told_before_it_would_switch_back(tmp_path: Path) -> None:
    done = site("-i", at_home(tmp_path, {}))
    assert done.code != 0
    assert "attic serves profile lean, which was chosen" in words_of(done)
    assert served() == LEAN


def test_a_check_of_a_switch_tells_the_truth_and_changes_nothing() -> None:
    pid, before = omlx_pid(), {host: disk(host) for host in HOSTS}
    done = provisioned(switch("default", "--check", "--diff"))
    assert done.changed()["attic"] >= 4
    assert done.changed()["air"] == 1
    assert "qwen3-coder-next" in done.output
    assert omlx_pid() == pid
    assert {host: disk(host) for host in HOSTS} == before
    assert json.loads(CHOICE.read_text())["profile"] == "lean"


def test_and_back_again() -> None:
    provisioned(switch("default"))
    assert served() == DEFAULT
    assert "qwen3-coder-next" in says("qwen3-coder-next")
    unchanged(provisioned(site()))


def spoil(repo: str) -> str:
    """Damage a model's weights and keep size and times, which only a hash would notice."""
    file = f"/Users/admin/.omlx/store/{repo}/model.safetensors"
    return (
        f"cp -p {file} /tmp/kept && printf 'XXXXXXXXXXXXXXXX' | "
        f"dd of={file} conv=notrunc status=none && touch -r /tmp/kept {file}"
    )


def test_a_profile_whose_model_is_corrupt_is_taken_back() -> None:
    repo = "mlx-community/Qwen3-Coder-30B-A3B-Instruct-4bit"
    as_root("attic", spoil(repo))
    before = record()
    done = switch("lean", "-e", "omlx_start_timeout_s=40")
    as_root("attic", f"cp -p /tmp/kept /Users/admin/.omlx/store/{repo}/model.safetensors")
    assert done.code != 0
    text = words_of(done)
    assert "attic: the switch to profile lean was rolled back. default answers again" in text
    # what switch() runs
    again = "ansible-playbook playbooks/profile.yml -e profile=lean"
    assert f"Next: fix the cause, then `{again}`" in text
    assert "lean did not serve: http://127.0.0.1:8000/v1: step 'answer' failed" in text
    assert served() == DEFAULT
    assert "qwen3-coder-next" in says("qwen3-coder-next")
    assert record() == before
    # the laptop never left
    assert done.changed()["air"] == 0
    unchanged(provisioned(site()))


MUTE = {
    "closet_models": {
        "mute": {
            # an embedder lists well and never answers a chat
            "name": "mute",
            "repo": "mlx-community/Qwen3-Embedding-8B-4bit-DWQ",
            "title": "Mute",
            "kind": "chat",
            "size_gb": 5,
            "context": 4096,
            "output": 64,
        }
    },
    "closet_profiles": {"mute": {"models": ["mute"], "build": "mute", "chat": "mute"}},
}


def test_an_inventory_edit_that_never_answers_is_taken_back(tmp_path: Path) -> None:
    edits = {f"{CLOSET}.attic.{name}": value for name, value in MUTE.items()}
    home = at_home(tmp_path, {**edits, f"{CLOSET}.attic.closet_profile": "mute"})
    # the old profile has as long to come back
    done = site("-i", home, "-e", "omlx_start_timeout_s=90")
    assert done.code != 0
    text = words_of(done)
    assert "the switch to profile mute was rolled back. default answers again" in text
    assert "restore the old closet_profile" in text
    assert served() == DEFAULT
    unchanged(provisioned(site()))


# while the models come, while the settings are written, while the server is started, and
# before the record is written although the new profile answers already
CUTS = [
    ("Pull or remove the models", 0.4, "lean"),
    ("Update the settings of omlx", 0.2, "default"),
    ("Run the servers at boot and now", 0.5, "lean"),
    ("Record the serving configuration", 0.0, "default"),
]


# the first and the last of them lead through most of a run
VARIANTS = [
    pytest.param(*cut, id=cut[0], marks=() if cut in (CUTS[0], CUTS[-1]) else pytest.mark.long)
    for cut in CUTS
]


@pytest.mark.parametrize(("task", "after_s", "profile"), VARIANTS)
def test_the_power_fails_in_the_middle_of_a_switch(task: str, after_s: float, profile: str) -> None:
    alone = ("--limit", "attic,localhost")
    book = ("playbooks/profile.yml", "-e", f"profile={profile}", *alone)
    cut_the_power_at(task, after_s, *book)
    # whatever it came to, the choice was made: the next run of site.yml finishes it
    provisioned(site(*alone))
    assert served() == (LEAN if profile == "lean" else DEFAULT)
    assert record()["serving"]["profile"] == profile
    assert provisioned(site(*alone)).changed()["attic"] == 0


def test_the_laptop_follows_when_it_is_there_again() -> None:
    provisioned(switch("lean"))
    unchanged(provisioned(site()))
    assert served() == LEAN


def mine(**changes: Any) -> dict[str, Any]:
    """A profile of the owner's, as it stands in an inventory."""
    one = {
        "models": ["qwen3-coder-next", "qwen3.6-35b"],
        "pinned": ["qwen3-coder-next"],
        "build": "qwen3-coder-next",
        "chat": "qwen3.6-35b",
    }
    return {f"{CLOSET}.attic.closet_profile": "mine",
            f"{CLOSET}.attic.closet_profiles": {"mine": {**one, **changes}}}  # fmt: skip


def test_an_edit_of_the_profile_that_serves_reaches_the_server_without_a_restart(
    tmp_path: Path,
) -> None:
    provisioned(site("-i", at_home(tmp_path / "1", mine())))
    pid = omlx_pid()
    edited = mine(
        sampling={"qwen3.6-35b": {"temperature": 0.1}}, context={"qwen3.6-35b": 65536},
        pinned=["qwen3-coder-next", "qwen3.6-35b"],
    )  # fmt: skip
    home = at_home(tmp_path / "2", edited)
    checked = provisioned(site("-i", home, "--check", "--diff"))
    assert "temperature" in checked.output
    done = provisioned(site("-i", home))
    assert omlx_pid() == pid
    assert done.changed()["attic"] >= 1
    told = {m["id"]: m for m in json.loads(on("air", f"{ASK}/v1/models/status").output)["models"]}
    assert told["qwen3.6-35b"]["max_context_window"] == 65536
    assert told["qwen3.6-35b"]["pinned"] is True
    unchanged(provisioned(site("-i", home)))


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "an unknown role": (
        mine(embedder="qwen3-embedding"),
        ["profile mine has 'embedder', which is no role of a model"],
    ),
    "a reserve larger than the memory": (
        {f"{CLOSET}.attic.wired_memory_reserve_gb": 200},
        ["attic: wired_memory_reserve_gb is 200, and the Mac has 137.4 GB in all"],
    ),
    # what is found on the Mac is told at once
    "four things that the Mac contradicts": (
        {
            # as the article has it
            f"{CLOSET}.attic.wired_memory_limit_mb": 98304,
            f"{CLOSET}.attic.closet_url_host": "10.77.31.77",
            f"{CLOSET}.attic.closet_port": 8123,
        },
        [
            "wired_memory_limit_mb is 98304, and that would lower the limit: macOS 26.5.1 gives",
            "closet_url_host is 10.77.31.77, and this Mac has",
            "10.77.31.10",
            "attic: its sudoers configuration was already invalid",
            "/etc/sudoers.d/mine",
            "attic: port 8123 is in use by",
            "closet_port",
        ],
    ),
}
A_STRANGER = "nohup python3 -m http.server 8123 >/dev/null 2>&1 & echo $! >/tmp/stranger; sleep 2"
A_TYPO = (
    "printf 'admin ALL=(root NOPASSWD: ALL\\n' > /etc/sudoers.d/mine; chmod 440 /etc/sudoers.d/mine"
)


@pytest.fixture
def trouble() -> Iterator[None]:
    """On the closet: a program on a port, and sudo rules with a typo."""
    on("attic", A_STRANGER)
    as_root("attic", A_TYPO)
    yield
    as_root("attic", "rm /etc/sudoers.d/mine")
    on("attic", "kill $(cat /tmp/stranger)")


@pytest.mark.parametrize("case", BAD)
def test_bad_input_changes_nothing(case: str, tmp_path: Path, trouble: None) -> None:
    edits, sentences = BAD[case]
    before = {host: disk(host) for host in HOSTS}
    done = site("-i", at_home(tmp_path, edits))
    after = {host: disk(host) for host in HOSTS}
    assert done.code != 0, done.output
    text = words_of(done)
    for sentence in [*sentences, "Nothing was changed."]:
        assert sentence in text
    assert after == before


def test_somebody_elses_lines_in_sysctl_conf_stay_whatever_they_are(tmp_path: Path) -> None:
    """Nothing reads this file; a line that makes no sense there is not ours to judge."""
    as_root("attic", "printf '%s\\n%s' 'kern.maxfiles=9' 'no sense' >> /etc/sysctl.conf")
    home = at_home(tmp_path, {f"{CLOSET}.attic.wired_memory_reserve_gb": 12})
    provisioned(site("-i", home))
    lines = on("attic", "cat /etc/sysctl.conf").output.splitlines()
    assert lines == ["iogpu.wired_limit_mb=119627", "kern.maxfiles=9", "no sense"]
    unchanged(provisioned(site("-i", home)))
    assert on("attic", "sysctl -n iogpu.wired_limit_mb").output.strip() == "119627"


def test_after_a_reboot_the_limit_was_set_by_the_job_and_not_by_us() -> None:
    lab("reboot", "attic")
    state = on("attic", "sudo launchctl print system/inference.closet.wired-memory").output
    assert "last exit code = 0" in state
    assert "runs = 1" in state
    assert on("attic", "sysctl -n iogpu.wired_limit_mb").output.strip() == "119627"
