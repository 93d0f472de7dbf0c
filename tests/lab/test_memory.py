"""Every shipped profile on Macs of every size, with the sizes that the hub tells.

The LAN of these tests has nothing but closets, one for each size of memory, and the hub has files
of the weights' size. So a run of the preflight for one profile judges all Macs at once.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.conftest import ROOT, Done, lab, run
from tests.lab.pulling import hub

LINEUP = yaml.safe_load((ROOT / "roles/preflight/vars/main.yml").read_text())
MODELS, PROFILES = LINEUP["preflight_models"], LINEUP["preflight_profiles"]
SIZES_GB = (16, 24, 32, 36, 48, 64, 96, 128, 192)
# from which size of Mac on a profile fits
FITS_FROM = {
    "mlx-knowledge": 36,
    "lean": 64,
    "mlx-coding": 64,
    "ollama": 64,
    "default": 96,
    "max-100gb": 128,
}
# what a Mac that is too small is told to take: of the same backend, if there is one
LARGEST = {16: None, 24: None, 32: None, 36: "mlx-knowledge", 48: "mlx-knowledge"}
LARGEST |= {64: "mlx-coding", 96: "default"}
GB = 10**9


@pytest.fixture(scope="module")
def closets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A LAN of closets, and a hub whose weights have the sizes that others report."""
    folder = tmp_path_factory.mktemp("memory") / "inventory"
    shutil.copytree(
        ROOT / "inventories/lab", folder, ignore=shutil.ignore_patterns(".secrets", ".closet")
    )
    group = folder / "group_vars/closet.yml"
    said = yaml.safe_load(group.read_text().replace("{{ inventory_dir }}/../..", str(ROOT)))
    del said["closet_revisions"]
    group.write_text(yaml.safe_dump({**said, "closet_exposure": "loopback"}))
    tree = yaml.safe_load((folder / "hosts.yml").read_text())["all"]
    tree["children"] = {"closet": {"hosts": {f"mac{size}": a_mac(size) for size in SIZES_GB}}}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": tree}))
    lab("down")
    lab("up", "--inventory", str(folder), limit_s=600)
    for model in MODELS.values():
        if "repo" in model:
            weigh(model["repo"], model["size_gb"])
    yield folder
    lab("down")


def a_mac(memory_gb: int) -> dict[str, object]:
    hardware = {"model": "Mac16,9", "macos": "26.5.1", "memory_gb": memory_gb}
    return {"ansible_host": f"10.77.31.{memory_gb + 10}", "lab_mac": hardware}


def weigh(repo: str, size_gb: float) -> None:
    """Give a repository of the hub weights of a size; a byte of them is never read."""
    files = {"model.safetensors": {"size": int(size_gb * GB), "hollow": True}}
    hub("commits", {"repo": repo, "files": files})


def preflight(folder: Path, profile: str) -> Done:
    words = ("-i", str(folder), "-e", f"closet_profile={profile}")
    return run("ansible-playbook", "playbooks/preflight.yml", *words)


def refusals(done: Done) -> dict[int, str]:
    """What each Mac that is too small was told, by its memory."""
    found = {}
    for part in re.split(r"\n(?=\s*mac\d+: )", done.output.replace("\\n", "\n"))[1:]:
        found[int(part.strip()[3:].split(":")[0])] = " ".join(part.split())
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_refused_on_every_mac_it_is_too_large_for(closets: Path, profile: str) -> None:
    done = preflight(closets, profile)
    told = refusals(done)
    small = [size for size in SIZES_GB if size < FITS_FROM[profile]]
    assert done.code != 0, done.output
    assert sorted(told) == small, done.output
    assert "Nothing was changed." in done.output
    count = len(PROFILES[profile]["models"])
    for size, text in told.items():
        assert f"profile {profile} needs" in text
        assert f"of its {size} GB models may take" in text
        if profile != "ollama":
            assert f"weights {weights_gb(profile):.1f} GB sizes from the hub" in text
        assert len(re.findall(r"\d+\.\d qwen3", text)) == count, text
        best = LARGEST[size]
        way_out = (
            f"The largest that fits is closet_profile: {best} (" if best else "No profile fits"
        )
        assert way_out in text


def weights_gb(profile: str) -> float:
    return sum(float(MODELS[name]["size_gb"]) for name in PROFILES[profile]["models"])


def test_a_model_that_grew_at_the_hub_is_seen_before_a_byte_is_pulled(closets: Path) -> None:
    """With the lineup's size it would fit 64 GB; what the hub has now does not."""
    model = MODELS["qwen3-coder-next"]
    weigh(model["repo"], 55)
    told = refusals(preflight(closets, "mlx-coding"))
    assert sorted(told) == [size for size in SIZES_GB if size < 96]
    assert "weights 55.0 GB sizes from the hub" in told[64]
    # the sums of those that fit are shown as well, when nothing else stands against a run
    weigh(model["repo"], model["size_gb"])
    fits = [f"mac{size}" for size in SIZES_GB if size >= 64]
    limit = ("--limit", ",".join([*fits, "localhost"]))
    words = ("-i", str(closets), "-e", "closet_profile=mlx-coding", *limit)
    done = run("ansible-playbook", "playbooks/preflight.yml", *words)
    assert done.code == 0, done.output
    for name in fits:
        assert f"{name}, {name[3:]} GB, profile mlx-coding (omlx): fits" in done.output


def test_nothing_was_pulled(closets: Path) -> None:
    assert hub("served") == []
