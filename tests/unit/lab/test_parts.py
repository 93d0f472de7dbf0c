"""lab.parts: what the locks say, what is fetched, and what a registry would answer."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.parts import opencode, wheels
from lab.parts.cache import PartsError, cache_root, read_json, write_json
from lab.parts.wheels import Pin, missing, parse_lock

PARTS = Path(wheels.__file__).parent
A, B, C = "a" * 64, "b" * 64, "c" * 64

LOCK = f"""\
# a comment
annotated-doc==0.0.7 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
mlx[cpu]==0.32.3 ; sys_platform == 'linux' \\
    --hash=sha256:{C}
"""


def test_a_lock_is_read_with_extras_markers_and_several_hashes() -> None:
    first, second = parse_lock(LOCK)
    assert (first.name, first.version, set(first.hashes)) == ("annotated-doc", "0.0.7", {A, B})
    assert (second.name, second.version, set(second.hashes)) == ("mlx", "0.32.3", {C})
    assert "sys_platform" in second.text


def test_a_pin_without_a_hash_is_refused() -> None:
    with pytest.raises(PartsError, match=r"uv==1\.0 is locked without a sha256"):
        parse_lock("uv==1.0\n")


def test_the_committed_locks_hold_what_the_lab_serves_and_no_address() -> None:
    versions = {pin.name: pin.version for pin in wheels.served_pins()}
    assert versions["flyto-mlx"] == "0.7.0"
    assert {"mlx", "mlx-cpu", "mlx-lm", "mlx-vlm", "mlx-embeddings", "uv"} <= set(versions)
    assert not {"torch", "xgrammar"} & set(versions)
    for path in PARTS.glob("*.lock"):
        assert "://" not in path.read_text(encoding="utf-8"), path.name


def test_every_requirement_that_people_edit_is_in_the_lock() -> None:
    locked = {pin.name for pin in wheels.served_pins()}
    lines = [*PARTS.glob("omlx*.in"), PARTS / "installer.in"]
    wanted = {
        re.split(r"[\[=><]", line)[0]
        for path in lines
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    assert wanted <= locked


def test_the_npm_lock_holds_one_package_with_integrity_and_no_address() -> None:
    text = (PARTS / "package-lock.json").read_text(encoding="utf-8")
    pin = opencode.locked_opencode()
    assert "resolved" not in text
    assert "://" not in text
    assert (pin.name, pin.version) == ("opencode-linux-x64", "1.18.33")
    assert pin.integrity.startswith("sha512-")
    assert pin.file_name == "opencode-linux-x64-1.18.33.tgz"


@pytest.mark.parametrize(
    ("index", "size", "want"),
    [
        pytest.param({}, 3, ["x"], id="nothing-known"),
        pytest.param({"x.whl": {"sha256": A, "size": 3}}, 3, [], id="there"),
        pytest.param({"x.whl": {"sha256": A, "size": 4}}, 3, ["x"], id="cut-off"),
        pytest.param({"x.whl": {"sha256": B, "size": 3}}, 3, ["x"], id="another-file"),
        pytest.param({"gone.whl": {"sha256": A, "size": 3}}, 3, ["x"], id="deleted"),
    ],
)
def test_missing_goes_by_name_size_and_locked_hash(
    tmp_path: Path, index: dict[str, dict[str, object]], size: int, want: list[str]
) -> None:
    (tmp_path / "x.whl").write_bytes(b"x" * size)
    pins = (Pin("x", "1", frozenset({A}), f"x==1 --hash=sha256:{A}"),)
    assert [pin.name for pin in missing(pins, index, tmp_path)] == want


def test_a_complete_cache_runs_no_downloader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = Pin("x", "1", frozenset({A}), "")
    monkeypatch.setattr(wheels, "served_pins", lambda: (pin,))
    monkeypatch.setattr(wheels, "run", lambda command: pytest.fail(f"ran {command}"))
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "x.whl").write_bytes(b"xyz")
    write_json(tmp_path / "wheels" / "index.json", {"x.whl": {"sha256": A, "size": 3}})
    assert wheels.fetch_wheels(tmp_path) == (0, 1)


def test_what_pip_brings_is_moved_in_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(b"wheel").hexdigest()
    pin = Pin("x", "1", frozenset({digest}), f"x==1 --hash=sha256:{digest}")
    monkeypatch.setattr(wheels, "served_pins", lambda: (pin,))
    monkeypatch.setattr(wheels, "run", pretend_pip)
    assert wheels.fetch_wheels(tmp_path) == (1, 1)
    assert wheels.fetch_wheels(tmp_path) == (0, 1)
    assert (tmp_path / "wheels" / "x-1-py3-none-any.whl").read_bytes() == b"wheel"
    assert [path.name for path in tmp_path.iterdir()] == ["wheels"]


def pretend_pip(command: list[str]) -> None:
    if "download" in command:
        destination = Path(command[command.index("--dest") + 1])
        (destination / "x-1-py3-none-any.whl").write_bytes(b"wheel")


def test_a_file_that_differs_from_the_lock_does_not_get_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = Pin("x", "1", frozenset({A}), f"x==1 --hash=sha256:{A}")
    monkeypatch.setattr(wheels, "served_pins", lambda: (pin,))
    monkeypatch.setattr(wheels, "run", pretend_pip)
    with pytest.raises(PartsError, match="no locked file of: x==1"):
        wheels.fetch_wheels(tmp_path)
    assert not list((tmp_path / "wheels").iterdir())


def test_a_failing_downloader_is_quoted() -> None:
    with pytest.raises(PartsError, match=r"ended with 3 and said:\nno route") as caught:
        wheels.run(["sh", "-c", "echo no route >&2; exit 3"])
    assert "package index" in str(caught.value)


def tarball(path: Path, manifest: Mapping[str, object]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, mode, data in (
            ("package/package.json", 0o644, json.dumps(manifest).encode()),
            ("package/bin/opencode", 0o755, b"#!/bin/sh\n"),
        ):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))


MANIFEST = {"name": "opencode-linux-x64", "version": "1.2.3", "os": ["linux"], "cpu": ["x64"]}


def test_repacking_renames_frees_and_keeps_the_program(tmp_path: Path) -> None:
    tarball(tmp_path / "old.tgz", MANIFEST)
    manifest = opencode.repack(tmp_path / "old.tgz", tmp_path / "new.tgz", "opencode-darwin-arm64")
    assert manifest == {"name": "opencode-darwin-arm64", "version": "1.2.3"}
    with tarfile.open(tmp_path / "new.tgz") as archive:
        assert archive.getnames() == ["package/package.json", "package/bin/opencode"]
        inside = archive.extractfile("package/package.json")
        assert inside is not None
        assert json.loads(inside.read()) == manifest
        assert archive.getmember("package/bin/opencode").mode == 0o755


def test_repacking_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    tarball(tmp_path / "old.tgz", MANIFEST)
    for name in ("one.tgz", "two.tgz"):
        opencode.repack(tmp_path / "old.tgz", tmp_path / name, "other")
    assert (tmp_path / "one.tgz").read_bytes() == (tmp_path / "two.tgz").read_bytes()
    assert gzip.decompress((tmp_path / "one.tgz").read_bytes())


def fake_npm(folder: Path, script: str) -> None:
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / "npm").chmod(0o755)


def test_without_npm_the_debian_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PartsError, match="apt-get install --no-install-recommends npm"):
        opencode.fetch_opencode(tmp_path / "cache-without")


def test_what_npm_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(tmp_path / "bin", "echo ENOTFOUND registry >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    with pytest.raises(PartsError, match="ended with 1 and said:\nENOTFOUND registry"):
        opencode.fetch_opencode(tmp_path)


def test_opencode_is_fetched_once_and_held_against_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tarball(tmp_path / "original.tgz", MANIFEST)
    integrity = opencode.integrity_of(tmp_path / "original.tgz")
    pin = opencode.NpmPin("opencode-linux-x64", "1.2.3", integrity)
    monkeypatch.setattr(opencode, "locked_opencode", lambda: pin)
    copy = f'echo "$@" >>{tmp_path}/asked; cp {tmp_path}/original.tgz "$4/{pin.file_name}"'
    fake_npm(tmp_path / "bin", copy)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    cache = tmp_path / "cache"
    cache.mkdir()
    assert opencode.fetch_opencode(cache) == (True, "1.2.3")
    assert opencode.fetch_opencode(cache) == (False, "1.2.3")
    assert (tmp_path / "asked").read_text().count("pack opencode-linux-x64@1.2.3") == 1
    entry = read_json(cache / "npm" / "index.json")["opencode-darwin-arm64"]["1.2.3"]
    assert entry["integrity"] == opencode.integrity_of(cache / "npm" / entry["file"])

    other = opencode.NpmPin(pin.name, pin.version, "sha512-other")
    monkeypatch.setattr(opencode, "locked_opencode", lambda: other)
    with pytest.raises(PartsError, match="is not what package-lock"):
        opencode.fetch_opencode(cache)


@pytest.mark.parametrize(
    ("environ", "want"),
    [
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/closet.inference"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/closet.inference"),
        ({"HOME": "/h"}, "/h/.cache/closet.inference"),
    ],
)
def test_the_cache_is_where_xdg_says(environ: dict[str, str], want: str) -> None:
    assert cache_root(environ) == Path(want)


def test_a_damaged_index_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("{", encoding="utf-8")
    assert read_json(tmp_path / "index.json") == {}
