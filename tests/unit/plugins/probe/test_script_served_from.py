"""The look finds what a program that serves was started from, in our own files."""

from __future__ import annotations

import plistlib
import subprocess
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.probe import script

OFFER = {"port": 8000, "models": []}
OLLAMA = {
    "Label": "inference.closet.ollama",
    "ProgramArguments": [
        "/opt/closet/gateway/0a1b2c/bin/python",
        "/opt/closet/bin/closet-log",
        "--file=/var/log/closet/ollama/ollama.log",
        "--",
        "/opt/closet/ollama/0.34.4/ollama",
        "serve",
    ],
}


@pytest.mark.parametrize(
    ("name", "found"),
    [("ollama", "/opt/closet/ollama/0.34.4"), ("gateway", "/opt/closet/gateway/0a1b2c")],
)
def test_a_plist_names_the_release(name: str, found: str, tmp_path: Path) -> None:
    (runs,) = (line for line in script.text(OFFER).splitlines() if line.startswith("runs()"))
    plist = tmp_path / "a.plist"
    plist.write_bytes(plistlib.dumps(OLLAMA))
    done = subprocess.run(
        ["/bin/sh", "-c", f'{runs}\nruns {name} "$1"', "sh", plist],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == found
