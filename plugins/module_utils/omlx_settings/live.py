# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the keys of a running omlx to the wanted ones, without a restart.

omlx reads settings.json at its start and never again, and writes what it has in memory whenever
something is saved. So the running server is told first, and the file is looked at afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.omlx_settings import keys
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.admin import (
    Admin,
    NotThereError,
    SilentError,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.keys import (
    OURS,
    Keys,
    KeyStep,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.plan import Want


class KeysNotAppliedError(RuntimeError):
    """A running omlx could not be brought to the wanted keys."""


@dataclass(frozen=True)
class Seen:
    """What the running server takes: `keys`, or `deaf` when none of our main keys opens it."""

    keys: Keys | None = None
    deaf: bool = False


@dataclass(frozen=True)
class Told:
    """What was changed in the running server, and whether only a restart can do the rest."""

    steps: tuple[KeyStep, ...] = ()
    restart: bool = False


def settle(
    admin: Admin,
    document: Mapping[str, Any] | None,
    want: Want,
    differs: bool,
    check_mode: bool,
) -> Told:
    """Bring the server that was started with `document` to the keys of `want`, if one runs.

    `differs` says whether the file's keys are not the wanted ones, so that silence is an error.
    """
    if want.api_key is None and want.client_keys is None:
        return Told()
    in_file = keys.from_auth((document or {}).get("auth")).main
    seen = look(admin, [in_file, want.api_key or ""], differs)
    return bring(admin, seen, want.api_key, want.client_keys, check_mode)


def wanted(api_key: str | None, client_keys: Mapping[str, str] | None, now: Keys) -> Keys:
    """The keys that shall open the server which takes `now`; None leaves what is there."""
    subs = dict(now.subs)
    if client_keys is not None:
        ours = {key: f"{OURS}{name}" for name, key in client_keys.items()}
        others = {key: name for key, name in now.subs.items() if not name.startswith(OURS)}
        subs = {**others, **ours}
    return Keys(main=now.main if api_key is None else api_key, subs=subs)


def look(admin: Admin, candidates: list[str], differs: bool) -> Seen:
    """What the server takes now.

    Args:
        candidates: main keys that it may have, the likeliest first.
        differs: whether the file's keys are not the wanted ones, so that silence is an error.
    """
    try:
        admin.find()
        for key in dict.fromkeys(filter(None, candidates)):
            if admin.login(key):
                return Seen(admin.keys())
    except NotThereError:
        return Seen()
    except SilentError as error:
        if differs:
            raise KeysNotAppliedError(_sentence(str(error))) from error
        return Seen()
    return Seen(deaf=True)


def bring(
    admin: Admin,
    seen: Seen,
    api_key: str | None,
    client_keys: Mapping[str, str] | None,
    check_mode: bool,
) -> Told:
    """Change what differs and prove it by asking: each wanted key opens, each old one is refused.

    A server that none of our main keys opens, and one that shall have no main key, needs a restart.
    """
    if seen.deaf:
        return Told(restart=True)
    if seen.keys is None:
        return Told()
    want = wanted(api_key, client_keys, seen.keys)
    steps = keys.plan(want, seen.keys)
    if any(step.verb == "main" and not step.key for step in steps):
        return Told(restart=True)
    if check_mode or not steps:
        return Told(tuple(steps))
    try:
        for step in steps:
            admin.apply(step)
        _prove(admin, want, keys.closed(steps, seen.keys, want), steps)
    except SilentError as error:
        raise KeysNotAppliedError(_sentence(str(error))) from error
    return Told(tuple(steps))


def _prove(admin: Admin, want: Keys, gone: list[str], steps: list[KeyStep]) -> None:
    fresh = [step.key for step in steps if step.verb != "remove"]
    if any(not admin.opens(key) for key in fresh):
        raise SilentError("it took a new key and refuses it")
    if want.main and any(admin.opens(key) for key in gone):
        raise SilentError("it still takes a key that was taken away")


def _sentence(what: str) -> str:
    return (
        f"The keys of the running omlx could not be brought to the wanted ones: {what}. Some may "
        "be changed already, settings.json was not touched. `sudo launchctl print "
        "system/inference.closet.omlx` and the end of its log say what it does; then run again"
    )
