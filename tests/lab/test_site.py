"""The main job, end to end, in the order in which an owner meets it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.lab.advice import command, paste
from tests.lab.conftest import (
    CLIENTS,
    HOSTS,
    ROOT,
    UPPER,
    Done,
    as_root,
    lab,
    on,
    provisioned,
    run,
    site,
)
from tests.lab.pulling import served_folder, wait_until

pytestmark = pytest.mark.usefixtures("fresh_lab")

SECRETS = ROOT / "inventories/lab/.secrets"
KEY = SECRETS / "attic.key"
SERVED = {"qwen3-coder-next", "qwen3.6-35b", "qwen3-embedding", "qwen3-reranker", "qwen3-vl-8b"}
# Ansible's own scratch folder and what logging in or looking writes; not ours, and not provisioning
# the lock's text says who held it last, and is written when that run has ended
NOT_OURS = re.compile(
    r"/\.ansible(/|$)|^var/log/|^var/lib/sudo|^var/db/(sudo|closet-lab)"
    r"|/\.sudo_as_admin_successful$|^opt/closet/lock/run\.json$"
)


def disk(host: str) -> dict[str, tuple[int, int]]:
    """Every path that the host's disk has beyond the machine under it: mode and size."""
    upper = UPPER / host / "upper"
    found = {}
    for path in upper.rglob("*"):
        name = str(path.relative_to(upper))
        if not NOT_OURS.search(f"{name}/" if path.is_dir() else name):
            status = path.lstat()
            found[name] = (status.st_mode, 0 if path.is_dir() else status.st_size)
    return found


def test_a_check_of_untouched_macs_completes_and_changes_nothing() -> None:
    shutil.rmtree(SECRETS, ignore_errors=True)
    before = {host: disk(host) for host in HOSTS}
    done = provisioned(site("--check", "--diff"))
    assert all(count > 0 for host, count in done.changed().items() if host in HOSTS)
    assert "iogpu.wired_limit_mb" in done.output
    assert {host: disk(host) for host in HOSTS} == before
    assert not SECRETS.exists()


def test_the_first_run_provisions_everything() -> None:
    done = provisioned(site("-vvv", "--diff"))
    assert all(count > 0 for host, count in done.changed().items() if host in HOSTS)
    files = [KEY, *(SECRETS / "attic" / f"{laptop}.key" for laptop in CLIENTS)]
    keys = [file.read_text().strip() for file in files]
    assert len(set(keys)) == len(files)
    assert {len(key) for key in keys} == {40}
    assert [key for key in keys if key in done.output] == [], "in the output of a verbose run"
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_the_second_run_changes_nothing_anywhere() -> None:
    done = provisioned(site())
    assert {host: done.changed()[host] for host in HOSTS} == dict.fromkeys(HOSTS, 0)


def test_a_check_of_provisioned_macs_has_nothing_to_say() -> None:
    done = provisioned(site("--check", "--diff"))
    assert {host: done.changed()[host] for host in HOSTS} == dict.fromkeys(HOSTS, 0)


#: words, and the hosts that take part
PARTS = {
    "power": (["--tags", "power"], {"attic"}),
    "opencode": (["--tags", "opencode"], set(CLIENTS)),
    "client_env on one": (["--tags", "client_env", "--limit", "air"], {"air"}),
    "models": (["--tags", "models"], {"attic"}),
    "a laptop": (["--limit", "air"], {"air"}),
    "the closet": (["--limit", "attic"], {"attic"}),
    "a closet and a laptop": (["--limit", "attic,pro"], {"attic", "pro"}),
    "a laptop and no host": (["--limit", "air,nobody"], {"air"}),
    "all but a part": (["--skip-tags", "models,clients"], {"attic"}),
}


@pytest.mark.parametrize("case", PARTS)
def test_a_part_of_a_run_does_its_part_and_changes_nothing_the_second_time(case: str) -> None:
    words, hosts = PARTS[case]
    # with the tasks of hosts that have converged; every host is probed, and then follows the part
    done = provisioned(site(*words, "--flush-cache"))
    part = done.output.partition("PLAY [Provision")[2].partition("PLAY RECAP")[0]
    assert {host for host in HOSTS if f": [{host}]" in part} == hosts, done.output
    assert not any(done.changed().values())


