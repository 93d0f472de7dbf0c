"""The lab's Linux laptops: how an inventory asks for one, whose it is, and its opencode."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import inventory
from lab.linux import disk
from lab.parts import opencode
from lab.parts.cache import PartsError, read_json
from tests.unit.lab.test_parts import MANIFEST, fake_npm, tarball

HERE = Path(__file__).resolve().parents[3]


def lan(folder: Path, **laptop: Any) -> inventory.Lan:
    mac = {"model": "Mac16,9", "macos": "26.5.1", "memory_gb": 128}
    hosts = {
        "tux": {"ansible_host": "10.77.31.24", **laptop},
        "attic": {"ansible_host": "10.77.31.10", "lab_mac": mac},
    }
    variables = {"lab_network": "10.77.31.0/24", "lab_hub": "10.77.31.2"}
    document = {"all": {"vars": variables, "children": {"clients": {"hosts": hosts}}}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(document))
    return inventory.read(folder)


def test_a_linux_laptop_is_told_from_a_mac(tmp_path: Path) -> None:
    found = lan(tmp_path, lab_linux={"shell": "/bin/zsh"})
    attic, tux = found.machines
    assert (attic,) == found.macs
    assert found.names == {"hub": "10.77.31.2", "attic": "10.77.31.10", "tux": "10.77.31.24"}
    assert tux == inventory.LinuxLaptop("tux", "10.77.31.24", "admin", "/bin/zsh")
    assert tux.title.startswith("laptop, ")


def test_the_inventory_of_its_test_has_a_mac_and_a_linux_laptop() -> None:
    machines = inventory.read(HERE / "tests/lab/inventories/linux").machines
    assert [type(one).__name__ for one in machines] == ["Mac", "LinuxLaptop"]


@pytest.mark.parametrize(
    "asked", [None, {}, True, {"shell": "/bin/fish"}, {"shell": "/bin/bash", "memory_gb": 8}]
)
def test_what_cannot_be_meant_is_answered_with_what_can(tmp_path: Path, asked: Any) -> None:
    with pytest.raises(inventory.InventoryError, match=r"tux: lab_linux is a dictionary.*/bin/zsh"):
        lan(tmp_path, lab_linux=asked)


def test_accounts_are_those_of_a_fresh_debian(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n"
        "kim:x:1000:1000::/home/kim:/bin/bash\nadmin:x:119:119::/:/bin/false\n"
        "broken\n+nis::::::\n"
    )
    found = [fields[0] for fields in disk._accounts(tmp_path / "passwd", "admin")]
    assert found == ["root", "nobody"]


def test_the_linux_package_is_offered_as_npm_brought_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tarball(tmp_path / "original.tgz", MANIFEST)
    integrity = opencode.integrity_of(tmp_path / "original.tgz")
    pin = opencode.NpmPin("opencode-linux-x64", "1.2.3", integrity)
    monkeypatch.setattr(opencode, "locked_opencode", lambda: pin)
    fake_npm(tmp_path / "bin", f'cp {tmp_path}/original.tgz "$4/{pin.file_name}"')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    opencode.fetch_opencode(tmp_path)
    index = read_json(tmp_path / "npm/index.json")
    entry = index["opencode-linux-x64"]["1.2.3"]
    assert set(index) == {"opencode-linux-x64", "opencode-darwin-arm64"}
    assert (entry["integrity"], entry["manifest"]) == (integrity, MANIFEST)
    assert opencode.is_complete(tmp_path / "npm", pin)


@pytest.mark.parametrize("gone", ["opencode-linux-x64", "opencode-darwin-arm64"])
def test_a_cache_that_lacks_one_of_the_two_is_filled_again(tmp_path: Path, gone: str) -> None:
    pin = opencode.NpmPin("opencode-linux-x64", "1.2.3", "sha512-x")
    index = {}
    for name in ("opencode-linux-x64", "opencode-darwin-arm64"):
        (tmp_path / f"{name}.tgz").write_bytes(b"x")
        index[name] = {"1.2.3": {"source": pin.integrity, "file": f"{name}.tgz", "size": 1}}
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert opencode.is_complete(tmp_path, pin)
    (tmp_path / f"{gone}.tgz").unlink()
    assert not opencode.is_complete(tmp_path, pin)
    del index[gone]
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert not opencode.is_complete(tmp_path, pin)


def test_a_tarball_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "empty.tgz", "w:gz"):
        pass
    with pytest.raises(PartsError, match=r"empty.tgz holds no package/package.json"):
        opencode.manifest_of(tmp_path / "empty.tgz")
