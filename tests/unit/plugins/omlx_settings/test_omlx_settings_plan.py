# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merging owned keys into omlx's documents, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.exposure import (
    is_loopback,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.plan import (
    SettingsRefusedError,
    Want,
    masked,
    plan,
    same,
)

KEY = "sk-very-secret-0123456789"
HAVE: dict[str, Any] = {
    "version": "1.0",
    "server": {"host": "127.0.0.1", "port": 8000, "invented_later": 1},
    "auth": {"api_key": None, "secret_key": "f00d", "sub_keys": [{"key": "sk-air"}]},
    "later_section": {"a": 1},
}


def want(
    settings: dict[str, Any] | None = None,
    models: dict[str, Any] | None = None,
    **others: Any,
) -> Want:
    return Want(settings=settings or {}, models=models or {}, **others)


@pytest.mark.parametrize(
    ("wanted", "have", "after", "changed"),
    [
        pytest.param(
            want({"server": {"port": 8001}}),
            HAVE,
            {**HAVE, "server": {**HAVE["server"], "port": 8001}},
            ["server.port"],
            id="one key, all others stay",
        ),
        pytest.param(want({"server": {"port": 8000}}), HAVE, HAVE, [], id="right already"),
        pytest.param(
            want({"server": {"port": 8000}}),
            None,
            {"version": "1.0", "server": {"port": 8000}},
            ["server.port"],
            id="no file yet",
        ),
        pytest.param(want(), None, None, [], id="nothing asked for, nothing made"),
        pytest.param(
            want({"server": {"port": None}}),
            HAVE,
            {**HAVE, "server": {"host": "127.0.0.1", "invented_later": 1}},
            ["server.port"],
            id="null takes a key out",
        ),
        pytest.param(
            want({"idle_timeout": {"idle_timeout_seconds": None}}),
            {"idle_timeout": {"idle_timeout_seconds": None}},
            {"idle_timeout": {"idle_timeout_seconds": None}},
            [],
            id="omlx writes null for what is not there",
        ),
        pytest.param(
            want({"idle_timeout": {"idle_timeout_seconds": None}}),
            {},
            {},
            [],
            id="no section for nothing",
        ),
        pytest.param(
            want(api_key=KEY),
            HAVE,
            {**HAVE, "auth": {**HAVE["auth"], "api_key": KEY}},
            ["auth.api_key"],
            id="the key joins its section",
        ),
        pytest.param(
            want({"memory": {"soft_threshold": 1}}),
            {"memory": {"soft_threshold": 1.0}},
            {"memory": {"soft_threshold": 1.0}},
            [],
            id="1 is 1.0",
        ),
        pytest.param(
            want({"cache": {"enabled": True}}),
            {"cache": {"enabled": 1}},
            {"cache": {"enabled": True}},
            ["cache.enabled"],
            id="1 is not true",
        ),
        pytest.param(
            want({"cache": {"enabled": True}}),
            {"cache": "rubbish"},
            {"cache": {"enabled": True}},
            ["cache.enabled"],
            id="a section that is none",
        ),
        pytest.param(
            want({"server": {"shiny": 1}, "new": {"a": [1]}}, unchecked=True),
            {},
            {"server": {"shiny": 1}, "new": {"a": [1]}},
            ["server.shiny", "new.a"],
            id="unchecked",
        ),
    ],
)
def test_settings(
    wanted: Want, have: dict[str, Any] | None, after: dict[str, Any] | None, changed: list[str]
) -> None:
    made = plan(wanted, have, None)
    assert made.settings == after
    assert list(made.changed_keys) == changed
    assert plan(wanted, made.settings, None).changed_keys == ()


MODELS: dict[str, Any] = {
    "version": 1,
    "models": {
        "other": {"is_default": True, "temperature": 0.5},
        "coder": {"ttl_seconds": 60, "display_name": "made in the UI"},
    },
}


@pytest.mark.parametrize(
    ("wanted", "have", "entries", "changed"),
    [
        pytest.param(
            {"coder": {"is_pinned": True, "ttl_seconds": None}},
            MODELS,
            {
                "other": MODELS["models"]["other"],
                "coder": {"display_name": "made in the UI", "is_pinned": True},
            },
            ["models.coder.is_pinned", "models.coder.ttl_seconds"],
            id="what the UI made stays",
        ),
        pytest.param(
            {"coder": {"is_default": True}},
            MODELS,
            {
                "other": {"is_default": False, "temperature": 0.5},
                "coder": {**MODELS["models"]["coder"], "is_default": True},
            },
            ["models.coder.is_default", "models.other.is_default"],
            id="one default",
        ),
        pytest.param(
            {"a": {"is_pinned": True}}, None, {"a": {"is_pinned": True}}, ["models.a.is_pinned"]
        ),
        pytest.param({"a": {}}, None, {"a": {}}, [], id="no keys"),
    ],
)
def test_models(
    wanted: dict[str, Any],
    have: dict[str, Any] | None,
    entries: dict[str, Any],
    changed: list[str],
) -> None:
    made = plan(want(models=wanted), None, have)
    assert made.models == {"version": 1, "models": entries}
    assert list(made.changed_keys) == changed
    assert plan(want(models=wanted), None, made.models).changed_keys == ()
    assert made.settings is None


LAN = {"server": {"host": "10.77.31.10"}}


