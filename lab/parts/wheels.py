"""The wheels that the locks name, downloaded once into `<cache>/wheels` and checked by sha256."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.parts.cache import PartsError, read_json, write_json

HERE = Path(__file__).resolve().parent
#: what the simulated Macs install from the lab's index
SERVED_LOCKS = ("omlx.lock", "mlx_lm.lock", "installer.lock", "../../roles/gateway/files/caddy.txt")
INDEX_NAME = "index.json"
DOWNLOADS_AT_ONCE = 4
DOWNLOAD_TIMEOUT_S = 900

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*])?==(?P<version>[^\s;\\]+)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Pin:
    """One locked package: its requirement text as pip reads it and the sha256 of its files."""

    name: str
    version: str
    hashes: frozenset[str]
    text: str


def parse_lock(text: str) -> tuple[Pin, ...]:
    """The pins of a requirements file with hashes, in its order."""
    starts = list(PIN.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    pins = []
    for match, end in zip(starts, ends):
        block = text[match.start() : end].rstrip()
        hashes = frozenset(HASH.findall(block))
        if not hashes:
            raise PartsError(f"{match['name']}=={match['version']} is locked without a sha256")
        pins.append(Pin(match["name"], match["version"], hashes, block))
    return tuple(pins)


def served_pins(folder: Path = HERE) -> tuple[Pin, ...]:
    """Every pin that the lab's index has to offer."""
    texts = ((folder / name).read_text(encoding="utf-8") for name in SERVED_LOCKS)
    # a version that two locks name is one download
    pins = {(pin.name, pin.version): pin for text in texts for pin in parse_lock(text)}
    return tuple(pins.values())


def missing(pins: Iterable[Pin], index: Mapping[str, Any], folder: Path) -> tuple[Pin, ...]:
    """The pins of which no verified file is there; looks at names and sizes, hashes nothing."""
    present = set()
    for name, entry in index.items():
        path = folder / name
        if path.is_file() and path.stat().st_size == entry["size"]:
            present.add(entry["sha256"])
    return tuple(pin for pin in pins if not pin.hashes & present)


def fetch_wheels(cache: Path) -> tuple[int, int]:
    """Make `<cache>/wheels` complete; returns (wheels fetched now, wheels there in all)."""
    folder = cache / "wheels"
    pins = served_pins()
    index = read_json(folder / INDEX_NAME)
    wanted = missing(pins, index, folder)
    if wanted:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="wheels.") as scratch:
            found = download(wanted, Path(scratch))
            for name in found:
                (Path(scratch) / "files" / name).replace(folder / name)
        index.update(found)
        write_json(folder / INDEX_NAME, index)
    return len(wanted), len(pins)


def download(pins: Sequence[Pin], scratch: Path) -> dict[str, dict[str, Any]]:
    """Download into `scratch/files`, several pips at once; index entries of what came."""
    python = prepare_pip(scratch / "pip")
    files = scratch / "files"
    files.mkdir()
    groups = [pins[start::DOWNLOADS_AT_ONCE] for start in range(DOWNLOADS_AT_ONCE)]
    commands = []
    for number, group in enumerate(group for group in groups if group):
        requirements = scratch / f"{number}.txt"
        requirements.write_text("\n".join(pin.text for pin in group) + "\n", encoding="utf-8")
        commands.append(pip_download(python, requirements, files))
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        list(pool.map(run, commands))
    return verify(pins, files)


def prepare_pip(venv: Path) -> Path:
    """A throw-away environment with the locked pip: the project's own one holds none."""
    python = venv / "bin" / "python"
    uv = (sys.executable, "-m", "uv")
    run([*uv, "venv", "--quiet", "--python", sys.executable, str(venv)])
    lock = str(HERE / "downloader.lock")
    options = ("--quiet", "--python", str(python), "--no-deps", "--require-hashes", "-r", lock)
    run([*uv, "pip", "install", *options])
    return python


def pip_download(python: Path, requirements: Path, destination: Path) -> list[str]:
    """The command that fetches wheels for CPython 3.11 on Debian 12, whatever Python runs it."""
    command = [str(python), "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
    command += ["--python-version", "3.11", "--implementation", "cp"]
    # pip does not widen a manylinux tag it is given to the older ones (PEP 600), so name them all
    for minor in range(36, 4, -1):
        command += ["--platform", f"manylinux_2_{minor}_x86_64"]
    for legacy in ("manylinux2014", "manylinux2010", "manylinux1", "linux"):
        command += ["--platform", f"{legacy}_x86_64"]
    return [*command, "--dest", str(destination), "--requirement", str(requirements)]


def verify(pins: Sequence[Pin], files: Path) -> dict[str, dict[str, Any]]:
    """Index entries of the downloaded files; an error when a pin has none or a hash differs."""
    entries = {}
    for path in sorted(files.iterdir()):
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        entries[path.name] = {"sha256": digest, "size": path.stat().st_size}
    came = {entry["sha256"] for entry in entries.values()}
    absent = [f"{pin.name}=={pin.version}" for pin in pins if not pin.hashes & came]
    if absent:
        raise PartsError(f"pip ended well but brought no locked file of: {', '.join(absent)}")
    return entries


def run(command: Sequence[str]) -> None:
    """Run a downloader; on failure say which, and the end of what it said."""
    # A find-links folder of this machine is fine: whatever it offers has to match the hashes.
    environment = {**os.environ, "UV_NO_PROGRESS": "1"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise PartsError(f"{' '.join(command[:5])} …: {problem}") from problem
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise PartsError(
            f"`{' '.join(command[:5])} …` ended with {done.returncode} and said:\n{said}\n"
            "Check that this machine reaches its Python package index, then run it again."
        )
