# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell a running omlx of models on its disk.

    server = Server(url, key, Runner())
    told = server.tell({"qwen3": weight_bytes}, changed=True)

Whatever goes wrong is a ModelError whose sentence holds no key. A server that is down is no error
for `tell`: it looks for its models when it starts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.endpoint.wire import BadUrlError
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.omlx_admin import (
    Admin,
    BadKeyError,
    ForeignError,
    NoKeyError,
    OmlxError,
    Request,
    ServerDownError,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

IDLE_WAIT_S = 120.0
IDLE_POLL_S = 1.0
RELOAD_S = 900.0  # it preloads the pinned models before it answers

DOWN = "down"
CURRENT = "current"
RELOADED = "reloaded"
BUSY = "busy"


@dataclass(frozen=True)
class ReloadResult:
    """What became of it: `state` is down, current, reloaded or busy; `sentence` says it."""

    state: str
    sentence: str


@dataclass(frozen=True)
class Status:
    """What the server has: bytes of weights by model id, and whether it is doing something."""

    models: Mapping[str, int]
    busy: str | None


class Server:
    """One omlx. `url` is its address (http://127.0.0.1:8000), `key` its main key."""

    def __init__(self, url: str, key: str | None, runner: Runner) -> None:
        self._admin = _admin(url, key)
        self._runner = runner

    def tell(
        self, models: Mapping[str, int], changed: bool, idle_wait_s: float = IDLE_WAIT_S
    ) -> ReloadResult:
        """Make sure that the server lists these models: served name to bytes of its weights.

        A reload unloads everything, so it happens only when files `changed` or a model is not
        listed whole, and only while nobody is being answered: the server gets `idle_wait_s` to
        come to rest. ModelError when a model does not appear afterwards.
        """
        try:
            return self._tell(models, changed, idle_wait_s)
        except ServerDownError as down:
            return ReloadResult(DOWN, f"{down}. It will find the models when it starts.")
        except OmlxError as error:
            raise _as_model_error(error) from error

    def _tell(self, models: Mapping[str, int], changed: bool, idle_wait_s: float) -> ReloadResult:
        lacking = missing(models, self._status().models)
        if not changed and not lacking:
            return ReloadResult(CURRENT, f"{self._admin.place} lists all of them.")
        busy = self._wait_for_rest(idle_wait_s)
        if busy:
            return ReloadResult(
                BUSY,
                f"{self._admin.place} {busy}, and did not come to rest within {idle_wait_s:g} s; "
                "it was left alone. Run again to make it read its models anew.",
            )
        self._admin.admin_json(Request("POST", "/admin/api/reload", answer_s=RELOAD_S))
        lacking = missing(models, self._status().models)
        if lacking:
            raise ModelError(
                f"{self._admin.place} read its models anew and {lacking[0]}"
                f"{f' (and {len(lacking) - 1} more)' if len(lacking) > 1 else ''}. Look at its "
                "log, and whether its model_dirs holds the folder of served names."
            )
        return ReloadResult(RELOADED, f"{self._admin.place} read its models anew.")

    def _wait_for_rest(self, idle_wait_s: float) -> str | None:
        """Until it rests in two looks running; otherwise what it is doing."""
        until = self._runner.now() + idle_wait_s
        rested = 0
        while True:
            busy = self._status().busy
            rested = 0 if busy else rested + 1
            if rested == 2:
                return None
            if self._runner.now() >= until and busy:
                return busy
            self._runner.sleep(IDLE_POLL_S)

    def _status(self) -> Status:
        listed = self._admin.public("/v1/models/status")
        return read_status(listed, self._admin.public("/api/status"))


def _admin(url: str, key: str | None) -> Admin:
    try:
        return Admin(url, key)
    except BadUrlError as error:
        raise ModelError(f"server_url cannot be used: {error}.") from error
    except BadKeyError as error:
        raise ModelError(f"server_key: {error}.") from error


def _as_model_error(error: OmlxError) -> ModelError:
    """The sentence, with the option of the module that it is about."""
    if isinstance(error, ForeignError):
        return ModelError(f"{error}. Look at server_url.")
    if isinstance(error, NoKeyError):
        return ModelError(f"{error}; give it as server_key.")
    return ModelError(f"{error}.")


def missing(wanted: Mapping[str, int], offered: Mapping[str, int]) -> list[str]:
    """What is wrong with each wanted model that is not offered whole."""
    problems = []
    for name, weights in sorted(wanted.items()):
        if name not in offered:
            problems.append(f"does not list {name}")
        elif offered[name] < weights:
            problems.append(
                f"lists {name} with {offered[name]} bytes of weights instead of {weights}"
            )
    return problems


def read_status(listed: Any, status: Any) -> Status:
    """From the JSON of /v1/models/status and /api/status; what is lacking counts as nothing."""
    models = listed.get("models") if isinstance(listed, dict) else None
    found = {
        str(model["id"]): _number(model, "estimated_size")
        for model in models or ()
        if isinstance(model, dict) and "id" in model
    }
    return Status(found, _business(status if isinstance(status, dict) else {}))


def _business(status: Mapping[str, Any]) -> str | None:
    answering = _number(status, "active_requests") + _number(status, "waiting_requests")
    if answering:
        return f"is answering {answering} request{'' if answering == 1 else 's'}"
    # a reload while a model loads leaks its memory (omlx issue 3446)
    return "is loading a model" if _number(status, "models_loading") else None


def _number(record: Mapping[str, Any], key: str) -> int:
    value = record.get(key)
    return int(value) if isinstance(value, (int, float)) else 0


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


def not_queried() -> Loaded:
    return Loaded(unknown="no server_url was given to ask at")


def nothing_runs() -> Loaded:
    """The owner says that the server is stopped."""
    return Loaded()


def ask_loaded(url: str, key: str | None) -> Loaded:
    """Ask `GET /v1/models/status` of omlx, which wants the key of /v1 and nothing more.

    A refused connection is no answer: while pinned models load, omlx does not listen yet.
    """
    try:
        return read_loaded(Admin(url, key).public("/v1/models/status"))
    except (OmlxError, BadUrlError) as error:
        return Loaded(unknown=str(error))
    except (AttributeError, KeyError, TypeError):
        return Loaded(unknown=f"{url} gave no answer that can be read")


def read_loaded(answer: Any) -> Loaded:
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
