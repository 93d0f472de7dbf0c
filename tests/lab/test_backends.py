"""One seam, three backends: a laptop asks one URL for one name and does not notice which."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.lab.advice import command, commands, paste
from tests.lab.backends import (
    BODY,
    JOBS,
    KEY,
    MODEL,
    URL,
    answer_without_end,
    answered,
    ask,
    drains,
    installed,
    jobs,
    mlx_lm_pins,
    ollama_that_dies,
    pids,
    status,
    upgrade,
    wants,
)
from tests.lab.conftest import ENVIRONMENT, ROOT, Done, as_root, lab, on, provisioned, run
from tests.lab.pulling import served_folder, wait_until

pytestmark = pytest.mark.usefixtures("fresh_lab_with_programs")

# the closet and one laptop; localhost checks the inventory
WHO = ("--limit", "attic,air,localhost")
PROFILES = {"omlx": "coding-omlx", "mlx_lm": "coding-mlx-lm", "ollama": "ollama"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inventory of the lab to edit, with keys and a choice of its own beside it."""
    base = tmp_path_factory.mktemp("backends")
    # its group_vars name files of the checkout relative to the inventory
    (base / "lab").symlink_to(ROOT / "lab")
    copy = base / "inventories" / "home"
    ours = shutil.ignore_patterns(".secrets", ".closet")
    shutil.copytree(ROOT / "inventories/lab", copy, ignore=ours)
    return copy


def play(home: Path, book: str, *words: str) -> Done:
    return run("ansible-playbook", "-i", str(home), book, *WHO, *words, limit_s=600)


def profile(home: Path, backend: str, *words: str) -> Done:
    """Switch as an owner does."""
    return play(home, "playbooks/profile.yml", "-e", f"profile={PROFILES[backend]}", *words)


def serves(backend: str) -> None:
    """The seam as a laptop sees it, and what runs behind it."""
    assert ask("/models", key="")[0] == "401"
    assert ask("/chat/completions", BODY, key="")[0] == "401"
    code, text = ask("/models")
    assert (code, [model["id"] for model in json.loads(text)["data"]]) == ("200", [MODEL])
    code, text = ask("/chat/completions", BODY)
    answer = json.loads(text)
    assert (code, answer["model"]) == ("200", MODEL)
    assert MODEL in answer["choices"][0]["message"]["content"]
    _, text = ask("/chat/completions", {**BODY, "stream": True})
    chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    # omlx keeps a connection alive with chunks that say nothing, mlx_lm with comments
    speaking = [each for each in chunks if any(c["delta"].get("content") for c in each["choices"])]
    assert len(speaking) > 5
    assert {chunk["model"] for chunk in speaking} == {MODEL}
    assert text.rstrip().endswith("data: [DONE]")
    assert ask("/chat/completions", {**BODY, "model": "nope"})[0] == "404"
    assert jobs() == JOBS[backend]


def opencode_answers() -> None:
    done = on("air", "timeout 150 opencode run 'Who are you?'", limit_s=180)
    assert done.code == 0, done.output
    assert MODEL in done.output


def test_a_check_of_an_untouched_closet_says_what_would_come_and_changes_nothing(
    home: Path,
) -> None:
    done = provisioned(profile(home, "ollama", "--check"))
    assert done.changed()["attic"] >= 8
    assert on("attic", "ls -d /opt/closet/gateway || ls -d /Users/admin/.ollama").code != 0
    assert jobs() == set()


def stays_so(home: Path, backend: str) -> None:
    """After a reboot with nobody logged in it serves, and a run has nothing to do."""
    lab("reboot", "attic")
    wait = (
        f"for i in $(seq 90); do curl -sf -m 5 {KEY} {URL}/models && exit 0; sleep 1; done; exit 1"
    )
    assert on("air", wait, limit_s=150).code == 0
    serves(backend)
    again = provisioned(profile(home, backend))
    assert again.changed() == {"attic": 0, "air": 0, "localhost": 0}


def takes_over(home: Path, backend: str) -> None:
    """A switch of which no laptop notices anything."""
    done = provisioned(profile(home, backend))
    assert done.changed()["attic"] > 0
    assert done.changed()["air"] == 0, "a laptop noticed which backend serves"
    serves(backend)


