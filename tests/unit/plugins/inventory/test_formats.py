"""Every option has a format, every value that does not fit has a sentence, and nothing crashes."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import values
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.option_formats import (
    OPTIONS,
    format_of,
)
from tests.unit import documents

ROOT = Path(__file__).resolve().parents[4]
SPECS: dict[str, dict[str, Any]] = {}
for _path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
    for _entry in documents.read(_path)["argument_specs"].values():
        SPECS.update(_entry.get("options", {}))
# What needs one: text and numbers, and lists of them, that are no choice of a few words.
PLAIN = {
    name: option
    for name, option in SPECS.items()
    if option["type"] not in ("bool", "dict")
    and option.get("elements") != "dict"
    and "choices" not in option
}


def told(name: str, value: Any) -> str:
    """What is said of a value of one of our options, or nothing."""
    return "\n".join(values.errors(name, SPECS[name], value))


def test_every_option_has_a_format_and_every_format_an_option() -> None:
    assert [name for name in PLAIN if format_of(name) is None] == []
    first = {
        next(pattern for pattern, _ in OPTIONS if fnmatch.fnmatchcase(name, pattern))
        for name in PLAIN
    }
    assert [pattern for pattern, _ in OPTIONS if pattern not in first] == []


@pytest.mark.parametrize("name", [n for n, o in SPECS.items() if "default" in o])
def test_a_default_of_ours_fits(name: str) -> None:
    default = SPECS[name]["default"]
    if "{{" not in str(default):
        assert told(name, default) == ""


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("closet_port", "80000", "a whole number from 1 to 65535"),
        ("closet_port", "eight", "a whole number from 1 to 65535"),
        ("closet_port", 0, "a whole number from 1 to 65535"),
        ("closet_port", True, "a whole number from 1 to 65535"),
        ("closet_port", "8000 ", "a whole number"),
        ("closet_port", "8_000", "a whole number"),
        ("closet_port", "٨", "a whole number"),
        ("closet_port", 8000.5, "a whole number"),
        ("closet_port", None, "a whole number"),
        ("closet_port", [8000], "a whole number"),
        ("omlx_ttl_seconds", -1, "from 0 to 31536000 seconds"),
        ("models_reserve_gb", 1e308, "from 0 to 1000000"),
        ("models_reserve_gb", math.nan, "from 0 to 1000000"),
        ("models_reserve_gb", math.inf, "from 0 to 1000000"),
        ("models_reserve_gb", "1e3", "from 0 to 1000000"),
        ("closet_url_host", "attic.local/x?a=$(id)", "a host name or an IP address"),
        ("closet_url_host", "http://attic.local", "a host name or an IP address"),
        ("closet_url_host", "attic.local:8000", "a host name or an IP address"),
        ("closet_url_host", "fe80::1%en0", "a host name or an IP address without a zone"),
        ("closet_url_host", "[fd00::1]", "a host name or an IP address"),
        ("closet_url_host", "10.0.0.256", "a host name or an IP address"),
        ("closet_url_host", "attic\n", "a host name or an IP address"),
        ("firewall_networks", ["192.168.1.0/99"], "a network, such as 192.168.1.0/24"),
        ("firewall_networks", ["192.168.1.0"], "a network, such as 192.168.1.0/24"),
        ("firewall_networks", ["10.0.0.0/255.0.0.0"], "a network, such as 192.168.1.0/24"),
        ("firewall_networks", ["10.0.0.0/0.255.255.255"], "a network, such as 192.168.1.0/24"),
        ("firewall_networks", ["fe80::1%en0/64"], "a network, such as 192.168.1.0/24"),
        ("firewall_networks", ["10.0.0.0/8\n"], "a network, such as 192.168.1.0/24"),
        ("tailscale_launchd_log", "/var/log/my log", "without .. and white space"),
        ("tailscale_launchd_log", f"/{'a/' * 470}", "at most 900 long"),
        ("tailscale_log", f"/{'a' * 256}", "a path from / on, without .."),
        ("tailscale_log", "/a" * 512, "a path from / on, without .."),
        ("gateway_base_path", "/Users/{$HOME}", "without .. and { } `"),
        ("gateway_base_path", '/Users/a\\"b', "without .. and { } `"),
        ("gateway_base_path", f"/Users/{'a' * 90}", "at most 90 long"),
        ("wired_memory_user", "admin\nALL ALL=(ALL) NOPASSWD: ALL", "in one line"),
        ("wired_memory_user", "#502", "the name of an account"),
        ("omlx_base_path", "relative/omlx", "a path from / on, without .."),
        ("omlx_base_path", "/opt/../etc", "a path from / on, without .."),
        ("omlx_base_path", "/opt/a\nb", "a path from / on, without .."),
        ("models_endpoint", "huggingface.co", "an address such as https://"),
        ("models_endpoint", "https://user:secret@hub.local", "an address such as https://"),
        ("models_endpoint", "https://hub.local:99999/", "an address such as https://"),
        ("models_endpoint", "https://hub.local/$(id)", "an address such as https://"),
        ("models_proxy", "host:3128", "an address such as http://host:3128"),
        ("omlx_python", 3.1, "put it in quotes"),
        ("omlx_pin", "main", "a commit, 40 hexadecimal digits"),
        ("ollama_checksum", "sha256:abc", "sha256: and 64 hexadecimal digits"),
        ("omlx_disk_cache_size", "20", "a size such as 20GB"),
        ("tailscale_ssh", "maybe", "true or false"),
        ("tailscale_ssh", 2, "true or false"),
        ("mcp_clients", "opencde", "one of opencode, claude"),
        ("mcp_clients", {"opencode": True}, "a list"),
        ("opencode_agents", ["plan"], "a mapping"),
        ("omlx_models", "a", "a list of mappings"),
        ("omlx_models", ["a"], "a mapping"),
        ("closet_exposure", "wan", "one of loopback, lan"),
        ("closet_exposure", ["lan"], "one of loopback, lan"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_right(name: str, value: Any, right: str) -> None:
    sentence = told(name, value)
    assert sentence.startswith(name)
    assert right in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("closet_port", 8000),
        ("closet_port", "8000"),
        ("models_reserve_gb", "12.5"),
        ("closet_url_host", "fd00::100"),
        ("closet_url_host", "Attics-Mac-Studio.local."),
        ("closet_url_host", "mac_mini"),
        ("firewall_networks", "192.168.1.0/24"),
        ("firewall_networks", ["192.168.1.7/24", "fd00::/8"]),
        ("wired_memory_user", "CORP\\Domain Users"),
        ("wired_memory_user", "dot.ty"),
        ("preflight_minimum_macos", 14),
        ("models_proxy", "http://me:secret@proxy.corp:3128"),
        ("models_endpoint", "http://mirror/artifactory/api/huggingfaceml/ext"),
        ("models_endpoint", "http://[fd00::1]:8080"),
        ("ollama_keep_alive", "1h30m"),
        ("tailscale_ssh", "yes"),
        ("tailscale_ssh", 1),
        ("mcp_clients", "opencode"),
        ("opencode_instruction_files", "~/rules.md"),
        ("closet_service_account", ""),
        ("omlx_client_keys", None),
        ("models_hub_cache", ""),
        ("tailscale_hostname", ""),
        ("models_peers", ["http://10.0.0.10:8001"]),
        ("gateway_addresses", ["localhost", "10.0.0.10"]),
        ("gateway_base_path", "/Users/CORP\\jane doe/.closet-gateway"),
        ("tailscale_launchd_log", "/var/log/a#b.log"),
        ("opencode_instructions", "Be kind.\n\tAlways.\n"),
    ],
)
def test_a_right_value_passes_however_it_is_written(name: str, value: Any) -> None:
    assert told(name, value) == ""


class Loader(documents.SAFE_LOADER):  # type: ignore[misc]
    """Knows Ansible's tags."""


Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: "{{ a tag }}")


