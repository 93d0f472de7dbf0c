"""A big file that is no safetensors file costs no reading."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from lab.hub import safetensors


@pytest.mark.parametrize("text", [b"0:0;", b"7:0;"])
def test_a_sparse_file_is_not_read_as_one_header(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(text)
    with path.open("r+b") as handle:
        handle.truncate(2 << 30)
    claimed = int.from_bytes(text, "little")
    assert safetensors.LARGEST_HEADER < claimed < path.stat().st_size
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert safetensors.parameters(path) == {}
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 64 << 10