def loses_keys(home: Path, backend: str, leaves: str) -> None:
    """One laptop's key is replaced and another laptop leaves, and nothing is restarted."""
    secrets = home / ".secrets/attic"
    old, gone = ((secrets / f"{name}.key").read_text().strip() for name in ("air", leaves))
    assert (status(old), status(gone)) == ("200", "200")
    before = pids(backend)
    hosts = yaml.safe_load((home / "hosts.yml").read_text())
    del hosts["all"]["children"]["clients"]["hosts"][leaves]
    (home / "hosts.yml").write_text(yaml.safe_dump(hosts))
    done = provisioned(play(home, "site.yml", "-e", "rotate=air"))
    new = (secrets / "air.key").read_text().strip()
    assert done.changed()["air"] > 0
    assert on("air", "cat ~/.config/closet/key").output.strip() == new
    assert [status(key) for key in (old, gone, new)] == ["401", "401", "200"]
    assert pids(backend) == before
    assert not (secrets / f"{leaves}.key").exists()
    assert [key for key in (old, gone, new) if key in done.output] == []


def test_ollama_serves_from_nothing(home: Path) -> None:
    done = provisioned(profile(home, "ollama"))
    assert done.changed()["attic"] >= 8
    serves("ollama")
    opencode_answers()
    stays_so(home, "ollama")


def test_mlx_lm_takes_over_and_no_laptop_is_touched(home: Path) -> None:
    takes_over(home, "mlx_lm")
    stays_so(home, "mlx_lm")


def test_in_front_of_mlx_lm_a_key_is_replaced_and_another_one_revoked(home: Path) -> None:
    loses_keys(home, "mlx_lm", leaves="pro")


