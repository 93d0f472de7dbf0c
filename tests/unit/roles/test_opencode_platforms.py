"""Which package of opencode a laptop gets, and where it looks for its lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from tests.unit import documents

VARIABLES = documents.read(Path(__file__).parents[3] / "roles/opencode/vars/main.yml")
MAC = {"kernel": "Darwin", "architecture": None, "avx2": None}
APPLICATION_SUPPORT = "/Library/Application Support/opencode"


def rendered(name: str, facts: dict[str, Any]) -> str:
    template = Environment(undefined=StrictUndefined).from_string(VARIABLES[name])
    return template.render(preflight_facts=facts)


@pytest.mark.parametrize(
    ("facts", "package", "managed"),
    [
        (MAC, "opencode-darwin-arm64", APPLICATION_SUPPORT),
        (("amd64", True), "opencode-linux-x64", "/etc/opencode"),
        (("amd64", False), "opencode-linux-x64-baseline", "/etc/opencode"),
        (("amd64", None), "opencode-linux-x64-baseline", "/etc/opencode"),
        (("arm64", False), "opencode-linux-arm64", "/etc/opencode"),
    ],
)
def test_each_platform_has_its_package_and_its_folder(
    facts: Any, package: str, managed: str
) -> None:
    if not isinstance(facts, dict):
        facts = {"kernel": "Linux", "architecture": facts[0], "avx2": facts[1]}
    assert rendered("__opencode_package", facts) == package
    assert rendered("__opencode_managed", facts) == managed
