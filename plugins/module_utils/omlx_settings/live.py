# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply the wanted keys and model settings to a running omlx.

omlx reads settings.json and model_settings.json at its start, and overwrites them from memory with
each save. So the changes are sent to the running server first, which needs no restart, and the
files are checked afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.omlx_admin import (
    ForeignError,
    OmlxError,
    ServerDownError,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings import keys, models
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.keys import (
    OURS,
    Keys,
    KeyStep,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.models import (
    Change,
    Listed,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.plan import Want
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.server import Running


class NotToldError(RuntimeError):
    """A running omlx could not be brought to what is wanted."""


@dataclass(frozen=True)
class ServerState:
    """What the running server has: `keys` and its models' settings, or nothing when none runs.

    `deaf`: one runs, and none of our main keys opens it.
    """

    keys: Keys | None = None
    models: Mapping[str, Listed] | None = None
    deaf: bool = False


@dataclass(frozen=True)
class LiveResult:
    """What was changed in the running server, and whether only a restart can do the rest.

    `ignored` names what this omlx did not take, of the settings of its models. `outdated` says in
    what its list of models differs from the disk.
    """

    steps: tuple[KeyStep, ...] = ()
    changes: tuple[Change, ...] = ()
    ignored: tuple[str, ...] = ()
    restart: bool = False
    outdated: tuple[str, ...] = ()

    @property
    def changed_keys(self) -> list[str]:
        """The settings that it took, by name."""
        taken = [name for name in models.names(self.changes) if name not in self.ignored]
        return keys.changed_names(self.steps) + taken


def settle(
    server: Running,
    document: Mapping[str, Any] | None,
    want: Want,
    differs: bool,
    check_mode: bool,
) -> LiveResult:
    """Bring the server that was started with `document` to `want`, if one runs.

    Requests check the keys: the server must accept each wanted key and refuse each old one. A
    server needs a restart if it accepts none of our main keys, if its main key has to be removed,
    or if its list of models differs from the disk. A reload would also unload all models, and only
    a restart lets running requests end first.

    `differs`: the files differ from the wanted ones, so a server that does not answer is an error.
    """
    if want.api_key is None and want.client_keys is None and not want.models:
        return LiveResult()
    in_file = keys.from_auth((document or {}).get("auth")).main
    seen = look(server, [in_file, want.api_key or ""], bool(want.models), differs)
    if seen.deaf:
        return LiveResult(restart=True)
    outdated = _outdated(seen.models, document, want, check_mode)
    if seen.keys is None:
        return LiveResult(restart=bool(outdated), outdated=outdated)
    goal = wanted(want.api_key, want.client_keys, seen.keys)
    steps = keys.plan(goal, seen.keys)
    if any(step.verb == "main" and not step.key for step in steps):
        return LiveResult(restart=True)
    # one that is restarted reads the settings of its models from the file
    changes = () if outdated else models.plan(want.models, _settings(seen.models or {}))
    if check_mode:
        return LiveResult(tuple(steps), changes, (), bool(outdated), outdated)
    _tell_keys(server, steps, goal, keys.closed(steps, seen.keys, goal))
    ignored = _tell_models(server, changes, want, goal.main)
    return LiveResult(tuple(steps), changes, ignored, bool(outdated), outdated)


def wanted(api_key: str | None, client_keys: Mapping[str, str] | None, now: Keys) -> Keys:
    """The wanted keys of a server that now has `now`; None keeps the present ones."""
    subs = dict(now.subs)
    if client_keys is not None:
        ours = {key: f"{OURS}{name}" for name, key in client_keys.items()}
        others = {key: name for key, name in now.subs.items() if not name.startswith(OURS)}
        subs = {**others, **ours}
    return Keys(main=now.main if api_key is None else api_key, subs=subs)


def look(server: Running, candidates: list[str], with_models: bool, differs: bool) -> ServerState:
    """What the server has now.

    Args:
        candidates: main keys that it may have, the likeliest first.
        with_models: whether its models are asked for as well.
        differs: whether the files are not as wanted, so that silence is an error.
    """
    try:
        for key in dict.fromkeys(filter(None, candidates)):
            if server.login(key):
                return ServerState(server.keys(), server.models() if with_models else None)
        # without a key, as wanted, it takes nothing live and lacks nothing
        deaf = any(candidates) or not server.is_open()
        return ServerState(
            None, None if deaf or not with_models else server.models_without_key(), deaf
        )
    except OmlxError as error:
        refused = isinstance(error, ServerDownError) and error.refused
        if differs and not refused and not isinstance(error, ForeignError):
            raise NotToldError(_sentence("keys and settings", str(error))) from error
        return ServerState()


def _settings(have: Mapping[str, Listed]) -> dict[str, Mapping[str, Any]]:
    return {model: row.settings for model, row in have.items()}


def _outdated(
    have: Mapping[str, Listed] | None,
    document: Mapping[str, Any] | None,
    want: Want,
    check_mode: bool,
) -> tuple[str, ...]:
    """The differences between the server's list of models and its folders.

    Empty if the folders themselves change, which restarts the server anyway. Check mode finds only
    unlisted models, because the models that a real run would pull first are not there yet.
    """
    in_file = _folders((document or {}).get("model"))
    wanted = _folders(want.settings.get("model"))
    if have is None or (wanted and wanted != in_file):
        return ()
    disk = models.weights_on_disk(want.models, in_file)
    if check_mode and in_file:
        disk = {model: 0 if weights is None else weights for model, weights in disk.items()}
    return tuple(models.outdated(have, disk, models.vanished(have)))


def _folders(section: Any) -> list[str]:
    folders = section.get("model_dirs") if isinstance(section, Mapping) else None
    return [str(folder) for folder in folders] if isinstance(folders, list) else []


def _tell_keys(server: Running, steps: list[KeyStep], goal: Keys, gone: list[str]) -> None:
    """Change what differs and prove it."""
    try:
        for step in steps:
            server.apply(step)
        fresh = [step.key for step in steps if step.verb != "remove"]
        if any(not server.opens(key) for key in fresh):
            raise OmlxError("it took a new key and refuses it")
        if goal.main and any(server.opens(key) for key in gone):
            raise OmlxError("it still takes a key that was taken away")
    except OmlxError as error:
        raise NotToldError(_sentence("keys", str(error))) from error


def _tell_models(
    server: Running, changes: tuple[Change, ...], want: Want, main_key: str
) -> tuple[str, ...]:
    """Tell the changes; the names of those that were not taken."""
    if not changes:
        return ()
    try:
        for change in changes:
            server.tell(change, main_key)
        return tuple(models.names(models.plan(want.models, _settings(server.models()))))
    except OmlxError as error:
        raise NotToldError(_sentence("settings of models", str(error))) from error


def _sentence(what: str, trouble: str) -> str:
    return (
        f"The {what} of the running omlx could not be brought to the wanted ones: {trouble}. Some "
        "may be changed already, settings.json was not touched and nothing was restarted. `sudo "
        "launchctl print system/inference.closet.omlx` and the end of its log say what it does; "
        "then run again, which tells it the rest"
    )
