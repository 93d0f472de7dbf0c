"""Standard terms and plain English; docs/glossary.md has the terms, CONTRIBUTING.md the rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit import documents

ROOT = Path(__file__).parents[2]
TEXT = (".md", ".yml", ".j2", ".sh", ".py")
#: a word or phrase, and what to write instead
FORBIDDEN = {
    r"(some|no|any)body": "name the person, account or host",
    r"everybody": "every account, every client",
    r"shall": "must, or the plain verb",
    r"whom": "name the person or account",
    r"what (serves|is served)": "the server, the backend",
    r"(that|who|which) (is|are) none": "invalid, unknown, not a …",
    r"(the|a) (whole )?house": "the inventory, the home LAN",
    r"to be had": "available",
    r"(the|a|first) looks?": "the probe, the host facts",
    r"look(s|ed)? at": "check, probe, read, inspect",
    r"(the|an) offers?": "the serving configuration",
    r"lineup|catalogue": "the catalog",
    r"farewells?": "the stop order",
    r"ladders?|rungs?": "the health checks",
    r"shelf|shelves": "the installed releases",
    r"strangers?|twins": "unmanaged, duplicate",
    r"wish(es)?": "the exposure request",
    r"knock(s|ed|ing)?": "probe or check the port, connect",
}
#: the first word of a task's name
VERBS = """
    Acquire Allow Apply Ask Build Check Configure Create Delete Discard Expose Fail Gather Generate
    Install Join Keep List Load Log Manage Provision Prune Pull Read Record Reload Remove Replace
    Report Restart Restore Run Serve Set Share Show Start Stop Switch Update Upgrade Wait Withdraw
    Write
"""


def ours(pattern: str) -> Iterator[Path]:
    for path in sorted(ROOT.glob(pattern)):
        if path.is_file() and path.suffix in TEXT:
            yield path


PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "site.yml",
    *ours("docs/*.md"),
    *ours("inventories/example/**/*"),
    *ours("playbooks/**/*"),
    *ours("roles/**/*"),
    *ours("plugins/**/*"),
]
PLAYS = [
    path
    for path in PAGES
    if re.search(
        r"^(site|playbooks/.*|roles/[a-z_]+/tasks/.*)\.yml$", path.relative_to(ROOT).as_posix()
    )
]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(path: Path) -> str:
    """The text of a file; of a page without its code, which quotes messages of programs."""
    text = path.read_text()
    if path.suffix != ".md":
        return text
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`", "", text)


def findings(text: str) -> list[str]:
    found = []
    for pattern, instead in FORBIDDEN.items():
        words = pattern.replace(" ", r"[\s#]+")
        for hit in re.finditer(rf"(?<![\w.])({words})(?![\w(])", text, re.IGNORECASE):
            found.append(f"'{hit[0]}': {instead}")
    return found


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_text_has_standard_terms(path: Path) -> None:
    assert findings(prose(path)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nobody is asked", 1),
        ("end what\n# serves first", 1),
        ("Look at every Mac", 1),
        ("closet_serving.backend, look_up(), lookup('file')", 0),
        ("the server, the host facts, the catalog", 0),
    ],
)
def test_what_is_found(text: str, found: int) -> None:
    assert len(findings(text)) == found


def tasks(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Plays and tasks, and those inside them."""
    for entry in entries:
        yield entry
        for part in ("pre_tasks", "tasks", "post_tasks", "block", "rescue", "always"):
            yield from tasks(entry.get(part) or [])


@pytest.mark.parametrize("path", PLAYS, ids=name_of)
def test_the_name_of_a_task_is_a_verb_and_its_object(path: Path) -> None:
    included = path.parent.name == "tasks" and path.name != "main.yml"
    for entry in tasks(documents.read(path) or []):
        name = entry.get("name", "")
        if included and "hosts" not in entry:
            start, _, name = name.partition(" | ")
            assert start == path.stem, f"'{start}' is not the name of the file"
        verb, _, rest = name.partition(" ")
        assert verb in VERBS.split(), f"'{name}' does not begin with one of the verbs of this test"
        assert rest, f"'{name}' has no object"


def test_the_glossary_has_at_most_25_terms() -> None:
    lines = (ROOT / "docs/glossary.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ")][1:]
    assert 15 < len(rows) <= 25
    assert all(line.count("|") == 4 for line in rows), "term, meaning, where it lives"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 250
