"""Resolve the .in files of this folder into hash-locked requirements again.

Run it as `python -m lab.parts.relock` after editing a .in file, then `python -m lab.parts.fetch`.
omlx.lock is two resolutions in one file: omlx-nodeps.in names what is installed without its own
dependencies, so the whole lock installs with `uv pip install --no-deps --require-hashes`.
No index address is written: pip and uv each use the one the machine is set up with.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# CPython 3.11 on Debian 12 (glibc 2.36): what the simulated Macs really run on.
COMPILE = (
    *("-m", "uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-emit-index-url"),
    *("--no-header", "--no-annotate", "--only-binary", ":all:"),
    *("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_36"),
)
LOCKS: dict[str, tuple[tuple[str, ...], ...]] = {
    "omlx.lock": (("omlx.in",), ("--no-deps", "omlx-nodeps.in")),
    "installer.lock": (("installer.in",),),
    "downloader.lock": (("downloader.in",),),
}
HEADER = "# Written by `python -m lab.parts.relock`; edit the .in files instead.\n"


def resolve(arguments: tuple[str, ...]) -> str:
    """One `uv pip compile` of this folder; its text."""
    command = [sys.executable, *COMPILE, *arguments]
    done = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        sys.exit(f"relock: `{' '.join(command)}` ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def main() -> None:
    """Write every lock of this folder."""
    for name, resolutions in LOCKS.items():
        text = HEADER + "".join(resolve(arguments) for arguments in resolutions)
        (HERE / name).write_text(text, encoding="utf-8")
        print(f"{name}: {text.count('==')} packages")


if __name__ == "__main__":
    main()
