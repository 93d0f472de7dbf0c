# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a store, and a hub: what the tests converge."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.models.converge import converge
from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.progress import (
    describe_record,
    read_record,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import read_wants
from ansible_collections.closet.inference.plugins.module_utils.models.report import describe
from ansible_collections.closet.inference.plugins.module_utils.models.request import Request, Tools
from ansible_collections.closet.inference.plugins.module_utils.models.retry import WaitPolicy
from ansible_collections.closet.inference.plugins.module_utils.models.run import ARGUMENTS
from ansible_collections.closet.inference.plugins.module_utils.models.store import progress_file
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    HttpxTransport,
)
from tests.unit.plugins.models.hub_double import HubDouble

REPO = "acme/tiny-mlx"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def tiny_model(seed: int = 0, size: int = 5000) -> dict[str, bytes]:
    """A repository of two shards with their index."""
    first, second = (bytes((seed + k * 7 + i * 31) % 251 for i in range(size)) for k in (1, 2))
    index = {"metadata": {}, "weight_map": {"a": SHARDS[0], "b": SHARDS[1]}}
    return {
        ".gitattributes": b"*.safetensors filter=lfs\n",
        "config.json": b'{"model_type": "qwen3", "seed": %d}' % seed,
        "model.safetensors.index.json": json.dumps(index).encode(),
        "original/consolidated.00.pth": b"old" * 500,
        "pytorch_model.bin": b"older" * 500,
        "sub/tokenizer.json": b"{}",
        SHARDS[0]: first,
        SHARDS[1]: second,
    }


def arguments(**given: Any) -> dict[str, Any]:
    """What AnsibleModule hands on: every argument, with its default."""
    defaults = {name: option.get("default") for name, option in ARGUMENTS.items()}
    unknown = set(given) - set(defaults)
    assert not unknown, unknown
    return {**defaults, **given}


SERVED = tuple(
    sorted(["config.json", "model.safetensors.index.json", "sub/tokenizer.json", *SHARDS])
)


class Bench:
    def __init__(self, hub: HubDouble, home: Path) -> None:
        self.hub = hub
        self.store = home / "store"
        self.serve_dir = home / "models"
        self.slept: list[float] = []
        self.said: list[str] = []
        self.warnings: tuple[str, ...] = ()
        self.wait_policy = WaitPolicy()

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        record = describe_record(read_record(progress_file(self.store)))
        if "waits for" in record:
            self.said.append(record)

    @property
    def folder(self) -> Path:
        return self.store / REPO

    def run(self, *wants: dict[str, str], **options: Any) -> dict[str, Any]:
        """One run of the module without Ansible; its result."""
        token = options.pop("token", None)
        tries = options.pop("tries", 9)
        carry = options.pop("carry", None)
        reach = {name: options.pop(name) for name in ("peers", "loaded") if name in options}
        values: dict[str, Any] = {
            "reserve": 0,
            "verify": "size",
            "follow": False,
            "check_mode": False,
            "connections": 3,
            "progress_path": None,
            **options,
        }
        self.wait_policy = WaitPolicy()
        entries = wants or ({"repo": REPO, "name": "tiny"},)
        request = Request(read_wants(entries), self.store, self.serve_dir, **values)

        @cache
        def hub() -> Hub:
            transport = HttpxTransport(request.connections)
            return Hub(self.hub.endpoint, token, transport, self._sleep, tries, self.wait_policy)

        tools = Tools(hub, carry or hub, self._sleep, **reach, wait_policy=self.wait_policy)
        outcome = converge(request, tools)
        self.warnings = outcome.warnings
        return describe(request, outcome)

    def files(self) -> dict[str, bytes]:
        """Everything in the model's folder."""
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}

    def model_files(self) -> dict[str, bytes]:
        """The same without the manifest."""
        return {path: data for path, data in self.files().items() if path != ".closet.json"}

    def forget_requests(self) -> None:
        self.hub.requests.clear()
        self.hub.sent = 0


def served_files(model: dict[str, bytes]) -> dict[str, bytes]:
    return {path: model[path] for path in SERVED}
