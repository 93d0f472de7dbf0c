"""The text of the look, and what the hub's answer in it says."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.house import look

MODEL = {"repo": "o/m", "revision": "main"}
OFFER: dict[str, Any] = {"port": 8000, "models": [MODEL, {"repo": "", "revision": "main"}]}


@pytest.mark.parametrize("offer", [None, OFFER])
def test_a_posix_shell_reads_it(offer: dict[str, Any] | None) -> None:
    text = look.text(offer, "http://hub.local:8080/")
    done = subprocess.run(
        ["/bin/sh", "-n"], input=text, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("lsof" in text) == (offer is not None)
    assert text.rstrip().endswith("say look end")


def test_the_hub_is_asked_for_sizes_once_per_repository() -> None:
    url = "http://hub.local:8080/api/models/o/m/revision/main?blobs=true"
    assert look.questions(OFFER["models"], "http://hub.local:8080/") == [("o/m@main", url)]
    assert look.questions(OFFER["models"], "") == []
    text = look.text({**OFFER, "models": [{"repo": "o/m", "revision": "a; reboot"}]}, "http://h")
    assert "ask 'o/m@a; reboot' 'http://h/api/models/o/m/revision/a%3B%20reboot?blobs=true'" in text


def answer(**files: int) -> str:
    siblings = [{"rfilename": name.replace("_", "."), "size": size} for name, size in files.items()]
    return json.dumps({"id": "o/m", "siblings": siblings})


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (answer(a_safetensors=2_000_000_000, b_safetensors=1, config_json=9), 2.000000001),
        (answer(a_safetensors=1_000_000_000, a_bin=5_000_000_000), 1.0),
        (answer(config_json=9), None),
        ('{"error": "Repository not found"}', None),
        ("curl: (7) Failed to connect", None),
        ("hub=000", None),
        ("[]", None),
    ],
)
def test_what_the_hub_tells_is_the_weights_and_nothing_else(line: str, size: float | None) -> None:
    told = look.hub_sizes([line], [MODEL])
    assert told == ({} if size is None else {"o/m@main": pytest.approx(size)})


def test_the_name_of_an_account_cannot_become_a_command() -> None:
    offer = {"port": 8000, "models": []}
    assert look.text(offer, "", "x; rm -rf /").startswith("account='x; rm -rf /'\n")
    assert "account=" not in look.text(offer).splitlines()[0]
