"""A file of the hub that has a size and nothing else, for sums that need no byte of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lab.hub.content import ContentError, place
from lab.hub.describe import model_info
from lab.hub.repository import Snapshot

SIZE = 180 * 10**9


def test_the_hub_tells_its_size_and_its_disk_does_not_notice(tmp_path: Path) -> None:
    began = time.monotonic()
    file = place("model.safetensors", {"size": SIZE, "hollow": True}, tmp_path / "blobs", tmp_path)
    info = model_info(Snapshot("owner/name", (file,)), blobs=True)
    assert time.monotonic() - began < 5
    assert [(one["size"], one["lfs"]["size"]) for one in info["siblings"]] == [(SIZE, SIZE)]
    assert file.source.stat().st_blocks * 512 < 1 << 20
    other = {"size": SIZE + 1, "hollow": True}
    assert place("model.safetensors", other, tmp_path, tmp_path).digest != file.digest


@pytest.mark.parametrize(
    "wanted",
    [
        {"size": 0, "hollow": True},
        {"size": 1 << 50, "hollow": True},
        {"size": 5, "hollow": False},
        {"size": 5, "hollow": True, "seed": 1},
    ],
)
def test_what_is_no_size_is_refused(wanted: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"is no size|a content is"):
        place("model.safetensors", wanted, tmp_path / "blobs", tmp_path)
