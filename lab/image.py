"""The Mac layer: the read-only folder that turns an overlay of this machine into a Mac.

Built once per content into the cache: the tree `lab/macos`, the launchd double, and a Python 3.9
where the machine has one, since that is what macOS ships. A Mac's root is this layer over `/`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab.paths import CHECKOUT, cache

MACOS_TREE = CHECKOUT / "lab" / "macos"
LAUNCHD = CHECKOUT / "lab" / "launchd"
SUPPORT = Path("usr/libexec/closet-lab")
TOOLS = Path("Library/Developer/CommandLineTools/usr")
MAC_PYTHON = "3.9"
"""What the Command Line Tools ship (3.9.6); any 3.9 of this machine stands in for it."""


class ImageError(RuntimeError):
    """The layer cannot be built; the text says what is missing."""


def ensure() -> Path:
    """Return the Mac layer for this checkout, building it first when it is not there."""
    python = _python39()
    layer = cache() / f"mac-{_digest(python)}"
    if layer.is_dir():
        return layer
    # not named after the process: two labs in namespaces of their own have the same numbers
    with tempfile.TemporaryDirectory(
        dir=cache(), prefix="mac.", ignore_cleanup_errors=True
    ) as made:
        staging = Path(made) / "layer"
        _build(staging, python)
        try:
            staging.rename(layer)
        except OSError:
            if not layer.is_dir():  # otherwise somebody else was faster
                raise
    return layer


def mac_python() -> str:
    """Say which Python plays the Mac's /usr/bin/python3."""
    python = _python39()
    return f"{python} ({MAC_PYTHON})" if python else f"{_system_python()} (no {MAC_PYTHON} here)"


def _build(layer: Path, python: Path | None) -> None:
    shutil.copytree(MACOS_TREE, layer, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    # git keeps no modes beyond the executable bit, and the umask of a checkout is anybody's
    (layer / "etc/sudoers").chmod(0o440)
    for plist in (layer / "System/Library/LaunchDaemons").iterdir():
        plist.chmod(0o644)
    support = layer / SUPPORT
    shutil.copytree(LAUNCHD, support / "launchd", ignore=shutil.ignore_patterns("__pycache__"))
    (layer / "usr/libexec/lab-python").symlink_to(_system_python())
    for folder in ("Users", "Library/LaunchDaemons", "Library/LaunchAgents", "var/root"):
        (layer / folder).mkdir(parents=True, exist_ok=True)
    # opencode's Linux program looks here for what the Mac's looks for in Application Support
    (layer / "Library/Application Support").mkdir(parents=True)
    os.chown(layer / "Library/Application Support", 0, 80)  # root:admin
    (layer / "etc/opencode").symlink_to("../Library/Application Support/opencode")
    shim = sorted((support / "shim").iterdir())
    if python is None:
        packages = layer / "usr/lib/python3/dist-packages"
        (layer / TOOLS / "bin").mkdir(parents=True)
        (layer / TOOLS / "bin/python3").symlink_to("/usr/bin/python3")
    else:
        packages = _copy_python(python, layer)
    packages.mkdir(parents=True, exist_ok=True)
    for part in shim:
        shutil.copy2(part, packages / part.name)
    # bytecode belongs into the layer: a Mac's own start must not write to its disk
    _compile(_system_python(), support)
    _compile(str(python or _system_python()), packages)


def _compile(python: str, folder: Path) -> None:
    argv = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run(argv, check=True, capture_output=True)


def _copy_python(python: Path, layer: Path) -> Path:
    """Copy a relocatable Python 3.9 to where the Command Line Tools have theirs."""
    prefix, home = python.parent.parent, layer / TOOLS
    library = f"lib/python{MAC_PYTHON}"
    (home / "bin").mkdir(parents=True)
    shutil.copy2(python, home / "bin" / f"python{MAC_PYTHON}")
    (home / "bin/python3").symlink_to(f"python{MAC_PYTHON}")
    shutil.copytree(
        prefix / library,
        home / library,
        symlinks=True,
        ignore=shutil.ignore_patterns("test", "tests", "site-packages", "config-*", "*.a"),
    )
    for shared in (prefix / "lib").glob(f"libpython{MAC_PYTHON}*.so*"):
        # the interpreter looks for it under its old prefix, then in the loader's default folders
        (layer / "usr/lib").mkdir(parents=True, exist_ok=True)
        shutil.copy2(shared, layer / "usr/lib" / shared.name, follow_symlinks=False)
    python3 = layer / "usr/bin/python3"
    python3.unlink(missing_ok=True)
    python3.symlink_to(Path("/") / TOOLS / "bin/python3")
    return home / library / "site-packages"


def _python39() -> Path | None:
    """Find a CPython 3.9 on this machine: on the PATH, or where a version manager keeps it."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which(f"python{MAC_PYTHON}")]
    candidates += [str(path) for path in sorted(pyenv.glob(f"versions/{MAC_PYTHON}.*/bin/python"))]
    probe = (
        "import sys, os; print(sys.version_info[:2] == (3, 9) and os.path.realpath(sys.executable))"
    )
    for candidate in filter(None, candidates):
        done = subprocess.run([candidate, "-c", probe], capture_output=True, text=True, check=False)
        found = done.stdout.strip()
        if done.returncode == 0 and found not in ("", "False"):
            return Path(found)
    return None


def _system_python() -> str:
    """Return the path of this machine's own Python 3.11 or newer, which runs the doubles."""
    path = os.path.realpath("/usr/bin/python3")
    if not Path(path).exists():
        raise ImageError("/usr/bin/python3 is missing: apt-get install python3")
    return path


def _digest(python: Path | None) -> str:
    digest = hashlib.sha256()
    for path in [*_files(MACOS_TREE), *_files(LAUNCHD), Path(__file__)]:
        digest.update(str(path.relative_to(CHECKOUT)).encode())
        if path.is_symlink():
            digest.update(str(path.readlink()).encode())
        else:
            digest.update(path.read_bytes() + oct(path.stat().st_mode).encode())
    digest.update(f"{python} {_system_python()}".encode())
    return digest.hexdigest()[:16]


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        if "__pycache__" not in path.parts and (path.is_symlink() or path.is_file()):
            yield path
