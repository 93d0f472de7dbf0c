"""`-e closet_port=80` is text: a role gives an option its type before it reckons with it, asks
whether it is true, or takes it apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, nodes

from tests.unit import documents

ROOT = Path(__file__).resolve().parents[3]
OPTIONS: dict[str, dict[str, Any]] = {}
for _path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
    for _entry in documents.read(_path)["argument_specs"].values():
        OPTIONS.update(_entry.get("options", {}))
CONVERSIONS = {"int": ("int", "float"), "float": ("float",), "bool": ("bool",)}
# Keys of tasks whose text is an expression.
BARE = ("when", "that", "until", "changed_when", "failed_when", "loop_condition")
# Filters that do the same with a word and a list of one.
EITHER = ("length", "default")


class Loader(documents.SAFE_LOADER):  # type: ignore[misc]
    """Knows Ansible's tags."""


Loader.add_multi_constructor("!", lambda _loader, _suffix, node: str(node.value))


class Anything(dict[str, Any]):
    """Jinja parses no filter that it does not know."""

    def __contains__(self, _name: object) -> bool:
        return True

    def get(self, _name: str, _default: Any = None) -> Any:
        return lambda *_: None


JINJA = Environment(autoescape=False)
JINJA.filters = Anything()
JINJA.tests = Anything()


def expressions(path: Path) -> Iterator[str]:
    """Every template of a file, as Jinja takes it."""
    if path.suffix == ".j2":
        yield path.read_text()
        return
    for key, text in _strings(list(yaml.load_all(path.read_text(), Loader=Loader))):
        if "{{" in text or "{%" in text:
            yield text
        elif key in BARE:
            yield f"{{{{ {text} }}}}"


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, key)
    elif isinstance(value, str):
        yield key, value


def uses(text: str) -> Iterator[tuple[str, list[nodes.Node]]]:
    """Every option in a template with the nodes around it, the nearest last."""

    def walk(node: nodes.Node, around: list[nodes.Node]) -> Iterator[tuple[str, list[nodes.Node]]]:
        if isinstance(node, nodes.Name) and node.name in OPTIONS:
            yield node.name, around
        for child in node.iter_child_nodes():
            yield from walk(child, [*around, node])

    yield from walk(JINJA.parse(text), [])


def is_typed(name: str, around: list[nodes.Node]) -> bool:
    """Whether the option has its type there, or goes whole to somebody who gives it one."""
    option = OPTIONS[name]
    chain = [node for node in reversed(around) if not isinstance(node, nodes.TemplateData)]
    while isinstance(chain[0], nodes.Filter) and chain[0].name == "default":
        chain.pop(0)
    nearest = chain[0]
    if isinstance(nearest, nodes.Output):
        # a parameter of a module; in a text it would be as it was written, `08000` or `8000.0`
        return len(nearest.nodes) == 1 or option["type"] not in ("int", "float")
    if option["type"] in CONVERSIONS:
        return isinstance(nearest, nodes.Filter) and nearest.name in CONVERSIONS[option["type"]]
    if isinstance(nearest, nodes.Filter) and nearest.name == "length":
        return True
    return isinstance(nearest, nodes.List) and isinstance(chain[1], nodes.Filter)


def needs_a_type(name: str) -> bool:
    option = OPTIONS[name]
    words = option["type"] == "list" and option.get("elements", "str") == "str"
    return words or option["type"] in CONVERSIONS


FILES = [
    path
    for pattern in ("roles/**/*.yml", "roles/**/*.j2", "playbooks/**/*.yml")
    for path in sorted(ROOT.glob(pattern))
    if "meta" not in path.parts
]


def test_what_reckons_with_an_option_gives_it_its_type() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in FILES
        for text in expressions(path)
        for name, around in uses(text)
        if needs_a_type(name) and not is_typed(name, around)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("{{ closet_port }}", True),
        ("http://{{ closet_port }}/", False),
        ("{{ closet_port | string }}", False),
        ("{{ closet_port * 2 }}", False),
        ("{{ closet_port | int * 2 }}", True),
        ("{{ closet_port | default(1) | int * 2 }}", True),
        ("{{ closet_port | default(1) * 2 }}", False),
        ("{% if tailscale_ssh %}x{% endif %}", False),
        ("{% if tailscale_ssh | bool %}x{% endif %}", True),
        ("{{ 'a' in mcp_clients }}", False),
        ("{{ 'a' in [mcp_clients] | flatten }}", True),
        ("{{ mcp_clients | map('x') }}", False),
        ("{% for one in mcp_clients %}x{% endfor %}", False),
    ],
)
def test_the_check_sees_what_lacks_a_type(text: str, good: bool) -> None:
    found = list(uses(text))
    assert found
    assert all(is_typed(name, around) for name, around in found) is good
