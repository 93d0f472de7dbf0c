"""Pulls on the lab: from a hub with every fault, over kills and power cuts, into a running omlx.

That a second closet takes them from the first one is in test_models_share.py.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.omlx_admin import Admin, Request
from tests.lab.advice import command, paste
from tests.lab.conftest import Done, as_root, on, provisioned, run
from tests.lab.pulling import (
    HOME,
    JOB,
    MIB,
    OMLX,
    PADDING,
    SPEAKER,
    STORE,
    Puller,
    Task,
    cut_power,
    fault,
    hub,
    key,
    kill_hub,
    kill_module,
    publish,
    remains,
    says,
    served,
    served_folder,
    wait_until,
)

REPO = "mlx-community/Padded-4bit"
FOLDER = f"{STORE}/{REPO}"
PLIST = "/Library/LaunchDaemons/inference.closet.omlx.plist"
TOKEN = "hf_the_token_of_the_lab"
CONNECTIONS, BUFFER = 4, 256 << 10
"""The module's default, and the bytes of which its journal may not know yet."""
TELLS = {"server_url": "http://127.0.0.1:8000"}


@pytest.fixture(scope="module")
def too_early(fresh_lab: None) -> tuple[Done, Done]:
    """models.yml on a closet that was never provisioned, and the run that its refusal suggests."""
    refused = run("ansible-playbook", "playbooks/models.yml", "--limit", "attic,localhost")
    return refused, paste(command(refused.output, "site.yml"))


@pytest.fixture(scope="module")
def closet(too_early: tuple[Done, Done]) -> Puller:
    """attic with omlx, once for all tests of this file."""
    provisioned(too_early[1])
    python = on("attic", "echo /opt/closet/omlx/*/bin/python").output.strip()
    return Puller(python, served_folder())


@pytest.fixture(autouse=True)
def nothing_wrong(closet: Puller) -> Iterator[None]:
    """Every test begins and ends with a hub that is well, and counts anew."""
    hub("faults", method="DELETE")
    hub("served", method="DELETE")
    yield
    hub("faults", method="DELETE")


def size_of(result: dict[str, object]) -> int:
    models = result["models"]
    assert isinstance(models, list)
    return sum(model["bytes"] for model in models)


# --- a pull, and the server that hears of it ---------------------------------------------------


def test_a_closet_that_has_no_program_to_pull_with_gets_one_as_advised(
    too_early: tuple[Done, Done], closet: Puller
) -> None:
    refused, advised = too_early
    assert refused.code != 0
    assert "omlx is not installed on attic; its Python performs the pull" in " ".join(
        refused.output.split()
    )
    assert refused.changed()["attic"] == 0
    assert set(advised.recap()) == {"attic"}
    again = run("ansible-playbook", "playbooks/models.yml", "--limit", "attic,localhost")
    assert provisioned(again).changed()["attic"] == 0


def test_a_fresh_pull_moves_each_byte_once_and_omlx_serves_it(closet: Puller) -> None:
    publish(REPO, 16)
    tells = {**TELLS, "server_key": key()}
    done = closet.pulled(REPO, name="padded", **tells)
    assert (done["changed"], done["models"][0]["state"]) == (True, "pulled")
    assert done["server"]["state"] == "reloaded"
    assert sum(served(REPO).values()) == size_of(done)
    assert "served from the closet" in says("padded")
    assert remains("attic", STORE) == ""

    hub("served", method="DELETE")
    with fault(route="*", method="*", status=500):  # a hub that must not be asked at all
        again = closet.pulled(REPO, name="padded", **tells)
    assert (again["changed"], again["server"]["state"]) == (False, "current")
    assert key() not in done["output"]


