"""What may import what; docs/architecture.md draws it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
PREFIX = "ansible_collections.closet.inference.plugins."
ALLOWED = {
    "modules": {"module_utils"},
    "doc_fragments": set(),
    "module_utils": {"module_utils"},
    "plugin_utils": {"plugin_utils", "module_utils"},
    "action": {"plugin_utils", "module_utils"},
    "filter": {"plugin_utils", "module_utils"},
    "lookup": {"plugin_utils", "module_utils"},
    "callback": {"plugin_utils", "module_utils"},
}
#: sent to a host as text, not as a part of a module
SENT = {"module_utils.run_holder", "module_utils.light_run"}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PLUGINS).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(path): path for path in sorted(PLUGINS.rglob("*.py"))}


def imported(path: Path) -> set[str]:
    """Full names of modules, and of what is taken from them, which may be modules too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


USES = {
    name: {its.removeprefix(PREFIX) for its in imported(path)} & set(FILES) - {name}
    for name, path in FILES.items()
}


def reached(starts: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    ahead = list(starts)
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead += USES[name]
    return seen


def test_the_graph_is_not_empty() -> None:
    assert sum(map(len, USES.values())) > 300


@pytest.mark.parametrize("name", FILES)
def test_imports_go_one_way(name: str) -> None:
    kind = name.partition(".")[0]
    assert {its.partition(".")[0] for its in USES[name]} <= ALLOWED[kind]


@pytest.mark.parametrize("name", FILES)
def test_there_is_no_cycle(name: str) -> None:
    assert name not in reached(USES[name])


def test_what_is_sent_to_hosts_is_what_modules_are_made_of() -> None:
    of_modules = reached(name for name in FILES if name.startswith("modules."))
    packages = {name for name, path in FILES.items() if path.name == "__init__.py"}
    shipped = {name for name in FILES if name.startswith("module_utils.")}
    assert shipped - of_modules - packages - SENT == set()


@pytest.mark.parametrize(
    ("folder", "forbidden"), [("lab", "ansible_collections"), ("plugins", "lab")]
)
def test_the_lab_and_the_product_share_no_code(folder: str, forbidden: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        assert [its for its in imported(path) if its.partition(".")[0] == forbidden] == [], path