def shown_values() -> Iterator[tuple[str, str, Any]]:
    """Every value of an option in our inventories, scenarios, playbooks and documentation."""
    patterns = ("inventories/**/*.yml", "tests/lab/**/*.yml", "molecule/**/*.yml", "docs/*.md")
    for path in (path for pattern in patterns for path in sorted(ROOT.glob(pattern))):
        texts = [path.read_text()]
        if path.suffix == ".md":
            texts = re.findall(r"```ya?ml\n(.*?)```", texts[0], re.DOTALL)
        for text in texts:
            for document in yaml.load_all(text.replace("…", "x"), Loader=Loader):
                for name, value in options_in(document):
                    yield path.name, name, value


def options_in(value: Any) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        # a group of every inventory has the name of a variable of the playbooks
        if name in SPECS and name != "closet" and "{{" not in str(inner):
            yield name, inner
        yield from options_in(inner)
    for inner in value if isinstance(value, list) else ():
        yield from options_in(inner)


def test_what_we_show_and_test_with_fits() -> None:
    shown = list(shown_values())
    assert len(shown) > 40
    assert [(path, told(name, value)) for path, name, value in shown if told(name, value)] == []


@pytest.mark.parametrize(
    "name", [name for name in SPECS if name.endswith(("_key", "_keys", "_token", "_secrets"))]
)
def test_a_secret_is_in_no_sentence(name: str) -> None:
    for value in ("s3cret\nvalue", ["s3cret\nvalue"], {"a": "s3cret"}, 12345678, None):
        assert "s3cret" not in told(name, value)
        assert "12345678" not in told(name, value)