def test_mlx_lm_is_not_restarted_while_it_owes_an_answer(home: Path) -> None:
    before = pids("mlx_lm")
    edit = ("-e", "mlx_lm_prompt_cache_size=9", "-e", "gateway_idle_timeout_s=400")
    argv = ("ansible-playbook", "-i", str(home), "site.yml", "--limit", "attic,localhost", *edit)
    with subprocess.Popen(
        argv, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as playing:  # fmt: skip
        with answer_without_end():
            wait_until(drains, limit_s=300)
            had = answered()
            wait_until(lambda: answered() > had + 20_000)
            assert pids("mlx_lm") == before
            assert playing.poll() is None
        # the laptop has hung up, so nothing is owed
        said, _ = playing.communicate(timeout=300)
    provisioned(Done(playing.returncode, said))
    assert "closet-gateway-drain" not in said, "the wait ended with a warning"
    after = pids("mlx_lm")
    assert after["inference.closet.gateway"] == before["inference.closet.gateway"]
    assert after["inference.closet.mlx-lm"] != before["inference.closet.mlx-lm"]


def test_an_mlx_lm_that_was_started_without_its_model_serves_it_later(home: Path) -> None:
    job = "system/inference.closet.mlx-lm"
    assert on("attic", f"rm {served_folder()}/{MODEL}; sudo launchctl kill TERM {job}").code == 0
    wait_until(lambda: "state = not running" in on("attic", f"launchctl print {job}").output)
    assert on("attic", f"sudo launchctl kickstart {job}").code == 0
    # it ends, instead of answering 503 for ever
    wait_until(lambda: "last exit code = 1" in on("attic", f"launchctl print {job}").output, 150)
    assert provisioned(play(home, "site.yml")).changed()["attic"] >= 1
    serves("mlx_lm")
    assert provisioned(play(home, "site.yml")).changed()["attic"] == 0


def test_an_mlx_lm_that_does_not_answer_is_taken_back_and_one_that_does_stays(
    home: Path, tmp_path: Path
) -> None:
    pins, before = mlx_lm_pins(tmp_path), installed("mlx_lm")
    where = ("-i", str(home), "--limit", "attic,localhost")
    done = upgrade(*where, "-e", f"mlx_lm_requirements={pins['mute']}")
    assert done.code != 0
    text = " ".join(done.output.split())
    (old,) = before
    assert (
        f"the upgrade was rolled back. mlx_lm answers again from /opt/closet/mlx_lm/{old}" in text
    )
    assert "requires jinja2" in text
    assert installed("mlx_lm") == before
    serves("mlx_lm")

    works = ("-e", f"mlx_lm_requirements={pins['works']}")
    provisioned(upgrade(*where, *works))
    assert len(installed("mlx_lm")) == 2
    assert old in installed("mlx_lm")
    serves("mlx_lm")
    assert provisioned(upgrade(*where, *works)).changed()["attic"] == 0


def test_omlx_takes_over_and_no_laptop_is_touched(home: Path) -> None:
    takes_over(home, "omlx")
    stays_so(home, "omlx")


def test_a_backend_that_never_answers_is_taken_back(home: Path) -> None:
    # it waits for memory that it will not get, and the gateway says so with 503
    never = ("-e", "mlx_lm_wired_limit_mb=16000000", "-e", "mlx_lm_start_timeout_s=6")
    done = profile(home, "mlx_lm", *never)
    assert done.code != 0
    assert "the switch to profile coding-mlx-lm was rolled back" in done.output
    assert done.changed()["air"] == 0
    serves("omlx")

    # mended: without the limit that it waited for
    again = provisioned(paste(command(done.output, "profile=coding-mlx-lm")))
    assert again.changed()["air"] == 0
    serves("mlx_lm")


def test_an_inventory_edit_that_was_taken_back_is_mended_and_run_as_advised(home: Path) -> None:
    # with that no Python starts, however long the server is waited for
    never = {"omlx_env": {"PYTHONHOME": "/nowhere"}, "omlx_start_timeout_s": 6}
    wants(home, closet_profile="coding-omlx", **never)
    done = play(home, "site.yml")
    assert done.code != 0
    assert "the switch to profile coding-omlx was rolled back" in done.output
    serves("mlx_lm")

    wants(home, closet_profile="coding-omlx")
    again = provisioned(paste(command(done.output, "site.yml")))
    assert again.changed()["air"] == 0
    serves("omlx")


def test_and_back_to_where_it_began(home: Path) -> None:
    takes_over(home, "ollama")


def test_in_front_of_ollama_a_key_is_replaced_and_another_one_revoked(home: Path) -> None:
    loses_keys(home, "ollama", leaves="book")


def test_an_ollama_that_dies_is_taken_back_and_one_that_serves_stays(
    home: Path, tmp_path: Path
) -> None:
    before = installed("ollama")
    where = ("-i", str(home), "--limit", "attic,localhost")
    with ollama_that_dies(tmp_path, "0.34.9") as named:
        done = upgrade(*where, *named)
    assert done.code != 0
    text = " ".join(done.output.split())
    (old,) = before
    assert (
        f"the upgrade was rolled back. ollama answers again from /opt/closet/ollama/{old}" in text
    )
    assert installed("ollama") == before
    serves("ollama")

    newer = ("-e", "ollama_version=0.34.5")
    provisioned(upgrade(*where, *newer))
    assert installed("ollama") == {old, "0.34.5"}
    serves("ollama")
    assert provisioned(upgrade(*where, *newer)).changed()["attic"] == 0


def test_an_upgrade_without_a_way_back_leads_to_the_log_and_to_the_old_pin(
    home: Path, tmp_path: Path
) -> None:
    old = {"closet_profile": "coding-omlx", "ollama_version": "0.34.5"}
    program = "/opt/closet/ollama/0.34.5/ollama"
    dies = "#!/bin/sh\necho the program is damaged\nexit 1\n"
    # what runs goes on; what would be started again is another file
    as_root("attic", f"mv {program} {program}.kept; printf '{dies}' >{program}")
    as_root("attic", f"chmod 755 {program}")
    with ollama_that_dies(tmp_path, "0.34.9") as named:
        wants(home, **{**old, **dict(word.split("=", 1) for word in named[1::2])})
        done = upgrade("-i", str(home), "--limit", "attic,localhost", limit_s=300)
    assert done.code != 0
    assert "the upgrade failed, and so did the rollback" in " ".join(done.output.split())
    assert ask("/models")[0] != "200"
    tail = next(one for one in commands(done.output) if one.startswith("sudo tail "))
    assert "the program is damaged" in on("attic", tail).output

    as_root("attic", f"mv {program}.kept {program}")
    wants(home, **old)
    provisioned(paste(command(done.output, "site.yml")))
    serves("ollama")


def test_stop_and_start_are_for_whichever_serves(home: Path) -> None:
    for book, changed in (("stop", 1), ("stop", 0), ("start", 1), ("start", 0)):
        done = provisioned(play(home, f"playbooks/{book}.yml"))
        assert done.changed()["attic"] == changed, book
        if book == "stop":
            assert ask("/models")[0] == "000"
    wait = f"for i in $(seq 60); do curl -sf -m 5 {KEY} {URL}/models && exit 0; sleep 1; done"
    assert on("air", wait, limit_s=150).code == 0
    serves("ollama")


def test_what_upgrade_could_not_take_back_is_refused_and_comes_in_two_steps_as_advised(
    home: Path, tmp_path: Path
) -> None:
    pin = {"mlx_lm_requirements": mlx_lm_pins(tmp_path)["works"]}
    profile_too = {"closet_profile": PROFILES["mlx_lm"]}
    wants(home, **profile_too, **pin)
    done = play(home, "playbooks/upgrade.yml")
    assert done.code != 0
    assert "It serves profile ollama with ollama" in " ".join(done.output.split())
    assert done.changed()["attic"] == 0

    wants(home, **profile_too)
    provisioned(paste(command(done.output, "site.yml")))
    serves("mlx_lm")
    before = pids("mlx_lm")
    wants(home, **profile_too, **pin)
    provisioned(play(home, "playbooks/upgrade.yml"))
    serves("mlx_lm")
    assert pids("mlx_lm") != before