@pytest.mark.parametrize(
    ("wanted", "have", "words"),
    [
        (want({"sever": {}}), {}, "no section 'sever'; did you mean 'server'"),
        (want({"server": {"prot": 1}}), {}, "'prot' in section 'server'; did you mean 'port'"),
        (want({"server": {"memory_guard_tier": "safe"}}), {}, "it is in 'memory'"),
        (want({"server": {"zzz": 1}}), {}, "unchecked: true"),
        (want({"server": {"port": 99999}}), {}, "server.port must be at most 65535, not 99999"),
        (want({"server": {"port": "8000"}}), {}, "must be a whole number, not the text '8000'"),
        (want({"server": {"port": True}}), {}, "must be a whole number"),
        (want({"server": {"log_level": "loud"}}), {}, "must be one of trace, debug"),
        (want({"server": None}), {}, "needs keys"),
        (want({"cache": {"enabled": "yes"}}), {}, "must be true or false"),
        (want({"cache": {"hot_cache_max_size": "auto"}}), {}, "no longer takes"),
        (want({"model": {"model_dirs": "/m"}}), {}, "must be a list"),
        (want({"idle_timeout": {"idle_timeout_seconds": 5}}), {}, "must be at least 60, not 5"),
        (want({"memory": {"memory_guard_tier": "custom"}}), {}, "ceiling_gb above 0"),
        (want({"memory": {"memory_guard_custom_ceiling_gb": 96}}), {}, "set the tier to custom"),
        (want({"auth": {"api_key": KEY}}), {}, "parameter api_key"),
        (want({"auth": {"sub_keys": []}}), {}, "cannot be set here"),
        (want({"network": {"http_proxy": "http://me:hush@proxy"}}), {}, "a name and a password"),
        (want(api_key="abc"), {}, "4 or more printable"),
        (want(api_key="has a space"), {}, "4 or more printable"),
        (want(LAN), {}, "there is no API key"),
        (want({"server": {"host": "127.0.0.1, 0.0.0.0"}}), {}, "host is 0.0.0.0, which others"),
        (want({"server": {"port": 1}}), {"server": {"host": "::"}}, "there is no API key"),
        (
            want({**LAN, "auth": {"skip_api_key_verification": True}}, api_key=KEY),
            {},
            "lets all clients in",
        ),
        (want(models={"mlx-community/Foo": {}}), {}, "without its owner"),
        (want(models={"a": {"is_pined": True}}), {}, "did you mean 'is_pinned'"),
        (want(models={"a": {"ttl_seconds": "60"}}), {}, "ttl_seconds of model a"),
        (want(models={"a": None}), {}, "needs keys"),
        (
            want(models={"a": {"is_default": True}, "b": {"is_default": True}}),
            {},
            "only one model can be the default",
        ),
        (want(models={"a": {"mtp_enabled": True, "dflash_enabled": True}}), {}, "drops all"),
    ],
)
def test_refused(wanted: Want, have: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsRefusedError) as raised:
        plan(wanted, have, None)
    assert words in str(raised.value)
    assert KEY not in str(raised.value)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("wanted", "have"),
    [
        pytest.param(want(LAN, api_key=KEY), {}, id="key given"),
        pytest.param(want(LAN), {"auth": {"api_key": KEY}}, id="key in the file"),
        pytest.param(
            want({"memory": {"memory_guard_tier": "custom"}}),
            {"memory": {"memory_guard_custom_ceiling_gb": 96}},
            id="ceiling in the file",
        ),
        pytest.param(
            want(models={"a": {}}), {"server": {"host": "0.0.0.0"}}, id="not our business"
        ),
    ],
)
def test_accepted_because_of_the_file(wanted: Want, have: dict[str, Any]) -> None:
    assert plan(wanted, have, None).settings is not None


def test_an_exclusive_key_in_the_file_counts() -> None:
    have = {"models": {"a": {"dflash_enabled": True}}}
    with pytest.raises(SettingsRefusedError, match="dflash_enabled"):
        plan(want(models={"a": {"mtp_enabled": True}}), None, have)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.77.31.10", False),
        ("attic.local", False),
        ("", False),
    ],
)
def test_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_masked_hides_every_key() -> None:
    text = masked({"auth": {"api_key": KEY, "sub_keys": [{"key": "sk-air"}], "secret_key": ""}})
    assert KEY not in text
    assert "sk-air" not in text
    assert '"secret_key": ""' in text


def test_digest_is_about_what_is_owned() -> None:
    first = want({"server": {"port": 1}}, api_key=KEY)
    assert first.digest() == want({"server": {"port": 1}}, api_key=KEY).digest()
    # a running server is told its keys, so they are no reason to restart it
    assert first.digest() == want({"server": {"port": 1}}, api_key=KEY + "0").digest()
    assert first.digest() == want({"server": {"port": 1}}, client_keys={"air": KEY}).digest()
    assert first.digest() != want({"server": {"port": 2}}, api_key=KEY).digest()
    assert KEY not in first.digest()
    keyed: dict[str, Any] = {"auth": {"api_key": KEY}}
    keyless: dict[str, Any] = {"auth": {}}
    modelled = want({"server": {"port": 1}}, api_key=KEY, models={"a": {"is_pinned": True}})
    assert modelled.digest(keyed) == first.digest(keyed), "a server with a key is told its models"
    assert modelled.digest(keyless) != first.digest(keyless)


def test_same_is_strict_about_flags() -> None:
    assert same(1, 1.0)
    assert not same(True, 1)
    assert same({"a": [1], "b": 2}, {"b": 2, "a": [1]})
