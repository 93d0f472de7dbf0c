# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wheel that is pinned by address and hash, as roles/omlx/files/omlx.txt does; the real uv."""

from __future__ import annotations

import hashlib
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uv

from ansible_collections.closet.inference.plugins.module_utils.environment_build import (
    BuildFailedError,
)
from ansible_collections.closet.inference.plugins.module_utils.python_environment import (
    execute,
    versions,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

WHEEL = "tinyomlx-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: tinyomlx\nVersion: 1.0\n"
TAGS = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where the wheel is to be had."""
    folder = tmp_path / "release"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("tinyomlx/__init__.py", "")
        wheel.writestr("tinyomlx-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("tinyomlx-1.0.dist-info/WHEEL", TAGS)
        wheel.writestr("tinyomlx-1.0.dist-info/RECORD", "")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{WHEEL}"
        server.shutdown()


@pytest.fixture
def params(tmp_path: Path) -> dict[str, Any]:
    tools = tmp_path / "uv/0"
    (tools / "bin").mkdir(parents=True)
    (tools / "bin/uv").symlink_to(uv.find_uv_bin())
    (tools / ".complete").write_text("0\n")
    return {
        "path": f"{tmp_path}/omlx/1f2e",
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "uv_path": str(tools),
        "uv_version": "0",
    }


def test_the_bytes_that_are_pinned_are_installed(
    address: str, params: dict[str, Any], tmp_path: Path
) -> None:
    digest = hashlib.sha256((tmp_path / "release" / WHEEL).read_bytes()).hexdigest()
    told = execute({**params, "requirements": f"tinyomlx @ {address}#sha256={digest}\n"}, Runner())
    assert told["changed"] is True
    assert versions(params["path"], ["tinyomlx"]) == {"tinyomlx": "1.0"}


def test_other_bytes_are_refused_and_nothing_stays(address: str, params: dict[str, Any]) -> None:
    wanted = f"tinyomlx @ {address}#sha256={'0' * 64}\n"
    with pytest.raises(BuildFailedError) as raised:
        execute({**params, "requirements": wanted}, Runner())
    assert "Hash mismatch" in str(raised.value)
    assert "Next: these are not the bytes that were pinned" in str(raised.value)
    assert not Path(params["path"]).exists()
