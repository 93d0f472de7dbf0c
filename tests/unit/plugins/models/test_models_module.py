# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's own arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.run import read_request
from tests.unit.plugins.models.bench import arguments

PARAMS = arguments(
    models=[{"repo": "acme/tiny", "revision": "main", "name": "tiny"}],
    store="/Users/admin/.omlx/store",
    serve_dir="/Users/admin/.omlx/models",
    reserve_gb=1.5,
)


def test_arguments_become_a_request_in_bytes() -> None:
    request = read_request(PARAMS, check_mode=True)
    assert (request.reserve, request.check_mode) == (1_500_000_000, True)
    assert request.store == Path("/Users/admin/.omlx/store")
    assert request.wants[0].name == "tiny"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_connections": 0}, "max_connections is 0"),
        ({"max_connections": 33}, "max_connections is 33"),
        ({"reserve_gb": -1}, "reserve_gb is -1"),
        ({"memory_ceiling_bytes": 0}, "memory_ceiling_bytes is 0"),
        ({"server_idle_wait_s": -1}, "server_idle_wait_s is -1"),
        ({"state": "absent", "exclusive": True}, "exclusive is valid with state: present only"),
        ({"serve_dir": "/Users/admin/.omlx/store"}, "must not contain each other"),
        ({"serve_dir": "/Users/admin/.omlx/store/served"}, "must not contain each other"),
        ({"store": "/Users/admin/.omlx/models/store"}, "must not contain each other"),
    ],
)
def test_arguments_that_cannot_be(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        read_request({**PARAMS, **change}, check_mode=False)