def test_v1_lists_exactly_the_profile_and_only_with_the_key() -> None:
    ask = "curl -s -o /dev/null -w '%{http_code}' http://attic.local:8000/v1/models"
    assert on("air", ask).output == "401"
    asked = on(
        "air",
        'curl -s -H "Authorization: Bearer $(cat ~/.config/closet/key)" '
        "http://attic.local:8000/v1/models",
    )
    assert {model["id"] for model in json.loads(asked.output)["data"]} == SERVED


@pytest.mark.parametrize("laptop", CLIENTS)
def test_opencode_lists_the_closet_and_no_other_provider(laptop: str) -> None:
    # a provider key in the environment is what makes hosted models appear
    done = on(laptop, "OPENAI_API_KEY=sk-none timeout 60 opencode models", limit_s=90)
    assert done.code == 0, done.output
    assert set(done.output.split()) == {"closet/qwen3-coder-next", "closet/qwen3.6-35b"}


def test_a_project_cannot_lead_opencode_elsewhere() -> None:
    elsewhere = {
        "enabled_providers": ["openai", "closet", "away"],
        "provider": {
            "closet": {"options": {"baseURL": "http://example.invalid/v1"}},
            "away": {"npm": "@ai-sdk/openai-compatible", "models": {"x": {}}},
        },
    }
    on("air", "mkdir -p ~/project && cd ~/project && git init -q .")
    on("air", f"echo '{json.dumps(elsewhere)}' > ~/project/opencode.json")
    listed = on("air", "cd ~/project && OPENAI_API_KEY=x timeout 60 opencode models", limit_s=90)
    assert set(listed.output.split()) == {"closet/qwen3-coder-next", "closet/qwen3.6-35b"}
    asked = on("air", "cd ~/project && timeout 60 opencode debug config", limit_s=90)
    assert "example.invalid" not in asked.output
    assert "http://attic.local:8000/v1" in asked.output
    on("air", "rm -rf ~/project")


@pytest.mark.parametrize("laptop", CLIENTS)
def test_opencode_answers_through_the_closet(laptop: str) -> None:
    done = on(laptop, "timeout 150 opencode run 'Who are you?'", limit_s=180)
    assert done.code == 0, done.output
    assert "qwen3-coder-next" in done.output


def test_files_with_secrets_are_for_their_owner_only() -> None:
    modes = on("air", "stat -c '%a %U' ~/.config/closet/key ~/.config/opencode/config.json")
    assert modes.output.split("\n")[:2] == ["600 admin", "600 admin"]
    settings = on("attic", "stat -c '%a %U' ~/.omlx/settings.json")
    assert settings.output.strip() == "600 admin"


def test_after_a_reboot_the_limit_comes_first_and_then_the_server() -> None:
    limit = on("attic", "sysctl -n iogpu.wired_limit_mb").output.strip()
    assert int(limit) > 110100
    lab("reboot", "attic")
    # nobody logs in here: only the laptop asks, until the closet answers
    ask = (
        "for i in $(seq 60); do "
        'curl -sf -m 5 -H "Authorization: Bearer $(cat ~/.config/closet/key)" '
        "http://attic.local:8000/v1/models && exit 0; sleep 1; done; exit 1"
    )
    asked = on("air", ask, limit_s=120)
    assert asked.code == 0, on("attic", "sudo tail -n 40 /var/log/closet/omlx/omlx.log").output
    assert {model["id"] for model in json.loads(asked.output)["data"]} == SERVED
    assert on("attic", "sysctl -n iogpu.wired_limit_mb").output.strip() == limit
    log = on("attic", "sudo cat /var/log/closet/omlx/omlx.log").output
    starts = re.findall(r"closet-wired-wait: .* wired limit (\d+) MiB, starting", log)
    assert starts[-1] == limit, "omlx started before the GPU had its memory"
    wired = on("attic", "cat /var/log/closet/wired-memory.log").output
    assert wired.rstrip().endswith(f"iogpu.wired_limit_mb: 0 -> {limit}")