@pytest.mark.parametrize(
    ("name", "value", "typed"),
    [
        ("closet_port", "8000", 8000),
        ("models_reserve_gb", "12.5", 12.5),
        ("tailscale_ssh", "yes", True),
        ("tailscale_ssh", "off", False),
        ("mcp_clients", "opencode", ["opencode"]),
        ("preflight_minimum_macos", 14, "14"),
        ("omlx_client_keys", None, None),
    ],
)
def test_a_value_that_fits_becomes_its_type(name: str, value: Any, typed: Any) -> None:
    made = values.converted(SPECS[name], value)
    assert (made, type(made)) == (typed, type(typed))


def test_what_an_address_has_before_its_at_sign_is_not_shown() -> None:
    for value in ("me:s3cr@et@proxy:3128", "https://me:s3/cret@hub.local", "http://s3cret@hub\n"):
        for name in ("models_proxy", "models_endpoint"):
            sentence = told(name, value) or "fits"
            assert "s3" not in sentence
    assert "'https://…@hub.local'" in told("models_endpoint", "https://me:s3/cret@hub.local")


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80)
HOSTILE = st.sampled_from(
    ["", "\n", "a\nb", "a\r", "\x00", "$(id)", "`id`", "'", '"', "%", "../..", "-x", "{{ 1 }}"]
)
VALUES = st.recursive(
    ATOMS | HOSTILE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4)
    ),
    max_leaves=8,
)


# An example costs more than what is done with it, so each is tried with every option.
@settings(max_examples=100)
@given(VALUES)
def test_no_value_crashes_the_check_and_none_that_passes_the_conversion(value: Any) -> None:
    for name, option in SPECS.items():
        if told(name, value) == "":
            typed = values.converted(option, value)
            assert told(name, typed) == "", f"what is converted for {name} fits as well"


LINES = sorted(set(PLAIN) - {"opencode_instructions", "closet_api_key", "closet_client_key"})


@settings(max_examples=100)
@given(
    st.text(max_size=20),
    st.sampled_from(["\n", "\r", "\x00", "\x1b", "\u2028", "\x85", "\x0b"]),
    st.text(max_size=20),
)
def test_no_value_with_a_line_end_passes(before: str, end: str, after: str) -> None:
    value = f"{before}{end}{after}"
    for name in LINES:
        assert told(name, value), name
        if SPECS[name]["type"] == "list":
            assert told(name, ["a", value]), name
