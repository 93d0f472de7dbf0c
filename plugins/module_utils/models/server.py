# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running omlx: reload its list of models, and ask which models are loaded.

    server = Server(url, key, Runner())
    told = server.tell({"qwen3": weight_bytes}, changed=True)

Every failure is a ModelError whose sentence contains no key. A stopped server is not an error for
`tell`: omlx finds its models at its start.
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
RELOAD_S = 900.0  # omlx preloads the pinned models before it answers

DOWN = "down"
CURRENT = "current"
RELOADED = "reloaded"
BUSY = "busy"


@dataclass(frozen=True)
class ReloadResult:
    """`state` is down, current, reloaded or busy; `sentence` describes it."""

    state: str
    sentence: str


@dataclass(frozen=True)
class Status:
    """The models of the server (bytes of weights by model id), and its current activity."""

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

        A reload unloads all models, so it happens only if files `changed` or a model is not listed
        completely, and only while the server is idle; it gets `idle_wait_s` for that. ModelError if
        a model is missing afterwards.
        """
        try:
            return self._tell(models, changed, idle_wait_s)
        except ServerDownError as down:
            return ReloadResult(DOWN, f"{down}. It will find the models at its start.")
        except OmlxError as error:
            raise _as_model_error(error) from error

    def _tell(self, models: Mapping[str, int], changed: bool, idle_wait_s: float) -> ReloadResult:
        lacking = missing(models, self._status().models)
        if not changed and not lacking:
            return ReloadResult(CURRENT, f"{self._admin.place} lists all of them.")
        busy = self._wait_for_idle(idle_wait_s)
        if busy:
            return ReloadResult(
                BUSY,
                f"{self._admin.place} {busy}, and was not idle within {idle_wait_s:g} s; it was "
                "not reloaded. Run again to make it read its models.",
            )
        self._admin.admin_json(Request("POST", "/admin/api/reload", answer_s=RELOAD_S))
        lacking = missing(models, self._status().models)
        if lacking:
            raise ModelError(
                f"{self._admin.place} read its models again but {lacking[0]}"
                f"{f' (and {len(lacking) - 1} more)' if len(lacking) > 1 else ''}. Check its log, "
                "and whether its model_dirs includes the folder of served names."
            )
        return ReloadResult(RELOADED, f"{self._admin.place} read its models again.")

    def _wait_for_idle(self, idle_wait_s: float) -> str | None:
        """Wait until two consecutive polls find it idle; else return its activity."""
        until = self._runner.now() + idle_wait_s
        idle_polls = 0
        while True:
            busy = self._status().busy
            idle_polls = 0 if busy else idle_polls + 1
            if idle_polls == 2:
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
    """The sentence, with the option of the module that causes it."""
    if isinstance(error, ForeignError):
        return ModelError(f"{error}. Check server_url.")
    if isinstance(error, NoKeyError):
        return ModelError(f"{error}; set it as server_key.")
    return ModelError(f"{error}.")


def missing(wanted: Mapping[str, int], listed: Mapping[str, int]) -> list[str]:
    """The error of each wanted model that is not listed completely."""
    problems = []
    for name, weights in sorted(wanted.items()):
        if name not in listed:
            problems.append(f"does not list {name}")
        elif listed[name] < weights:
            problems.append(
                f"lists {name} with {listed[name]} bytes of weights instead of {weights}"
            )
    return problems


def read_status(listed: Any, status: Any) -> Status:
    """From the JSON of /v1/models/status and /api/status; a missing value counts as 0."""
    models = listed.get("models") if isinstance(listed, dict) else None
    found = {
        str(model["id"]): _number(model, "estimated_size")
        for model in models or ()
        if isinstance(model, dict) and "id" in model
    }
    return Status(found, _activity(status if isinstance(status, dict) else {}))


def _activity(status: Mapping[str, Any]) -> str | None:
    answering = _number(status, "active_requests") + _number(status, "waiting_requests")
    if answering:
        return f"is answering {answering} request{'' if answering == 1 else 's'}"
    # a reload during the load of a model leaks its memory (omlx issue 3446)
    return "is loading a model" if _number(status, "models_loading") else None


def _number(record: Mapping[str, Any], key: str) -> int:
    value = record.get(key)
    return int(value) if isinstance(value, (int, float)) else 0


@dataclass(frozen=True)
class Loaded:
    """Ids and folders of the loaded models; if `unknown` has a reason, they are not known."""

    ids: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    unknown: str = ""

    def holds(self, folder: Path, names: tuple[str, ...]) -> bool:
        """Whether a model is loaded from `folder`, or under one of the served `names`."""
        real = os.path.realpath(folder)
        return real in self.folders or any(name in self.ids for name in names)


def not_queried() -> Loaded:
    return Loaded(unknown="server_url is not set")


def nothing_runs() -> Loaded:
    """The user declares that the server is stopped."""
    return Loaded()


def ask_loaded(url: str, key: str | None) -> Loaded:
    """Ask `GET /v1/models/status` of omlx, which requires only the key of /v1.

    A refused connection is not an answer: omlx does not listen while it loads its pinned models.
    """
    try:
        return read_loaded(Admin(url, key).public("/v1/models/status"))
    except (OmlxError, BadUrlError) as error:
        return Loaded(unknown=str(error))
    except (AttributeError, KeyError, TypeError):
        return Loaded(unknown=f"{url} sent an invalid answer")


def read_loaded(answer: Any) -> Loaded:
    """A model counts as loaded unless the answer clearly says otherwise."""
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
