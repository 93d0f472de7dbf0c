"""What a run is made of, and which hosts it leaves out for having converged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError

from ansible_collections.closet.inference.plugins.filter import preflight
from ansible_collections.closet.inference.plugins.plugin_utils import this_run
from ansible_collections.closet.inference.plugins.plugin_utils.converged import inputs
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.hosts import Inventory
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.specs import read

SPECS = read()


class Host(dict[str, Any]):
    """Variables of a host; `{{` is a template that cannot be evaluated yet."""

    def get(self, name: str, default: Any = None) -> Any:
        value = super().get(name, default)
        if value == "{{":
            raise AnsibleError(value)
        return value


class Hosts(dict[str, Host]):
    def raw_get(self, host: str) -> Any:
        return self[host]


def digests(
    private: Path | None = None, extra: dict[str, Any] | None = None, **hosts: Any
) -> dict[str, str]:
    """The inputs of the closet attic and the laptops air and pro."""
    every = {
        host: Host({**hosts.get(host, {}), **(extra or {})}) for host in ("attic", "air", "pro")
    }
    inventory = Inventory(
        {"groups": {"closet": ["attic"], "clients": ["air", "pro"]}, "hostvars": Hosts(every)},
        SPECS,
        list(extra or {}),
    )
    return inputs.of_hosts(inventory, {}, [private] if private else [], str)


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {host for host, digest in after.items() if before[host] != digest}


@pytest.mark.parametrize(
    "values",
    [
        {"opencode_timeout_s": 901},
        {"mcp_servers": {"notes": {"command": "notes"}}},
        {"opencode_url": "{{"},
        {"mcp_servers": {1: "a", "b": {"c"}}},
        {"ansible_host": "10.0.0.9"},
        {"ansible_become_user": "root"},
    ],
)
def test_an_option_of_a_host_is_an_input_of_this_host(values: dict[str, Any]) -> None:
    assert changed(digests(), digests(air=values)) == {"air"}


def test_the_order_of_keys_and_sets_is_none() -> None:
    one = {"mcp_servers": {1: "a", "b": {"c", "d", "e"}}}
    other = {"mcp_servers": {"b": {"e", "c", "d"}, 1: "a"}}
    assert digests(air=one) == digests(air=other)


@pytest.mark.parametrize("name", ["ansible_run_tags", "ansible_verbosity", "ansible_limit", "mine"])
def test_what_describes_the_run_is_none(name: str) -> None:
    assert changed(digests(), digests(air={name: 2})) == set()


def test_a_file_that_an_option_names_is_one(tmp_path: Path) -> None:
    file = tmp_path / "omlx.txt"
    file.write_text("omlx==1")
    named: dict[str, Any] = {"attic": {"omlx_requirements": str(file)}}
    before = digests(**named)
    file.write_text("omlx==2")
    assert changed(before, digests(**named)) == {"attic"}


def test_keys_and_command_line_variables_are_inputs_of_all(tmp_path: Path) -> None:
    before = digests(tmp_path)
    (tmp_path / "attic").mkdir()
    (tmp_path / "attic/air.key").write_text("a key")
    assert changed(before, digests(tmp_path)) == {"attic", "air", "pro"}
    assert changed(digests(), digests(extra={"profile": "lean"})) == {"attic", "air", "pro"}


def test_an_edit_of_the_collection_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles/main.yml").write_text("a")
    monkeypatch.setattr(inputs, "ROOT", tmp_path)
    before = digests()
    (tmp_path / "roles/__pycache__").mkdir()
    (tmp_path / "roles/__pycache__/x.pyc").write_text("a")
    assert changed(before, digests()) == set()
    (tmp_path / "roles/main.yml").write_text("ab")
    assert changed(before, digests()) == {"attic", "air", "pro"}


def facts(closet: str, state: str, of_closet: str = "", converged: bool = True) -> Host:
    return Host(
        preflight_inventory={},
        preflight_facts={
            "converged": converged,
            "converged_closet": closet,
            "converged_state": state,
            "converged_with": of_closet,
        },
    )


@pytest.mark.parametrize(
    ("book", "hosts", "pattern"),
    [
        ("site", {"attic": facts("attic", "s"), "air": facts("attic", "t", "s")}, ":!attic:!air"),
        ("profile", {"attic": facts("attic", "s"), "air": facts("attic", "t", "s")}, ""),
        # recorded when its closet was in another state
        ("site", {"attic": facts("attic", "s"), "air": facts("attic", "t", "r")}, ":!attic"),
        # what a laptop gets may follow from what changes on its closet
        (
            "site",
            {"attic": facts("attic", "s", converged=False), "air": facts("attic", "t", "s")},
            "",
        ),
        # outside of --limit
        ("site", {"attic": Host(preflight_inventory={}), "air": facts("attic", "t", "s")}, ""),
        ("site", {"attic": facts("attic", "s"), "air": Host(preflight_inventory={})}, ":!attic"),
    ],
)
def test_a_host_is_left_out_if_it_and_its_closet_have_converged(
    monkeypatch: pytest.MonkeyPatch, book: str, hosts: dict[str, Host], pattern: str
) -> None:
    monkeypatch.setattr(this_run, "name_of_playbook", lambda: book)
    monkeypatch.setattr(this_run, "only_lists", lambda: False)
    assert preflight.after_preflight("clients", Hosts(hosts)) == f"clients{pattern}"