def test_a_run_after_the_reboot_changes_nothing() -> None:
    done = provisioned(site())
    assert {host: done.changed()[host] for host in HOSTS} == dict.fromkeys(HOSTS, 0)


def test_an_edit_for_one_laptop_reaches_that_laptop_and_restarts_nothing() -> None:
    pid = on("attic", "sudo launchctl print system/inference.closet.omlx | grep -w pid").output
    done = provisioned(site("-e", '{"opencode_model": "qwen3.6-35b"}', "--limit", "air"))
    assert done.changed()["air"] == 1
    assert on("air", "grep -c qwen3.6-35b ~/.config/opencode/config.json").output.strip() != "0"
    now = on("attic", "sudo launchctl print system/inference.closet.omlx | grep -w pid").output
    assert now == pid
    assert provisioned(site()).changed()["air"] == 1


# --- the models of the running server, and those on the disk --------------------------------------

CLOSET_ALONE = ("--limit", "attic,localhost")
RERANKER = "mlx-community/Qwen3-Reranker-0.6B-mxfp8"
EMBEDDER = "mlx-community/Qwen3-Embedding-8B-4bit-DWQ"
STORE = "~/.omlx/store"


def models(*words: str) -> Done:
    """Run models.yml as an owner does."""
    return run("ansible-playbook", "playbooks/models.yml", *CLOSET_ALONE, *words, limit_s=300)


def listed() -> set[str]:
    """What /v1 lists; nothing while it does not answer."""
    header = f"Authorization: Bearer {KEY.read_text().strip()}"
    asked = on("attic", f"curl -sf -m 5 -H '{header}' http://127.0.0.1:8000/v1/models")
    return {model["id"] for model in json.loads(asked.output)["data"]} if not asked.code else set()


def life() -> tuple[str, str]:
    """The process of omlx, and how often it has unloaded something."""
    pid = on("attic", "sudo launchctl print system/inference.closet.omlx | grep -w pid").output
    unloaded = on("attic", "sudo grep -c 'Unloading model' /var/log/closet/omlx/omlx.log").output
    return pid, unloaded


def test_models_yml_leaves_a_healthy_closet_alone() -> None:
    before = life()
    for words in (
        "--check",
        "",
        "-e models_verify=sha256",
        "-e models_follow=true",
        "-e models_exclusive=true",
    ):
        assert provisioned(models(*words.split())).changed()["attic"] == 0, words
    assert life() == before, "the pinned model was unloaded"
    assert on("attic", "ls ~/.omlx/models").code != 0, "a folder that omlx does not read"
    told = provisioned(models("--tags", "list")).output
    assert {name for name in SERVED if f"{name}: " in told} == SERVED


def test_a_model_that_is_removed_leaves_no_link_and_comes_back() -> None:
    gone = json.dumps({"models_remove": [RERANKER]})
    asked = provisioned(models("-e", gone))
    assert asked.changed()["attic"] == 0
    assert listed() == SERVED, "it was only asked what would go"
    provisioned(paste(command(asked.output, "models_removal_confirmed=true")))
    assert on("attic", f"ls -d {STORE}/{RERANKER}").code != 0
    assert on("attic", f"find {served_folder()} -xtype l").output == "", "dangling links"
    assert listed() == SERVED - {"qwen3-reranker"}
    assert provisioned(models()).changed()["attic"] == 1
    assert listed() == SERVED
    assert provisioned(site(*CLOSET_ALONE)).changed()["attic"] == 0


def test_what_site_would_remove_goes_with_the_command_that_it_prints(tmp_path: Path) -> None:
    """With models_exclusive in an inventory site.yml lists, and models.yml removes."""
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "hosts.yml").write_text("all: {vars: {}}\n")
    (tmp_path / "host_vars/attic.yml").write_text("models_exclusive: true\n")
    where = ("-i", str(ROOT / "inventories/lab"), "-i", str(tmp_path))
    left = f"{STORE}/mlx-community/Left-Over-4bit"
    assert on("attic", f"mkdir {left} && echo '{{}}' >{left}/config.json").code == 0
    pid, _unloaded = life()
    asked = provisioned(site(*where, *CLOSET_ALONE))
    assert "these models would be removed: mlx-community/Left-Over-4bit" in " ".join(
        asked.output.split()
    )
    assert asked.changed()["attic"] == 0
    assert on("attic", f"ls {left}").code == 0
    done = provisioned(paste(command(asked.output, "models_removal_confirmed=true")))
    assert done.changed()["attic"] == 1
    assert on("attic", f"ls -d {left}").code != 0
    assert (life()[0], listed()) == (pid, SERVED)


