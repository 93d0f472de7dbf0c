"""Resolve the .in files of this folder and of the roles into hash-locked requirements again.

Run it as `python -m lab.parts.relock` after editing a .in file, then `python -m lab.parts.fetch`.
omlx.lock is two resolutions in one file: omlx-nodeps.in names what is installed without its own
dependencies, so the whole lock installs with `uv pip install --no-deps --require-hashes`.
No index address is written: pip and uv each use the one the machine is set up with.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROLES = HERE.parents[1] / "roles"
COMPILE = (
    *("-m", "uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-emit-index-url"),
    *("--no-header", "--no-annotate", "--only-binary", ":all:", "--python-version", "3.11"),
)
# CPython 3.11 on Debian 12 (glibc 2.36): what the simulated Macs really run on.
LAB = ("--python-platform", "x86_64-manylinux_2_36")
MAC = ("--python-platform", "aarch64-apple-darwin")
#: the oldest macOS that preflight accepts; uv takes it from the environment
MAC_ENVIRONMENT = {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
LOCKS: dict[str, tuple[tuple[str, ...], ...]] = {
    "omlx.lock": (("omlx.in",), ("--no-deps", "omlx-nodeps.in")),
    "installer.lock": (("installer.in",),),
    "mlx_lm.lock": (("mlx_lm.in",),),
    "downloader.lock": (("downloader.in",),),
}
#: what a Mac gets, in the role that installs it; caddy.txt serves the lab as well
ROLE_LOCKS = (ROLES / "gateway/files/caddy", ROLES / "mlx_lm/files/mlx_lm")
HEADER = "# Written by `python -m lab.parts.relock`; edit the .in files instead.\n"


def resolve(platform: tuple[str, ...], arguments: tuple[str, ...]) -> str:
    """One `uv pip compile` of this folder; its text."""
    command = [sys.executable, *COMPILE, *platform, *arguments]
    environment = {**os.environ, **(MAC_ENVIRONMENT if platform == MAC else {})}
    done = subprocess.run(
        command,
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        sys.exit(f"relock: `{' '.join(command)}` ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def main() -> None:
    """Write every lock."""
    for name, resolutions in LOCKS.items():
        write(HERE / name, [resolve(LAB, arguments) for arguments in resolutions])
    for path in ROLE_LOCKS:
        write(path.with_suffix(".txt"), [resolve(MAC, (str(path.with_suffix(".in")),))])


def write(path: Path, texts: Sequence[str]) -> None:
    """Write one lock, and say how long it is."""
    text = HEADER + "".join(texts)
    path.write_text(text, encoding="utf-8")
    print(f"{path.name}: {text.count('==')} packages")


if __name__ == "__main__":
    main()
