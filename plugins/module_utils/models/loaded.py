# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models the running server holds in memory. A third answer is that nobody knows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.endpoint.wire import BadUrlError
from ansible_collections.closet.inference.plugins.module_utils.omlx_admin import Admin, OmlxError


@dataclass(frozen=True)
class Loaded:
    """Ids and folders of what is loaded, or, when `unknown` holds a reason, nothing certain."""

    ids: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    unknown: str = ""

    def holds(self, folder: Path, names: tuple[str, ...]) -> bool:
        """Whether a model is loaded from `folder`, or under one of the served `names`."""
        real = os.path.realpath(folder)
        return real in self.folders or any(name in self.ids for name in names)


def nobody_to_ask() -> Loaded:
    return Loaded(unknown="no server_url was given to ask at")


def nothing_runs() -> Loaded:
    """The owner says that the server is stopped."""
    return Loaded()


def ask_loaded(url: str, key: str | None) -> Loaded:
    """Ask `GET /v1/models/status` of omlx, which wants the key of /v1 and nothing more.

    A refused connection is no answer: while pinned models load, omlx does not listen yet.
    """
    try:
        return read_status(Admin(url, key).public("/v1/models/status"))
    except (OmlxError, BadUrlError) as error:
        return Loaded(unknown=str(error))
    except (AttributeError, KeyError, TypeError):
        return Loaded(unknown=f"{url} gave no answer that can be read")


def read_status(answer: Any) -> Loaded:
    """What does not say clearly that it is not loaded counts as loaded."""
    busy = [
        model
        for model in answer["models"]
        if model.get("loaded") is not False or model.get("is_loading")
    ]
    paths = [model["model_path"] for model in busy if model.get("model_path")]
    return Loaded(
        frozenset(str(model["id"]) for model in busy),
        frozenset(os.path.realpath(str(path)) for path in paths),
    )
