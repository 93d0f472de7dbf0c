# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of omlx_settings: read omlx's two files, plan, write what differs."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils import consent
from ansible_collections.closet.inference.plugins.module_utils.acting import (
    ActingError,
    account_processes,
)
from ansible_collections.closet.inference.plugins.module_utils.files import (
    make_folder,
    read_file,
    set_attributes,
    write_atomic,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.host import (
    group_id,
    user_id,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.exposure import (
    local_end,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.found import (
    FILE_MODE,
    FOLDER_MODE,
    MODELS,
    SETTINGS,
    Found,
    Owner,
    SettingsNotWrittenError,
    attributes,
    attributes_differ,
    differs,
    found,
    real_path,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.keys import by_name
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.live import (
    LiveResult,
    settle,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.plan import (
    Document,
    Planned,
    SettingsRefusedError,
    Want,
    plan,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.schema import (
    of_program,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.server import Running
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.show import (
    diffs,
    live_diffs,
)
from ansible_collections.closet.inference.plugins.module_utils.trusted import UntrustedPathError


def execute(
    params: Mapping[str, Any], check_mode: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """The result and the warnings.

    Everything is done with the rights of the account in whose home omlx keeps its files.
    Raises SettingsRefusedError before anything was touched, NotToldError before any file.
    """
    warnings: list[str] = []
    owner = _owner(params, check_mode, warnings)  # before any fork: it looks up accounts
    base_path = str(params["base_path"])
    with account_processes() as processes:
        try:
            outside = processes.for_path(base_path)
            place = outside.call(_place, base_path, check_mode)
            warnings += place.warnings
            folder_differs = attributes_differ(place.now, FOLDER_MODE, owner)
            inside = processes.for_path(f"{place.path}/{SETTINGS}", owner.uid)
            made = inside.call(_decide, dict(params), place.path, owner, check_mode)
            if not check_mode:
                if folder_differs:
                    outside.call(_place_folder, place.path, owner)
                inside = processes.for_path(f"{place.path}/{SETTINGS}", owner.uid)
                inside.call(_write_what_differs, dict(params), place.path, owner)
        except UntrustedPathError as error:
            raise SettingsRefusedError(f"{error.filename}: {error.strerror}") from error
        except ActingError as error:
            raise SettingsNotWrittenError(str(error)) from error
    warnings += made.warnings
    planned, live = made.planned, made.live
    names = [*planned.changed_keys, *live.changed_keys]
    shown = diffs(
        Path(place.path), place.now, folder_differs, made.steps, made.have, planned, owner
    )
    result = {
        "changed": bool(made.steps) or folder_differs or bool(live.changed_keys),
        "changed_keys": list(dict.fromkeys(names)),
        "digest": made.digest,
        "restart_needed": live.restart,
        "outdated": list(live.outdated),
        "diff": shown + live_diffs(live.changes),
    }
    return result, warnings


@dataclass(frozen=True)
class _Place:
    """omlx's folder; `now` is None where there is none yet."""

    path: str
    now: Found | None
    warnings: list[str]


@dataclass(frozen=True)
class _Decision:
    """What is to be written, and what the running server was live."""

    digest: str
    planned: Planned
    have: Mapping[str, Found]
    steps: list[str]
    live: LiveResult
    warnings: list[str]


def _decide(params: Mapping[str, Any], folder: str, owner: Owner, check_mode: bool) -> _Decision:
    want = _want(params)
    have = {name: found(Path(folder, name)) for name in (SETTINGS, MODELS)}
    planned = plan(want, have[SETTINGS].document, have[MODELS].document)
    wanted = _wanted(want, planned)
    steps = [name for name, document in wanted.items() if differs(have[name], document, owner)]
    # a server that runs is told first: it writes the files too, from what it has in memory
    document = have[SETTINGS].document
    live = settle(
        Running(*local_end(document)), document, want, _is_told(planned.changed_keys), check_mode
    )
    warnings = [f"this omlx did not take {name}; it goes on without" for name in live.ignored]
    warnings += want.schema.ignored(planned.models)
    for name in steps:
        if have[name].broken:
            warnings.append(_keep_aside(Path(folder, name), have[name], owner, check_mode))
    return _Decision(want.digest(planned.settings), planned, have, steps, live, warnings)


def _is_told(changed_keys: Iterable[str]) -> bool:
    """Whether a running server has to be told any of it."""
    keys = ("auth.api_key", "auth.sub_keys")
    return any(name in keys or name.startswith("models.") for name in changed_keys)


def _want(params: Mapping[str, Any]) -> Want:
    client_keys = params.get("client_keys")
    return Want(
        settings=params.get("settings") or {},
        models=params.get("models") or {},
        api_key=params.get("api_key"),
        unchecked=bool(params.get("unchecked")),
        client_keys=None if client_keys is None else by_name(client_keys),
        no_consent=consent.on_this_host(),
        schema=of_program(params.get("program")),
        consent_command=params.get("consent_command") or "",
    )


def _wanted(want: Want, planned: Planned) -> dict[str, Document | None]:
    return {
        SETTINGS: planned.settings if want.owns_settings else None,
        MODELS: planned.models if want.models else None,
    }


def _write_what_differs(params: Mapping[str, Any], folder: str, owner: Owner) -> None:
    """Look once more: omlx may have written settings.json since, when it was told its keys."""
    have = {name: found(Path(folder, name)) for name in (SETTINGS, MODELS)}
    want = _want(params)
    planned = plan(want, have[SETTINGS].document, have[MODELS].document)
    for name, document in _wanted(want, planned).items():
        if differs(have[name], document, owner):
            data = (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
            _write(Path(folder, name), data, have[name], owner)


def _place(base_path: str, check_mode: bool) -> _Place:
    if not base_path.startswith("/"):
        raise SettingsRefusedError(f"base_path '{base_path}' is not an absolute path")
    folder = real_path(Path(base_path))
    warnings = []
    if folder.exists() and not folder.is_dir():
        raise SettingsRefusedError(f"base_path {base_path} is not a folder")
    if not folder.parent.is_dir():
        words = f"base_path {base_path}: the folder {folder.parent} is not there"
        if not check_mode:
            raise SettingsRefusedError(words)
        warnings.append(f"{words} yet")
    return _Place(str(folder), attributes(folder), warnings)


def _owner(params: Mapping[str, Any], check_mode: bool, warnings: list[str]) -> Owner:
    numbers: list[int | None] = []
    for what, look_up in (("owner", user_id), ("group", group_id)):
        name = params.get(what)
        number = look_up(str(name)) if name else None
        if name and number is None:
            words = f"{what} {name} is not known on this host"
            if not check_mode:
                raise SettingsRefusedError(words)
            warnings.append(f"{words} yet")
        numbers.append(number)
    return Owner(*numbers)


def _keep_aside(path: Path, have: Found, owner: Owner, check_mode: bool) -> str:
    """Copy an unreadable file to a name of its own; a run cut off after this finds its copy."""
    data = have.data or b""
    number = 1
    while True:
        aside = path.with_name(f"{path.name}.broken-{number}")
        if _is_free_for(aside, data):
            break
        number += 1
    words = f"{path} is not a JSON object, with which omlx would start on its defaults (no API key)"
    if check_mode:
        return f"{words}; it would be kept as {aside.name} and replaced"
    _write(aside, data, have, owner)
    return f"{words}; it was kept as {aside.name} and replaced"


def _is_free_for(aside: Path, data: bytes) -> bool:
    try:
        return read_file(aside)[0] == data
    except FileNotFoundError:
        return True
    except OSError:  # whatever it is, it is not our copy
        return False


def _place_folder(folder: str, owner: Owner) -> None:
    try:
        if Path(folder).is_dir():
            set_attributes(folder, FOLDER_MODE, owner.uid, owner.gid)
        else:
            make_folder(folder, FOLDER_MODE, owner.uid, owner.gid)
    except OSError as error:
        raise SettingsNotWrittenError(f"{folder} could not be changed: {error.strerror}") from error


def _write(path: Path, data: bytes, have: Found, owner: Owner) -> None:
    kept = have if have.data is not None else None
    uid = kept.uid if kept and owner.uid is None else owner.uid
    gid = kept.gid if kept and owner.gid is None else owner.gid
    try:
        write_atomic(real_path(path), data, FILE_MODE, uid, gid)
    except OSError as error:
        raise SettingsNotWrittenError(
            f"{path} could not be written with the rights of uid {os.geteuid()}: "
            f"{error.strerror}; it is as it was. Check free space and who owns the folder and the "
            f"file: `sudo ls -la {shlex.quote(str(path.parent))}`, then run again"
        ) from error
