"""The probe finds what each server of ours was started from, in its plist."""

from __future__ import annotations

import plistlib
import subprocess
from pathlib import Path

from ansible_collections.closet.inference.plugins.plugin_utils.probe import script

SERVING = {"port": 8000, "models": []}


def arguments(python: str, *server: str) -> list[str]:
    log = ("/opt/closet/bin/closet-log", "--file=/var/log/closet/a.log", "--")
    return [f"/opt/closet/{python}/bin/python", *log, *server]


JOBS = {
    "ollama": arguments("gateway/0a1b2c", "/opt/closet/ollama/0.34.4/ollama", "serve"),
    "gateway": arguments("gateway/0a1b2c", "/opt/closet/gateway/0a1b2c/bin/caddy", "run"),
    "mlx-lm": arguments("mlx_lm/9f8e", "/opt/closet/mlx_lm/9f8e/bin/python"),
    "power": ["/opt/closet/bin/closet-power"],
}


def test_the_plist_of_a_server_names_its_release(tmp_path: Path) -> None:
    for name, words in JOBS.items():
        plist = {"Label": f"inference.closet.{name}", "ProgramArguments": words}
        (tmp_path / f"inference.closet.{name}.plist").write_bytes(plistlib.dumps(plist))
    text = script.text(SERVING)
    start = text.index("for job in /Library/LaunchDaemons")
    part = text[start : text.index("done\n", start) + 5]
    part = part.replace("/Library/LaunchDaemons", str(tmp_path))
    text = 'say() { echo "$1=$2"; }\n' + part
    done = subprocess.run(
        ["/bin/sh", "-c", text],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert sorted(done.stdout.splitlines()) == [
        "served_from=gateway /opt/closet/gateway/0a1b2c",
        "served_from=mlx_lm /opt/closet/mlx_lm/9f8e",
        "served_from=ollama /opt/closet/ollama/0.34.4",
    ]
