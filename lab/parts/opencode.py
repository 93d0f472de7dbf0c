"""The opencode program: fetched by npm once, offered by the lab as it is and as the Mac's package.

A Linux laptop gets what npm brought. The simulated Mac says arm64 Darwin, yet its programs run on
Linux, so for it the Linux package is packed again under the Mac package's name, without the `os`
and `cpu` fields that npm would refuse.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.parts.cache import PartsError, read_json, write_json

HERE = Path(__file__).resolve().parent
LINUX_PACKAGE = "opencode-linux-x64"
MAC_PACKAGE = "opencode-darwin-arm64"
INDEX_NAME = "index.json"
PACK_TIMEOUT_S = 900


@dataclass(frozen=True)
class NpmPin:
    """One package of package-lock.json; `integrity` is npm's `sha512-<base64>`."""

    name: str
    version: str
    integrity: str

    @property
    def file_name(self) -> str:
        """The name `npm pack` gives the tarball."""
        return f"{self.name}-{self.version}.tgz"


def locked_opencode(folder: Path = HERE) -> NpmPin:
    """What package-lock.json says about opencode."""
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    entry = lock["packages"][f"node_modules/{LINUX_PACKAGE}"]
    return NpmPin(LINUX_PACKAGE, entry["version"], entry["integrity"])


def fetch_opencode(cache: Path) -> tuple[bool, str]:
    """Make `<cache>/npm` complete; returns (fetched now, version)."""
    folder = cache / "npm"
    pin = locked_opencode()
    if is_complete(folder, pin):
        return False, pin.version
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="npm.") as scratch:
        original = npm_pack(pin, Path(scratch))
        renamed = Path(scratch) / f"{MAC_PACKAGE}-{pin.version}.tgz"
        manifests = {
            LINUX_PACKAGE: manifest_of(original),
            MAC_PACKAGE: repack(original, renamed, MAC_PACKAGE),
        }
        index = read_json(folder / INDEX_NAME)
        for name, path in ((LINUX_PACKAGE, original), (MAC_PACKAGE, renamed)):
            entry = {"source": pin.integrity, "manifest": manifests[name], **describe(path)}
            index.setdefault(name, {})[pin.version] = entry
            path.replace(folder / path.name)
    write_json(folder / INDEX_NAME, index)
    return True, pin.version


def is_complete(folder: Path, pin: NpmPin) -> bool:
    """Whether the packages made from this very pin are there; looks at sizes, hashes nothing."""
    index = read_json(folder / INDEX_NAME)
    for name in (LINUX_PACKAGE, MAC_PACKAGE):
        entry = index.get(name, {}).get(pin.version, {})
        if entry.get("source") != pin.integrity:
            return False
        path = folder / str(entry["file"])
        if not path.is_file() or path.stat().st_size != entry["size"]:
            return False
    return True


def npm_pack(pin: NpmPin, destination: Path) -> Path:
    """Let the machine's own npm download the tarball, and hold it against the lock."""
    npm = shutil.which("npm")
    if npm is None:
        raise PartsError(
            "npm is not installed, and opencode comes as an npm package.\n"
            "Install the Debian package `npm`: apt-get install --no-install-recommends npm"
        )
    spec = f"{pin.name}@{pin.version}"
    command = [npm, "pack", spec, "--pack-destination", str(destination), "--loglevel", "error"]
    try:
        done = subprocess.run(
            command,
            cwd=destination,
            env={**os.environ, "npm_config_update_notifier": "false"},
            capture_output=True,
            text=True,
            timeout=PACK_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise PartsError(f"npm pack {spec}: {problem}") from problem
    path = destination / pin.file_name
    if done.returncode != 0 or not path.is_file():
        said = "\n".join(done.stderr.strip().splitlines()[-12:])
        raise PartsError(
            f"`npm pack {spec}` ended with {done.returncode} and said:\n{said}\n"
            "Check that this machine's npm reaches its registry (npm ping), then run it again."
        )
    found = integrity_of(path)
    if found != pin.integrity:
        raise PartsError(
            f"{spec} is not what package-lock.json locks:\n"
            f"  locked {pin.integrity}\n  got    {found}"
        )
    return path


def repack(source: Path, target: Path, name: str) -> dict[str, Any]:
    """Copy an npm tarball under another package name; its new package.json. Same in, same out."""
    manifest = rename(manifest_of(source), name)
    with (
        tarfile.open(source, "r:gz") as old,
        target.open("wb") as raw,
        # no time stamp and no file name in the header: the bytes depend on the input alone
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as new,
    ):
        for member in old:
            content = old.extractfile(member)
            if member.name == "package/package.json" and content is not None:
                data = json.dumps(manifest, indent=2).encode() + b"\n"
                member.size = len(data)
                new.addfile(member, io.BytesIO(data))
            else:
                new.addfile(member, content)
    return manifest


def manifest_of(tarball: Path) -> dict[str, Any]:
    """The package.json of an npm tarball."""
    with tarfile.open(tarball, "r:gz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if member.name == "package/package.json" and content is not None:
                return dict(json.loads(content.read()))
    raise PartsError(f"{tarball.name} holds no package/package.json")


def rename(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    """The manifest of the same package for any system."""
    kept = {key: value for key, value in manifest.items() if key not in {"os", "cpu", "libc"}}
    return {**kept, "name": name}


def describe(path: Path) -> dict[str, Any]:
    """What a registry says about a tarball."""
    with path.open("rb") as handle:
        shasum = hashlib.file_digest(handle, "sha1").hexdigest()
    return {
        "file": path.name,
        "size": path.stat().st_size,
        "integrity": integrity_of(path),
        "shasum": shasum,
    }


def integrity_of(path: Path) -> str:
    """npm's spelling of a file's sha512 (Subresource Integrity)."""
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha512").digest()
    return "sha512-" + base64.b64encode(digest).decode()