# Each takes models away; the second brings them back by itself, so that nothing is left to pull.
# omlx lists a model of which the index alone is there, and refuses it once a load of it has failed.
MISSING = {
    "one is gone and one is incomplete": (
        f"rm -r {STORE}/{RERANKER} {{served}}/qwen3-reranker {STORE}/{EMBEDDER}/*.safetensors",
        "true",
        SERVED - {"qwen3-reranker"},
    ),
    "the disk came later": (
        f"mv {STORE}/{RERANKER} {STORE}/{EMBEDDER} ~/",
        f"cd && mv $(basename {RERANKER}) $(basename {EMBEDDER}) {STORE}/mlx-community/",
        SERVED - {"qwen3-reranker", "qwen3-embedding"},
    ),
}


def embeds() -> bool:
    """Whether the embedder answers."""
    header = (
        f"-H 'Authorization: Bearer {KEY.read_text().strip()}' -H 'Content-Type: application/json'"
    )
    body = json.dumps({"model": "qwen3-embedding", "input": "closet"})
    url = "http://127.0.0.1:8000/v1/embeddings"
    return on("attic", f"curl -sf -m 60 {header} -d '{body}' {url}", limit_s=90).code == 0


@pytest.mark.parametrize("case", MISSING)
def test_a_model_that_was_missing_when_omlx_started_is_served(case: str) -> None:
    take, bring, left = MISSING[case]
    assert on("attic", take.format(served=served_folder())).code == 0
    assert on("attic", "sudo launchctl kickstart -k system/inference.closet.omlx").code == 0
    wait_until(lambda: listed() == left, 120)
    assert not embeds()
    assert on("attic", bring).code == 0
    foretold = provisioned(site(*CLOSET_ALONE, "--check")).changed()
    done = provisioned(site(*CLOSET_ALONE))
    assert listed() == SERVED
    assert embeds()
    assert done.changed() == foretold
    again = provisioned(site(*CLOSET_ALONE))
    assert again.changed()["attic"] == 0


# Each Python of omlx's environment waits before it listens, as it does while a large model loads.
SLOW = """\
import asyncio
whole = asyncio.base_events.BaseEventLoop.create_server
async def later(*words, **named):
    await asyncio.sleep(30)
    return await whole(*words, **named)
asyncio.base_events.BaseEventLoop.create_server = later
"""


def test_a_server_that_is_still_starting_with_other_models_is_started_anew() -> None:
    packages = on("attic", "echo /opt/closet/omlx/*/lib/python*/site-packages").output.strip()
    link = f"{served_folder()}/qwen3-reranker"
    as_root("attic", f"printf %s {shlex.quote(SLOW)} >{packages}/slow_start.py")
    as_root("attic", f"echo 'import slow_start' >{packages}/slow_start.pth")
    try:
        was = on("attic", f"readlink {link}").output.strip()
        assert on("attic", f"rm {link}").code == 0
        starts = "grep -c 'Application startup complete' /var/log/closet/omlx/omlx.log"
        before = on("attic", starts).output
        assert on("attic", "sudo launchctl kickstart -k system/inference.closet.omlx").code == 0
        wait_until(lambda: on("attic", starts).output != before, 60)
        assert on("attic", f"ln -s {was} {link}").code == 0
        assert on("attic", "curl -s -m 2 http://127.0.0.1:8000/health").code == 7, "nobody listens"
    finally:
        # the one that starts now has read them
        as_root("attic", f"rm {packages}/slow_start.py {packages}/slow_start.pth")
    done = provisioned(site(*CLOSET_ALONE))
    assert "again | Restart omlx" in done.output
    assert listed() == SERVED
    assert provisioned(site(*CLOSET_ALONE)).changed()["attic"] == 0
