"""tailscale, tailscaled and headscale, built from their Go modules once: `<cache>/tailnet-<key>/`.

`tailnet/go.mod` pins what is built and `tailnet/go.sum` holds the hashes. The two of Tailscale's
own run on the simulated Macs, so they are Linux programs that behave like the Mac's where that is
decided at compile time: what only Linux builds have is left out, the file that configures the
system's resolver is the Mac's, and so are the default paths.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.parts.cache import PartsError, locked, read_json, write_json

HERE = Path(__file__).resolve().parent / "tailnet"
TAILSCALE, HEADSCALE = "tailscale.com", "github.com/juanfont/headscale"
PROGRAMS = {
    "tailscale": f"{TAILSCALE}/cmd/tailscale",
    "tailscaled": f"{TAILSCALE}/cmd/tailscaled",
    "headscale": f"{HEADSCALE}/cmd/headscale",
}
ARCHIVE, INDEX_NAME = "tailscale.tgz", "index.json"
#: features that Linux builds have and Mac builds do not
ONLY_LINUX = (
    "aws",
    "dbus",
    "kube",
    "networkmanager",
    "resolved",
    "sdnotify",
    "synology",
    "systray",
)
TAGS = ",".join(f"ts_omit_{feature}" for feature in (*ONLY_LINUX, "tap", "tpm"))
FLAGS = ("-mod=readonly", "-buildvcs=false", "-trimpath", f"-tags={TAGS}")
#: a module that is built from a folder does not know its version by itself
STAMPS = tuple(f"{TAILSCALE}/version.{length}Stamp" for length in ("short", "long"))
#: where the Go project's own installer puts it, beside the PATH
GO_HOME = "/usr/local/go/bin"
BUILD_TIMEOUT_S = 3600


@dataclass(frozen=True)
class Edit:
    """In one file of the module tailscale.com, `old` stands once and is to become `new`."""

    file: str
    old: str
    new: str


MAC_RESOLVER = "net/dns/manager_darwin.go"
EDITS = (
    Edit("net/dns/manager_linux.go", "func NewOSConfigurator(", "func newLinuxOSConfigurator("),
    Edit("paths/paths.go", 'runtime.GOOS == "darwin"', 'runtime.GOOS == "linux"'),
    Edit("paths/paths_unix.go", 'case "linux", "illumos",', 'case "illumos",'),
    Edit("paths/paths_unix.go", 'case "darwin":', 'case "darwin", "linux":'),
)


def pinned(folder: Path = HERE) -> dict[str, str]:
    """Version by module of what go.mod pins, without the v; `go` is the least Go that builds it."""
    text = (folder / "go.mod").read_text(encoding="utf-8")
    found = {"go": r"^go (\S+)$"}
    found |= {name: rf"^\s+{re.escape(name)} v(\S+)" for name in (TAILSCALE, HEADSCALE)}
    versions = {}
    for name, pattern in found.items():
        match = re.search(pattern, text, re.MULTILINE)
        if match is None:
            raise PartsError(f"{folder / 'go.mod'} names no version of {name}")
        versions[name] = match[1]
    return versions


def key(folder: Path = HERE) -> str:
    """What the programs depend on, in 16 digits; the compiler is whichever suffices."""
    digest = hashlib.sha256(repr((PROGRAMS, FLAGS, STAMPS, EDITS, MAC_RESOLVER)).encode())
    for name in ("go.mod", "go.sum"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:16]


def built(cache: Path) -> Path | None:
    """The folder with the programs, or None when they were not built yet."""
    folder = cache / f"tailnet-{key()}"
    return folder if folder.is_dir() else None


def why_not(environ: Mapping[str, str] = os.environ) -> str:
    """One sentence about a missing build: whether Go is missing, too old, or just was not asked."""
    problem = _go(environ)[1]
    if problem:
        return f"{problem}; without it the lab has no tailnet, and everything else works"
    return "the tailnet's programs are not built: `lab build` does it once, in some minutes"


def build(cache: Path) -> str:
    """Build what is missing; one sentence about what is there now, or why there is nothing."""
    if built(cache):
        return f"tailscale {pinned()[TAILSCALE]} and headscale {pinned()[HEADSCALE]} were there"
    go, problem = _go(os.environ)
    if problem:
        return why_not()
    with locked(cache, "tailnet"):
        if built(cache) is None:
            _build(cache, go)
    return f"tailscale {pinned()[TAILSCALE]} and headscale {pinned()[HEADSCALE]} are built"


def version_of(text: str) -> tuple[int, ...]:
    """The numbers in what `go version` prints or in a pin: 1.26.8 is (1, 26, 8)."""
    match = re.search(r"\b(?:go)?(\d+(?:\.\d+)+)", text)
    return tuple(int(number) for number in match[1].split(".")) if match else ()


def edited(source: str, edits: tuple[Edit, ...]) -> str:
    """The text of a file with its edits made; an error when one does not fit."""
    for edit in edits:
        if source.count(edit.old) != 1:
            raise PartsError(f"{edit.file} of tailscale.com has changed: no single {edit.old!r}")
        source = source.replace(edit.old, edit.new)
    return source


def _go(environ: Mapping[str, str]) -> tuple[str, str]:
    """The Go that suffices, and an empty string; or what is wrong with what there is."""
    least = pinned()["go"]
    go = shutil.which("go", path=f"{environ.get('PATH', '')}:{GO_HOME}")
    if go is None:
        return "", f"Go {least} or newer is not installed (Debian 12 has 1.19)"
    # asked in the module's folder: a newer go command may fetch the toolchain that go.mod wants
    done = subprocess.run([go, "version"], cwd=HERE, capture_output=True, text=True, check=False)
    found = version_of(done.stdout)
    if done.returncode == 0 and found >= version_of(least):
        return go, ""
    return "", f"{go} is too old: it says `{(done.stdout or done.stderr).strip()}`, not {least}"


def _build(cache: Path, go: str) -> None:
    with tempfile.TemporaryDirectory(dir=cache, prefix="tailnet.") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        modfile = _mac_sources(go, Path(scratch))
        version = pinned()[TAILSCALE]
        stamped = " ".join(("-s -w", *(f"-X {stamp}={version}" for stamp in STAMPS)))
        argv = [go, "build", *FLAGS, f"-ldflags={stamped}", f"-modfile={modfile}"]
        _run([*argv, "-o", f"{made}/", *PROGRAMS.values()])
        write_json(made / INDEX_NAME, pack(made, version))
        made.rename(cache / f"tailnet-{key()}")


def _mac_sources(go: str, scratch: Path) -> Path:
    """Copy the module (which go checks against go.sum), edit it; the go.mod that points there."""
    _run([go, "mod", "download"])
    module = Path(_run([go, "list", "-m", "-f", "{{.Dir}}", TAILSCALE]).strip())
    source = scratch / "tailscale"
    # the cache's files are read only
    shutil.copytree(module, source, copy_function=shutil.copyfile)
    for file in dict.fromkeys(edit.file for edit in EDITS):
        mine = tuple(edit for edit in EDITS if edit.file == file)
        text = (source / file).read_text(encoding="utf-8")
        (source / file).write_text(edited(text, mine), encoding="utf-8")
    # without its ending the name no longer says that it is for macOS alone
    shutil.copyfile(source / MAC_RESOLVER, source / "net/dns/manager_mac.go")
    modfile = scratch / "go.mod"
    pins = (HERE / "go.mod").read_text(encoding="utf-8")
    modfile.write_text(f"{pins}\nreplace {TAILSCALE} => {source}\n", encoding="utf-8")
    shutil.copyfile(HERE / "go.sum", scratch / "go.sum")
    return modfile


def pack(folder: Path, version: str) -> dict[str, object]:
    """Write the archive that a Mac installs, in the shape of Homebrew's; what its index says."""
    archive = folder / ARCHIVE
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in ("tailscale", "tailscaled"):
            member = tarfile.TarInfo(f"tailscale/{version}/bin/{name}")
            member.size, member.mode = (folder / name).stat().st_size, 0o755
            with (folder / name).open("rb") as program:
                tar.addfile(member, program)
    with archive.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {"version": version, "sha256": digest, "size": archive.stat().st_size}


def archive_of(cache: Path, version: str) -> tuple[Path, str] | None:
    """The archive of this version and its sha256; None when it is not there."""
    folder = built(cache)
    index = read_json(folder / INDEX_NAME) if folder else {}
    if folder is None or index.get("version") != version:
        return None
    return folder / ARCHIVE, str(index["sha256"])


def _run(argv: list[str]) -> str:
    """Run the go command in the module's folder; on failure say the end of what it said."""
    try:
        done = subprocess.run(
            argv,
            cwd=HERE,
            # static programs: they run on every Linux, and need no C compiler here
            env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"},
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise PartsError(f"{' '.join(argv[:3])} …: {problem}") from problem
    if done.returncode != 0:
        said = "\n".join(done.stderr.strip().splitlines()[-12:])
        raise PartsError(
            f"`{' '.join(argv[:3])} …` ended with {done.returncode} and said:\n{said}\n"
            "Check that this machine's go reaches its module proxy, then run it again."
        )
    return done.stdout


def main() -> None:
    """The command line: build, and say what is there."""
    from lab.parts.cache import cache_root

    print(f"tailnet: {build(cache_root())}")


if __name__ == "__main__":
    main()
