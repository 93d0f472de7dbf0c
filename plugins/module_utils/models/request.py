# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task asks for, what reaches outside, and what comes of it: values only."""

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
    """What a task asks for; sizes in bytes.

    `absent`: the models listed are to go, instead of to come. `fetch` False plans and does
    everything but fetch. `ceiling` is the memory that the models of the host may use.
    `confirm_command` is what a person runs to confirm a removal.
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
    """What reaches outside: hubs (for questions, and for bytes), peers, the server, the clock."""

    ask: Callable[[], Hub]
    carry: Callable[[], Hub]
    sleep: Sleep
    peers: Peers = field(default_factory=Peers)
    loaded: Callable[[], Loaded] = not_queried
    wall: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    wait_policy: WaitPolicy = field(default_factory=WaitPolicy)
