# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that messages suggest: made in one place, and each of them run by a test.

What a person runs on the controller. Commands for a host itself (`sudo …`, `rm …`) are made beside
their messages; test_host_advice.py has these.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit import documents

ROOT = Path(__file__).parents[2]
SOURCES = tuple(
    f"plugins/{part}"
    for part in ("action", "filter", "lookup", "module_utils", "plugin_utils", "modules")
)
# A command, or the order to run a playbook; `-e` is fine as an addition to the run that says it.
SUGGESTS = re.compile(
    r"ansible-playbook [^w]|\bansible [a-z{-]\S* -|playbooks/[a-z_{]+\.yml"
    r"|\b(?:[Rr]un|after) (?:the )?(?:playbook )?[a-z]+\.yml"
    r"|(?<!with )(?<!With )(?<!set )-e [a-z_]+="
)
# Written by hand all the same: the place, a part of the text, and why.
BY_HAND = {
    ("roles/client_env/files/closet.sh", "run site.yml for this laptop"): "on the laptop, which "
    "does not know the controller; whoever looks after it does",
    ("plugins/plugin_utils/tailnet/policy.py", "// Managed by"): "a mark, by which we know "
    "our own file again",
    ("roles/client_env/files/closet.sh", "Run site.yml for this laptop"): "the same",
}


@functools.cache
def texts(path: Path) -> tuple[str, ...]:
    """Every text of a file that could be printed; of Python neither docstrings nor comments."""
    return tuple(_texts(path))