def test_a_corrupt_byte_in_a_finished_shard_is_found_and_mended_alone(closet: Puller) -> None:
    shard = f"{FOLDER}/model.safetensors"
    as_root("attic", f"printf X | dd of={shard} bs=1 seek=9000 conv=notrunc 2>/dev/null")
    assert closet.pulled(REPO, name="padded")["changed"] is False, "the size is right"
    done = closet.pulled(REPO, name="padded", verify="sha256", **TELLS, server_key=key())
    assert done["models"][0]["state"] == "repaired"
    sent = {path: size for path, size in served(REPO).items() if size}
    length = int(on("attic", f"wc -c < {shard}").output)
    assert sent == {"model.safetensors": length}
    assert "served from the closet" in says("padded")


# --- cut off, again and again ------------------------------------------------------------------


def test_twenty_kills_at_random_points_cost_little_and_end_in_the_right_bytes(
    closet: Puller,
) -> None:
    repo = "mlx-community/Often-Killed-4bit"
    publish(repo, 40)
    on("attic", f"sudo launchctl disable {JOB}; sudo launchctl bootout {JOB}")
    chance = random.Random(20)
    kinds = ["module"] * 10 + ["host"] * 5 + ["hub"] * 5
    chance.shuffle(kinds)
    task: Task | None = None
    with fault(path="*.npz", rate_bytes_per_s=1.5 * MIB):
        for kind in kinds:
            if task is None:
                task = closet.start(repo, name="killed")
            running = task
            goal = sum(served(repo).values()) + chance.randrange(MIB // 4, 3 * MIB // 2)
            wait_until(lambda: sum(served(repo).values()) >= goal or not running.running)  # noqa: B023
            assert running.running, running.result()
            if kind == "hub":
                kill_hub()
                continue
            if kind == "host":
                cut_power(task)
            else:
                kill_module("attic", STORE)
                task.abandon()
            task = None
    if task is not None:
        task.result()
    done = closet.pulled(repo, name="killed")
    sent, size = served(repo), size_of(done)
    again = sum(sent.values()) - size
    print(f"\n20 kills: {again / MIB:.2f} MiB of {size / MIB:.1f} MiB fetched again")
    # at most one buffer of each request that ran
    assert 0 <= again <= len(kinds) * CONNECTIONS * BUFFER
    proven = closet.pulled(repo, name="killed", verify="sha256")
    assert proven["changed"] is False
    assert remains("attic", STORE) == ""
    on("attic", f"sudo launchctl enable {JOB}")
    on(
        "attic",
        "sudo launchctl bootstrap system /Library/LaunchDaemons/inference.closet.omlx.plist",
    )
    ask = (
        "for i in $(seq 60); do curl -sf -m 5 http://127.0.0.1:8000/health && exit 0; sleep 1; done"
    )
    assert on("attic", ask, limit_s=90).code == 0
    assert "served from the closet" in says("killed")


def test_a_pull_that_is_shown_goes_on_in_the_background(closet: Puller) -> None:
    repo = "mlx-community/Watched-4bit"
    publish(repo, 12)
    with fault(path="*.npz", rate_bytes_per_s=1.0 * MIB):
        done = closet.pulled(repo, name="watched", progress=True)
    assert done["models"][0]["state"] == "pulled"
    assert "attic: pulls watched, " in done["output"]
    assert "%" in done["output"], "at least one line of how far it is"


def test_two_plays_at_once_fetch_everything_once(closet: Puller) -> None:
    repo = "mlx-community/Twice-4bit"
    publish(repo, 8)
    with fault(path="*.npz", rate_bytes_per_s=2.0 * MIB):
        tasks = [closet.start(repo, name="twice") for _ in range(2)]
        results = [task.result() for task in tasks]
    assert not any(result["failed"] for result in results), results
    assert sorted(result["changed"] for result in results) == [False, True]
    assert sum(served(repo).values()) == size_of(results[0])


# --- the disk ----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(closet: Puller) -> Iterator[Puller]:
    """A store on a disk of 16 MiB."""
    disk = f"{HOME}/small"
    as_root("attic", f"mkdir -p {disk} && mount -t tmpfs -o size=16m,uid=501,gid=20 tmpfs {disk}")
    yield Puller(closet.python, store=f"{disk}/store", serve_dir=f"{disk}/models")
    as_root("attic", f"umount {disk}")


def test_a_model_that_does_not_fit_is_refused_before_its_first_byte(small_disk: Puller) -> None:
    repo = "mlx-community/Large-4bit"
    publish(repo, 64)
    assert "do not fit on the disk" in small_disk.refused(repo, name="large")
    assert sum(size for path, size in served(repo).items() if path.endswith(".npz")) == 0
    assert on("attic", f"find {HOME}/small -type f").output == ""


def test_a_disk_that_fills_up_in_the_middle_keeps_what_has_arrived(small_disk: Puller) -> None:
    repo = "mlx-community/Fits-4bit"
    publish(repo, 10)
    with fault(path="*.npz", rate_bytes_per_s=1.0 * MIB):
        task = small_disk.start(repo, name="fits")
        wait_until(lambda: sum(served(repo).values()) > 4 * MIB)
        as_root("attic", f"dd if=/dev/zero of={HOME}/small/other bs=64k 2>/dev/null; true")
        done = task.result()
    assert done["failed"], "the disk was full and nobody noticed"
    assert "is full" in done["msg"]
    as_root("attic", f"rm {HOME}/small/other")
    done = small_disk.pulled(repo, name="fits")
    again = sum(served(repo).values()) - size_of(done)
    print(f"\ndisk full in the middle: {again / MIB:.2f} MiB fetched again")
    assert again < size_of(done) / 2
    assert small_disk.pulled(repo, name="fits", verify="sha256")["changed"] is False


# --- revisions, gates, hubs that are none ------------------------------------------------------


def test_a_moved_branch_is_a_change_only_when_it_is_followed(closet: Puller) -> None:
    repo = "mlx-community/Moving-4bit"
    first = publish(repo, 4)
    assert closet.pulled(repo, name="moving")["models"][0]["revision"] == first
    files = {PADDING[0]: None, "notes.json": {"text": "{}"}}
    second = hub("commits", {"repo": repo, "files": files})["commit"]
    hub("served", method="DELETE")
    kept = closet.pulled(repo, name="moving")
    assert (kept["changed"], kept["models"][0]["revision"]) == (False, first)
    moved = closet.pulled(repo, name="moving", follow=True)
    assert (moved["changed"], moved["models"][0]["revision"]) == (True, second)
    assert served(repo) == {"notes.json": 2}
    assert PADDING[0] not in on("attic", f"ls {STORE}/{repo}").output
    pinned = closet.pulled(repo, name="moving", revision=first)
    assert pinned["models"][0]["revision"] == first


def test_a_gated_repository_wants_its_token_and_the_token_is_shown_nowhere(closet: Puller) -> None:
    repo = "mlx-community/Gated-4bit"
    publish(repo, 1)
    hub("access", {"repo": repo, "gated": "manual"})
    hub("accounts", {"token": TOKEN, "repos": [repo]})
    hub("accounts", {"token": "hf_other", "repos": []})
    assert "is gated: accept its terms" in closet.refused(repo, name="gated")
    assert "may not read" in closet.refused(repo, name="gated", token="hf_other")
    # the same wrong token on a repository that anybody may read
    assert "because of the token alone" in closet.refused(SPEAKER, name="open", token="hf_wrong")
    done = closet.pulled(repo, name="gated", token=TOKEN, verbose=True)
    assert done["changed"] is True
    assert TOKEN not in done["output"]


@pytest.mark.parametrize(
    ("wrong", "repo", "revision", "sentence"),
    [
        ({"page": "<html>log in</html>", "route": "*"}, REPO, "other", "is not a model hub"),
        ({}, REPO, "no-such-branch", "has no revision 'no-such-branch'"),
        ({}, "mlx-community/No-Such-4bit", "main", "is not a repository at"),
        ({}, "no-owner", "main", "is not a model repository"),
    ],
    ids=["a login page", "no such revision", "no such repository", "malformed"],
)
def test_what_cannot_be_had_is_a_sentence(
    closet: Puller, wrong: dict[str, object], repo: str, revision: str, sentence: str
) -> None:
    with fault(**wrong) if wrong else contextlib.nullcontext():
        assert sentence in closet.refused(repo, name="wrong", revision=revision)


TROUBLES: dict[str, dict[str, Any]] = {
    "cut": {"cut_after_bytes": 300_000, "times": 4},
    "shifted": {"range_shift": 4096, "times": 2},
    "whole": {"ignore_range": True, "times": 2},
    "short": {"length_delta": -1000, "times": 1},
    "long": {"length_delta": 1000, "times": 1},
    "flipped": {"flip_at": 1_000_000, "times": 1},
    "changed": {"changed": True, "times": 1},
    "busy": {"status": 429, "retry_after_s": 1, "times": 2},
    "down": {"status": 503, "times": 2},
    "storage": {"route": "storage", "status": 500, "times": 2},
    "denied": {"route": "storage", "status": 403, "error_code": "AccessDenied", "times": 1},
    "bursts": {"burst_bytes": 200_000, "pause_s": 0.2},
}


def test_a_hub_with_every_fault_at_once_ends_in_the_right_bytes(closet: Puller) -> None:
    repo = "mlx-community/Poorly-4bit"
    files = {f"{name}.npz": trouble for name, trouble in TROUBLES.items()}
    publish(repo, 2 * len(files), list(files))
    for path, trouble in files.items():
        hub("faults", {"path": path, **trouble})
    done = closet.pulled(repo, name="poorly")
    assert done["models"][0]["state"] == "pulled"
    unused = [each["path"] for each in hub("faults") if each["used"] == 0]
    assert unused == []
    # by sha256sum, since our own hashing is what is on trial
    listed = json.loads(on("attic", f"cat {STORE}/{repo}/.closet.json").output)["files"]
    want = {each["path"]: each["sha256"] for each in listed if each["path"] in files}
    sums = on("attic", f"cd {STORE}/{repo} && sha256sum *.npz").output.split()
    assert dict(zip(sums[1::2], sums[::2], strict=True)) == want


# --- taking away -------------------------------------------------------------------------------


def test_a_model_goes_when_that_is_confirmed_and_never_while_it_is_loaded(closet: Puller) -> None:
    repo = "mlx-community/Often-Killed-4bit"
    assert closet.pulled(repo, name="killed", **TELLS, server_key=key())["changed"], "its name"
    assert "served from the closet" in says("killed")
    removal = {"state": "absent", **TELLS, "server_key": key()}
    listed = closet.pulled(repo, **removal)
    assert listed["changed"] is False
    assert listed["removal"]["models"][0]["loaded"] is True
    assert "has killed loaded" in closet.refused(repo, confirmed=True, **removal)
    Admin(OMLX, key()).admin_json(Request("POST", "/admin/api/models/killed/unload"))
    done = closet.pulled(repo, confirmed=True, **removal)
    assert done["changed"] is True
    assert on("attic", f"ls -d {STORE}/{repo} {closet.serve_dir}/killed").code != 0


def test_exclusive_takes_what_is_not_listed_and_what_is_not_ours_stays(closet: Puller) -> None:
    before = on("attic", f"ls {closet.serve_dir}; ls {HOME}/.omlx/store/mlx-community").output
    as_root(
        "attic", f"ln -s {STORE}/mlx-community/Twice-4bit {HOME}/elsewhere && mkdir -p {HOME}/x"
    )
    only = {"name": "padded", "exclusive": True, **TELLS, "server_key": key()}
    listed = closet.pulled(REPO, **only)
    assert listed["removal"]["confirmed"] is False
    assert len(listed["removal"]["models"]) >= 3
    assert on("attic", f"ls {STORE}/mlx-community").output.split() != ["Padded-4bit"]
    done = closet.pulled(REPO, confirmed=True, **only)
    assert done["changed"] is True
    assert on("attic", f"ls {STORE}/mlx-community").output.split() == ["Padded-4bit"]
    kept = on("attic", f"ls {HOME}/.omlx/store/mlx-community").output.split()
    assert kept and all(name in before for name in kept), "another store is none of its business"
    assert "served from the closet" in says("padded")
