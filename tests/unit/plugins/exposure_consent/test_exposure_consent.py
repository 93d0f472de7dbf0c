"""What of a command line counts as a confirmation."""

from __future__ import annotations

import pytest

from ansible_collections.closet.inference.plugins.action.exposure_consent import on_command_line


@pytest.mark.parametrize(
    ("extra_vars", "given"),
    [
        ((), None),
        (("scope=lan",), None),
        (("scope=lan", "confirm=attic"), "attic"),
        (("scope=lan confirm=attic",), "attic"),
        (('{"confirm": "attic"}',), "attic"),
        (("{confirm: attic}",), "attic"),
        (("confirm=attic", "confirm=air"), "air"),
        (("@given.yml",), None),
        (("@confirm=attic",), None),
        (("[1]",), None),
        (("",), None),
        # a template is a text here, and no host has such a name
        (("confirm={{inventory_hostname}}",), "{{inventory_hostname}}"),
    ],
)
def test_on_command_line(extra_vars: tuple[str, ...], given: str | None) -> None:
    assert on_command_line("confirm", extra_vars) == given
