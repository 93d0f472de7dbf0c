"""The profile's models are on the disk as the hub has them, and linked under their served names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lab_mac import Mac, lineup

STORE, SERVED = "/Users/admin/.omlx/store", "/Users/admin/.omlx/models"
HASHES = """
import hashlib, json, os, pathlib, sys
root = pathlib.Path(sys.argv[1])
found = {}
for path in sorted(p for p in root.glob("*/*/**/*") if p.is_file()):
    data = path.read_bytes()
    git = hashlib.sha1(b"blob %d\\0" % len(data) + data).hexdigest()
    found[str(path.relative_to(root))] = [path.owner(), hashlib.sha256(data).hexdigest(), git]
print(json.dumps(found))
"""
LINKS = """
import json, pathlib, sys
links = pathlib.Path(sys.argv[1]).iterdir()
print(json.dumps({link.name: str(link.resolve(strict=True)) for link in links}))
"""


@pytest.fixture(scope="module")
def models(closet: Mac) -> dict[str, Any]:
    """The models of the profile by served name."""
    return lineup(closet)


@pytest.fixture(scope="module")
def on_disk(closet: Mac) -> dict[str, list[str]]:
    """Owner, sha256 and git hash of every file of the store that is not a record of ours."""
    found: dict[str, list[str]] = closet.python(HASHES, STORE)
    return {path: seen for path, seen in found.items() if not path.split("/")[2].startswith(".")}


def on_hub(closet: Mac, repo: str) -> dict[str, str]:
    """Name and hash of every file of a repository, as the hub tells them of the recorded commit."""
    record = json.loads(closet.read(f"cat {STORE}/{repo}/.closet.json"))
    assert record["repo"] == repo
    url = f"{closet.variables['models_endpoint']}/api/models/{repo}/revision/{record['revision']}"
    told = json.loads(closet.read(f"curl -sf '{url}?blobs=true'"))
    assert told["sha"] == record["revision"]
    return {
        file["rfilename"]: file["lfs"]["sha256"] if "lfs" in file else file["blobId"]
        for file in told["siblings"]
    }


def test_every_model_is_linked_under_its_served_name_and_nothing_else_is(
    closet: Mac, models: dict[str, Any]
) -> None:
    wanted = {name: f"{STORE}/{model['repo']}" for name, model in models.items()}
    assert closet.python(LINKS, SERVED) == wanted


def test_every_file_is_the_one_that_the_hub_has(
    closet: Mac, models: dict[str, Any], on_disk: dict[str, list[str]]
) -> None:
    for repo in {model["repo"] for model in models.values()}:
        wanted = on_hub(closet, repo)
        weights = {name for name in wanted if name.endswith(".safetensors")}
        assert weights, repo
        here = {
            path.split("/", 2)[2]: hashes
            for path, (_, *hashes) in on_disk.items()
            if path.startswith(f"{repo}/")
        }
        strange = [name for name, hashes in here.items() if wanted.get(name) not in hashes]
        assert not strange, repo
        assert set(here) >= {"config.json", "tokenizer.json", *weights}


def test_every_file_belongs_to_the_account_and_none_is_half_done(
    on_disk: dict[str, list[str]],
) -> None:
    assert {owner for owner, *_ in on_disk.values()} == {"admin"}
    assert not [path for path in on_disk if ".part" in path]


def test_a_pull_that_ended_leaves_nothing_on_the_mac(closet: Mac) -> None:
    assert closet.read(f"ls -A {STORE} | grep '^[.]'").split() == [".closet.lock"]
    assert closet.read("ls -A /Users/admin/.ansible_async 2>/dev/null || true").strip() == ""
    assert closet.read("ls -A /Users/admin/.ansible/tmp 2>/dev/null || true").strip() == ""
