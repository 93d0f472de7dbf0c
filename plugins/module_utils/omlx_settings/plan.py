# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges the wanted keys into the present files of omlx; a pure function."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.omlx_settings import exposure
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.keys import (
    merged_subs,
    problems,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.known import (
    EXCLUSIVE,
    SECRETS,
    SUCCESSORS,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.schema import (
    TABLE,
    Schema,
)

Document = dict[str, Any]
SETTINGS_VERSION = "1.0"
MODELS_VERSION = 1
NOT_OURS = ("secret_key", "sub_keys")


class SettingsRefusedError(ValueError):
    """The wanted settings are invalid, or would give access without a key or a consent."""


@dataclass(frozen=True)
class Want:
    """The keys that a task manages. A value of None removes the key from the file.

    api_key: the main key; None keeps the one in the file, an empty one removes it.
    client_keys: the client keys by name; None keeps those in the file.
    no_consent: why the LAN may not be served; None if it may. consent_command records the consent.
    schema: the known keys.
    """

    settings: Mapping[str, Mapping[str, Any]]
    models: Mapping[str, Mapping[str, Any]]
    api_key: str | None = None
    unchecked: bool = False
    client_keys: Mapping[str, str] | None = None
    no_consent: str | None = None
    schema: Schema = TABLE
    consent_command: str = ""

    def sections(self) -> dict[str, dict[str, Any]]:
        """The owned settings with the key among them."""
        owned = {section: dict(keys) for section, keys in self.settings.items()}
        if self.api_key is not None:
            owned.setdefault("auth", {})["api_key"] = self.api_key or None
        return owned

    @property
    def owns_settings(self) -> bool:
        """Whether the task manages keys of settings.json."""
        return bool(self.sections()) or self.client_keys is not None

    def digest(self, settings: Document | None = None) -> str:
        """A digest of the values that omlx reads only at its start.

        `settings` is the wanted content of settings.json. The API keys are not part of the digest,
        because a running omlx accepts them, and with a main key also its model settings.
        """
        owned = dict(self.settings)
        if not _get(settings, "auth", "api_key"):
            owned["models"] = self.models
        return hashlib.sha256(json.dumps(owned, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Planned:
    """The wanted content of the two files; None is a file that the task does not manage."""

    settings: Document | None
    models: Document | None
    changed_keys: tuple[str, ...]


def plan(want: Want, settings: Document | None, models: Document | None) -> Planned:
    """Merge the wanted keys into the documents (None: no usable file).

    Raises SettingsRefusedError for settings that omlx would ignore or drop, and for a server that
    would be open to every client.
    """
    check_keys(want)
    changed: list[str] = []
    merged = _merged_settings(want, settings, changed)
    if merged is not None and want.owns_settings:
        _check_memory(want, merged)
        objection = exposure.objection(merged, want.no_consent, want.consent_command)
        if objection:
            raise SettingsRefusedError(objection)
    merged_models = _merged_models(want, models, changed)
    return Planned(merged, merged_models, tuple(changed))


def masked(document: Document | None) -> str:
    """A settings document as text for people, without what is secret."""
    if document is None:
        return ""
    shown = {
        section: (
            {key: _mask(section, key, value) for key, value in keys.items()}
            if isinstance(keys, dict)
            else keys
        )
        for section, keys in document.items()
    }
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


def secret_changes(before: Document | None, after: Document | None) -> list[str]:
    """Names of the secret keys whose values differ."""
    return [
        f"{section}.{key}"
        for section, key in sorted(SECRETS)
        if not same(_get(before, section, key), _get(after, section, key))
    ]


def same(one: Any, other: Any) -> bool:
    """Equal as JSON; Python also takes true for 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True) or (
        _is_number(one) and _is_number(other) and one == other
    )


def check_keys(want: Want) -> None:
    """Refuse names omlx does not know and values it would not take."""
    for section, keys in want.settings.items():
        if section not in want.schema.settings and not want.unchecked:
            raise SettingsRefusedError(want.schema.no_section(section))
        if not isinstance(keys, Mapping):
            raise SettingsRefusedError(f"section '{section}' needs keys, and is {keys!r}")
        for key, value in keys.items():
            _check_setting(want, section, key, value)
    for problem in problems(want.api_key, want.client_keys):
        raise SettingsRefusedError(problem)
    for model, keys in want.models.items():
        _check_model(want, model, keys)
    defaults = [model for model, keys in want.models.items() if keys.get("is_default")]
    if len(defaults) > 1:
        raise SettingsRefusedError(f"only one model can be the default: {', '.join(defaults)}")


def _check_setting(want: Want, section: str, key: str, value: Any) -> None:
    if (section, key) == ("auth", "api_key"):
        raise SettingsRefusedError("auth.api_key is a secret; give it as the parameter api_key")
    if section == "auth" and key in NOT_OURS:
        raise SettingsRefusedError(f"auth.{key} is a secret that omlx keeps; it cannot be set here")
    rule = want.schema.settings.get(section, {}).get(key)
    if rule is None and not want.unchecked:
        raise SettingsRefusedError(want.schema.no_key(section, key))
    where = f"{section}.{key}"
    for error in rule(where, value) if rule and value is not None else ():
        secret = (section, key) in SECRETS
        raise SettingsRefusedError(f"{where} is not of the right kind" if secret else error)
    if section == "network" and "@" in str(value):
        raise SettingsRefusedError(
            f"network.{key} holds a name and a password, which would be seen in output; give omlx "
            "a proxy that needs none"
        )
    if key == "hot_cache_max_size" and value == "auto":
        raise SettingsRefusedError('cache.hot_cache_max_size is "auto", which omlx no longer takes')


def _check_model(want: Want, model: str, keys: Any) -> None:
    if not model or "/" in model:
        raise SettingsRefusedError(
            f"'{model}' is not a model id of omlx; it is the name of the model's folder, without "
            "its owner"
        )
    if not isinstance(keys, Mapping):
        raise SettingsRefusedError(f"model '{model}' needs keys, and is {keys!r}")
    for key, value in keys.items():
        rule = want.schema.model.get(key)
        # one that it ignores may still be taken out of its file
        goes = value is None and key in SUCCESSORS
        if rule is None and not want.unchecked and not goes:
            raise SettingsRefusedError(want.schema.no_model_key(model, key))
        for error in rule(f"{key} of model {model}", value) if rule and value is not None else ():
            raise SettingsRefusedError(error)


def _merged_settings(want: Want, have: Document | None, changed: list[str]) -> Document | None:
    owned = want.sections()
    if have is None and not want.owns_settings:
        return None
    merged: Document = dict(have) if have is not None else {"version": SETTINGS_VERSION}
    for section, keys in owned.items():
        old = merged.get(section)
        made = _merged(old if isinstance(old, dict) else {}, keys, section, changed)
        if made or section in merged:
            merged[section] = made
    if want.client_keys is not None:
        _merge_subs(merged, want.client_keys, changed)
    return merged


def _merge_subs(merged: Document, client_keys: Mapping[str, str], changed: list[str]) -> None:
    auth = merged.get("auth")
    auth = dict(auth) if isinstance(auth, dict) else {}
    old = auth.get("sub_keys")
    made = merged_subs(old, client_keys)
    if not same(old or [], made):
        changed.append("auth.sub_keys")
        merged["auth"] = {**auth, "sub_keys": made}


def _merged_models(want: Want, have: Document | None, changed: list[str]) -> Document | None:
    if not want.models:
        return have
    merged: Document = dict(have) if have is not None else {"version": MODELS_VERSION}
    entries = merged.get("models")
    entries = dict(entries) if isinstance(entries, dict) else {}
    for model, keys in want.models.items():
        old = entries.get(model)
        entry = _merged(old if isinstance(old, dict) else {}, keys, f"models.{model}", changed)
        _check_exclusive(model, entry)
        entries[model] = entry
        if keys.get("is_default"):
            _make_only_default(entries, model, changed)
    merged["models"] = entries
    return merged


def _merged(old: Mapping[str, Any], keys: Mapping[str, Any], where: str, changed: list[str]) -> Any:
    merged = dict(old)
    for key, value in keys.items():
        if not same(old.get(key), value):
            changed.append(f"{where}.{key}")
            if value is None:
                del merged[key]
            else:
                merged[key] = value
    return merged


def _make_only_default(entries: Document, model: str, changed: list[str]) -> None:
    for other, entry in entries.items():
        if other != model and isinstance(entry, dict) and entry.get("is_default"):
            entries[other] = {**entry, "is_default": False}
            changed.append(f"models.{other}.is_default")


def _check_exclusive(model: str, entry: Mapping[str, Any]) -> None:
    for one, other in EXCLUSIVE:
        if entry.get(one) and entry.get(other):
            raise SettingsRefusedError(
                f"model {model} would have both {one} and {other}, and omlx then drops all its "
                "settings; set one of them to false"
            )


def _check_memory(want: Want, merged: Document) -> None:
    owned = want.settings.get("memory", {})
    tier = _get(merged, "memory", "memory_guard_tier") or "balanced"
    ceiling = _get(merged, "memory", "memory_guard_custom_ceiling_gb") or 0
    if owned.get("memory_guard_tier") == "custom" and ceiling <= 0:
        raise SettingsRefusedError(
            "memory.memory_guard_tier is custom, and that needs a "
            "memory.memory_guard_custom_ceiling_gb above 0"
        )
    if owned.get("memory_guard_custom_ceiling_gb") and tier != "custom":
        raise SettingsRefusedError(
            f"memory.memory_guard_custom_ceiling_gb is ignored by omlx while memory_guard_tier is "
            f"'{tier}'; set the tier to custom as well"
        )


def _get(document: Mapping[str, Any] | None, section: str, key: str) -> Any:
    keys = (document or {}).get(section)
    return keys.get(key) if isinstance(keys, dict) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _mask(section: str, key: str, value: Any) -> Any:
    return "(set, not shown)" if (section, key) in SECRETS and value else value
