"""The table of the backends, the tables of their servers, and what the plays make of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.daemon.backends import backends
from tests.unit import documents

CHECKOUT = Path(__file__).parents[3]
ROLES = CHECKOUT / "roles"
SERVICES = sorted({name for backend in backends().values() for name in backend.services})


def load(path: str) -> Any:
    return documents.read(CHECKOUT / path)


def test_every_service_is_a_role_whose_table_the_plays_load() -> None:
    loaded = [
        task["ansible.builtin.import_role"]["name"].removeprefix("closet.inference.")
        for task in load("playbooks/tasks/servers.yml")
    ]
    # and the limit that they wait for
    assert sorted(loaded) == ["_daemon", *SERVICES, "wired_memory"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_table_has_every_key_that_the_role_daemon_requires_and_no_other(service: str) -> None:
    given = set(load(f"roles/{service}/vars/main.yml")[f"{service}_daemon"])
    spec = load("roles/_daemon/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    keys = spec["daemons"]["options"]
    required = {name for name, option in keys.items() if option.get("required")}
    assert required <= given <= set(keys)


@pytest.mark.parametrize("backend", backends())
def test_a_backend_has_the_tasks_that_the_plays_include(backend: str) -> None:
    tasks = {path.stem for path in (ROLES / backend / "tasks").iterdir()}
    pulls = {"pull"} if backends()[backend].source != "repo" else set()
    assert {"main", "install", "serve", "variables", *pulls} <= tasks


@pytest.mark.parametrize("backend", backends())
def test_the_firewall_lets_the_last_service_of_a_backend_through(backend: str) -> None:
    last = backends()[backend].services[-1]
    assert "program" in load(f"roles/{last}/vars/main.yml")[f"{last}_daemon"]


def test_two_servers_never_want_one_port() -> None:
    ports = [load(f"roles/{role}/defaults/main.yml") for role in SERVICES]
    own = [value for each in ports for name, value in each.items() if name.endswith("server_port")]
    assert sorted({*own, 8000}) == [8000, *sorted(own)]


@pytest.mark.parametrize("name", ["gateway/files/caddy", "mlx_lm/files/mlx_lm"])
def test_what_a_mac_gets_is_locked_with_hashes_and_no_address(name: str) -> None:
    wanted = (ROLES / f"{name}.in").read_text().splitlines()
    locked = (ROLES / f"{name}.txt").read_text()
    assert "://" not in locked
    for line in filter(lambda line: line and not line.startswith("#"), wanted):
        project = re.split(r"[\[=><]", line)[0]
        assert re.search(
            rf"^{project}==\S+ \\\n    --hash=sha256:[0-9a-f]{{64}}", locked, re.MULTILINE
        )