def _texts(path: Path) -> Iterator[str]:
    if path.suffix == ".py":
        tree = ast.parse(path.read_text())
        quiet = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Name)
                and target.id in ("DOCUMENTATION", "EXAMPLES", "RETURN")
                for target in node.targets
            ):
                quiet |= {id(one) for one in ast.walk(node)}
        for node in ast.walk(tree):
            if id(node) in quiet:
                continue
            if isinstance(node, ast.JoinedStr):
                quiet |= {id(one) for one in ast.walk(node)}
                yield "".join(
                    str(one.value) if isinstance(one, ast.Constant) else "{x}"
                    for one in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    elif path.suffix == ".yml":
        yield from scalars(documents.read(path))
    else:
        yield from (line for line in path.read_text().splitlines() if not line.startswith("#"))


def scalars(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            if key not in ("description", "import_playbook", "ansible.builtin.import_playbook"):
                yield from scalars(one)
    elif isinstance(value, list):
        for one in value:
            yield from scalars(one)


def files() -> Iterator[Path]:
    for folder in SOURCES:
        yield from sorted((ROOT / folder).rglob("*.py"))
    yield from sorted((ROOT / "playbooks").rglob("*.yml"))
    for folder in ("tasks", "vars", "defaults", "templates", "files"):
        yield from (
            path
            for path in sorted(ROOT.glob(f"roles/*/{folder}/**/*"))
            if path.is_file() and path.suffix not in (".txt", ".in")
        )


def test_every_suggested_command_is_made_by_the_one_function() -> None:
    found = []
    for path in files():
        name = str(path.relative_to(ROOT))
        for text in texts(path):
            known = any(name == place and part in text for place, part in BY_HAND)
            if SUGGESTS.search(text) and not known:
                found.append(f"{name}: {text.strip()[:120]}")
    assert found == []


@pytest.mark.parametrize(
    ("text", "suggests"),
    [
        ("run ansible-playbook playbooks/expose.yml -e scope=lan", True),
        ("Provision it first: ansible-playbook site.yml", True),
        ("then run site.yml with the old pin", True),
        ("choose again with playbooks/profile.yml", True),
        ("ansible attic -m ping", True),
        ("add -e confirm=attic to the command", True),
        ("run this again with -e replace=true", False),
        ("the next run of site.yml sets ours again", False),
        ("the process of ansible-playbook which is gone", False),
        ("run `{x}` first", False),
    ],
)
def test_what_counts_as_a_suggestion(text: str, suggests: bool) -> None:
    assert bool(SUGGESTS.search(text)) == suggests


EXPOSURE = "tests/lab/test_exposure.py::"
SITE = "tests/lab/test_site.py::"
BACKENDS = "tests/lab/test_backends.py::"
# Where each suggestion is run from the state that gave it.
TRIED = {
    # a closet that was renamed: both commands of the refusal, in both orders
    (
        "plugins/action/host_facts.py",
        "expose",
    ): f"{EXPOSURE}test_a_closet_that_was_renamed_gets_out",
    (
        "plugins/action/host_facts.py",
        "choose",
    ): f"{EXPOSURE}test_a_closet_that_was_renamed_gets_out",
    ("plugins/action/exposure_consent.py", "expose"): (
        f"{EXPOSURE}test_the_command_that_needs_no_terminal_is_one"
    ),
    ("plugins/plugin_utils/inventory/checks.py", "playbook"): (
        f"{EXPOSURE}test_a_closet_that_was_renamed_gets_out"
    ),
    ("plugins/plugin_utils/inventory/profiles.py", "choose"): (
        f"{EXPOSURE}test_a_choice_that_cannot_be_read_is_made_again_or_removed"
    ),
    ("plugins/filter/preflight.py", "playbook"): (
        "tests/unit/plugins/inventory/test_parts_of_a_run.py::test_the_two_commands_begin_at_the_beginning"
    ),
    ("plugins/lookup/api_keys.py", "playbook"): (
        f"{EXPOSURE}test_the_name_typed_at_the_terminal_is_recorded_by_root"
    ),
    ("plugins/action/run_lock.py", "ad_hoc"): (
        "tests/lab/test_locks.py::test_a_lock_that_others_may_write_is_not_taken_and_its_rights_are_shown"
    ),
    ("plugins/plugin_utils/secrets/private_plan.py", "playbook"): (
        f"{EXPOSURE}test_keys_that_others_could_read_are_replaced_as_advised_while_omlx_goes_on"
    ),
    ("playbooks/models.yml", "models"): (
        f"{SITE}test_a_model_that_is_removed_leaves_no_link_and_comes_back"
    ),
    ("roles/closet/vars/main/closet.yml", "expose"): (
        f"{EXPOSURE}test_taking_it_back_closes_the_port_for_good"
    ),
    ("playbooks/expose.yml", "expose"): (
        f"{EXPOSURE}test_the_name_typed_at_the_terminal_is_recorded_by_root"
    ),
    ("playbooks/expose.yml", "site"): (
        f"{EXPOSURE}test_the_name_typed_at_the_terminal_is_recorded_by_root"
    ),
    ("playbooks/expose.yml", "ad_hoc"): (
        f"{EXPOSURE}test_a_laptop_that_cannot_get_there_is_told_where_to_look"
    ),
    ("roles/omlx/tasks/serve.yml", "expose"): (
        f"{EXPOSURE}test_a_consent_that_goes_during_a_run_is_missed_and_given_again"
    ),
    ("playbooks/tasks/rollback.yml", "profile"): (
        f"{BACKENDS}test_a_backend_that_never_answers_is_taken_back"
    ),
    ("roles/opencode/vars/main.yml", "site"): (
        "tests/lab/test_clients.py::test_a_run_is_not_green_when_opencode_refuses_what_it_reads"
    ),
    ("playbooks/models.yml", "site"): (
        "tests/lab/test_models.py::test_a_closet_that_has_no_program_to_pull_with_gets_one_as_advised"
    ),
    ("playbooks/clients.yml", "ad_hoc"): (
        "tests/lab/test_clients.py::test_a_laptop_that_gets_no_answer_leads_to_what_launchd_says_on_the_closet"
    ),
    ("playbooks/tailnet.yml", "site"): (
        "tests/lab/test_tailnet.py::"
        "test_a_policy_that_no_machine_can_test_yet_leads_to_the_first_run_and_has_its_tests_then"
    ),
    ("playbooks/upgrade.yml", "site"): (
        f"{BACKENDS}test_what_upgrade_could_not_take_back_is_refused_and_comes_in_two_steps_as_advised"
    ),
    ("playbooks/tasks/rollback.yml", "site"): (
        f"{BACKENDS}test_an_inventory_edit_that_was_taken_back_is_mended_and_run_as_advised"
    ),
    ("playbooks/tasks/upgrade_rollback.yml", "site"): (
        f"{BACKENDS}test_an_upgrade_without_a_way_back_leads_to_the_log_and_to_the_old_pin"
    ),
    ("roles/models/defaults/main.yml", "models"): (
        f"{SITE}test_what_site_would_remove_goes_with_the_command_that_it_prints"
    ),
}
MADE = re.compile(r"(?:run|invocation\(\))\.(playbook|expose|choose|ad_hoc)\b")
IN_YAML = re.compile(r"'([a-z]+)' \| closet\.inference\.playbook_command|(ad_hoc)_command")


def made() -> set[tuple[str, str]]:
    """The places that make a command, and which."""
    found = set()
    for path in files():
        name, text = str(path.relative_to(ROOT)), path.read_text()
        if name == "plugins/filter/commands.py":
            continue  # the way from YAML to the function
        pattern = MADE if path.suffix == ".py" else IN_YAML
        for match in pattern.finditer(text):
            found.add((name, next(group for group in match.groups() if group)))
    return found


def test_each_suggestion_has_a_test() -> None:
    assert made() == set(TRIED)


@pytest.mark.parametrize("place", TRIED, ids=str)
def test_the_test_of_a_suggestion_is_there(place: tuple[str, str]) -> None:
    file, _, name = TRIED[place].partition("::")
    assert f"\ndef {name}(" in (ROOT / file).read_text()
