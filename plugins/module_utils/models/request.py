# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that every step of a run uses: the request, and the tools that reach outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.peers import Peers
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelWant
from ansible_collections.closet.inference.plugins.module_utils.models.retry import Sleep, WaitPolicy
from ansible_collections.closet.inference.plugins.module_utils.models.server import (
    Loaded,
    not_queried,
)


@dataclass(frozen=True)
class Request:
    """The options of a task; sizes in bytes.

    `absent`: remove the listed models instead of pulling them. `fetch` False does everything except
    fetching. `ceiling` is the memory that the models of the host may use. `confirm_command` is the
    command that confirms a removal.
    """

    wants: tuple[ModelWant, ...]
    store: Path
    serve_dir: Path
    reserve: int
    verify: str
    follow: bool
    check_mode: bool
    connections: int
    progress_path: Path | None
    absent: bool = False
    exclusive: bool = False
    confirmed: bool = False
    fetch: bool = True
    ceiling: int | None = None
    hub_cache: Path | None = None
    confirm_command: str = ""


@dataclass(frozen=True)
class Tools:
    """Access to the hub, the peers, the server and the clock.

    `ask` returns a hub for questions; `carry` one for bytes, which needs httpx.
    """

    ask: Callable[[], Hub]
    carry: Callable[[], Hub]
    sleep: Sleep
    peers: Peers = field(default_factory=Peers)
    loaded: Callable[[], Loaded] = not_queried
    wall: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    wait_policy: WaitPolicy = field(default_factory=WaitPolicy)
