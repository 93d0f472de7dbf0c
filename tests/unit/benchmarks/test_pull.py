"""benchmarks/pull.py: what its figures are made of."""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import clients, pull
from benchmarks.clients import Client, PullError, Run

MIB = 1 << 20


def runs(*walls: float, peak: float = 10.0) -> list[Run]:
    return [Run(wall, wall / 2, peak + place, False) for place, wall in enumerate(walls)]


def test_the_last_line_has_medians_ratios_and_the_largest_peak() -> None:
    found = {
        "ours": runs(2.0, 9.0, 3.0),
        "hf": runs(6.0, 7.0, 5.0),
        "curl": runs(1.5, 2.5, 2.0),
        "httpx alone": runs(1.0),
        "sha256 alone": runs(0.5),
    }
    again = {"ours": [3 * MIB, MIB, 2 * MIB], "hf": [300 * MIB, 200 * MIB, 250 * MIB]}
    assert pull.last_line(found, again, 0.4) == {
        "benchmark": "pull",
        "throughput_over_hf": 2.0,
        "wall_over_curl": 1.5,
        "peak_mib": 12,
        "refetched_mib_after_kill": 2.0,
        "hf_refetched_mib_after_kill": 250.0,
        "cpu_over_hf": 0.5,
        "cpu_over_curl": 1.5,
        "httpx_and_sha256_cpu_over_curl": 0.75,
        "load_before": 0.4,
    }


def test_the_table_says_who_did_what() -> None:
    plan = pull.Plan((256, 256), 3)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(pull.table({"ours": runs(2.0), "curl": runs(1.0)}, {"ours": [MIB]}, plan))
    text = console.export_text()
    assert "512 MiB in 2 files" in text
    assert [row.split("│")[4].strip() for row in text.splitlines() if "│" in row] == ["256", "512"]


def test_the_files_are_shards_of_the_sizes_asked_for() -> None:
    plan = pull.Plan((256, 128), 3)
    assert plan.names == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert plan.total == 384 * MIB


def test_our_module_is_called_with_its_defaults(tmp_path: Path) -> None:
    words = clients.ours("http://127.0.0.1:1", "a/b").argv("", [], tmp_path)
    params = json.loads(words[-1])
    assert set(params) == {"models", "store", "serve_dir", "endpoint", "reserve_gb"}


def python(code: str) -> Client:
    return Client("some", lambda _endpoint, _files, _target: [sys.executable, "-c", code], {})


def test_a_run_is_measured_and_its_peak_is_its_own(tmp_path: Path) -> None:
    code = "import time; held = bytearray(60 << 20); sum(range(3_000_000)); time.sleep(0.2)"
    done = clients.pull(python(code), "", [], tmp_path / "some")
    assert done.wall_s > done.cpu_s > 0
    assert 60 < done.peak_mib < 120
    assert not done.killed


def test_a_run_is_killed_when_it_is_time(tmp_path: Path) -> None:
    began = time.monotonic()
    sleeper = python("import time; time.sleep(60)")
    done = clients.pull(sleeper, "", [], tmp_path / "some", lambda: time.monotonic() - began > 0.1)
    assert done.killed
    assert done.wall_s < 30


def test_a_client_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(PullError, match="some failed:\nno such hub"):
        clients.pull(python("raise SystemExit('no such hub')"), "", [], tmp_path / "some")
