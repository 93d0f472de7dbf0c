"""A person's own opencode configuration is read, and told where it meets the closet's."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.module_utils.opencode.conflicts import (
    Closet,
    sentence,
)
from ansible_collections.closet.inference.plugins.module_utils.opencode.files import (
    MARK,
    NotOursError,
    conflicts,
)

CLOSET = Closet(
    ("qwen3-coder-next", "qwen3.6-35b"),
    {"bash": {"git push*": "ask"}, "webfetch": "deny"},
    ("build", "plan"),
)
HELD = "in build, plan, explore and general alone"
LEFT = "x.jsonc is yours and was left alone: "
LOSES = "no effect, since the closet's lock wins"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", None),
        ("// nothing\n", None),
        ('{"theme": "x", "agent": {"review": {"model": "closet/qwen3.6-35b"}}, /* y */ }', None),
        ('{"permission": {"edit": "ask"}, "instructions": ["~/a.md"]}', None),
        ('{"share": "auto"}', f"{LEFT}share has {LOSES}."),
        (
            '{"provider": {"openai": {"options": {"apiKey": "sk-mine"}}}, "autoupdate": true}',
            f"{LEFT}autoupdate and provider.openai have {LOSES}.",
        ),
        (
            '{"provider": {"closet": {"options": {"baseURL": "http://x", "headers": {}},'
            ' "models": {"m": {}}}}}',
            f"{LEFT}provider.closet.options.baseURL and provider.closet.models.m have {LOSES}.",
        ),
        ('{"permission": {"bash": "allow"}}', f"{LEFT}permission.bash has {LOSES}."),
        (
            '{"permission": {"bash": {"git push*": "allow", "rm*": "deny"}, "webfetch": "allow"}}',
            f"{LEFT}permission.bash['git push*'] and permission.webfetch have {LOSES}.",
        ),
        ('{"permission": {"bash": {"rm*": "deny"}}}', None),
        (
            '{"permission": {"*": "allow", "webfetch": "allow"}}',
            f"{LEFT}permission.webfetch has {LOSES}.",
        ),
        (
            '{"permission": {"webfetch": "allow", "bash": "ask", "*": "allow"}}',
            f"{LEFT}permission.webfetch and permission.bash have {LOSES}; permission['*'] after "
            "webfetch and bash counts in agents that you name yourself: the lock holds webfetch "
            f"and bash {HELD}.",
        ),
        ('{"permission": "allow"}', None),
        (
            '{"tools": {"webfetch": true, "edit": false}}',
            f"{LEFT}tools.webfetch has {LOSES}.",
        ),
        (
            '{"agent": {"build": {"permission": {"webfetch": "allow", "*": "allow"}}}}',
            f"{LEFT}agent.build.permission.webfetch has {LOSES}.",
        ),
        (
            '{"agent": {"mine": {"permission": {"web*": "allow"}}}}',
            f"{LEFT}agent.mine.permission decides webfetch for that agent: the lock holds it "
            f"{HELD}.",
        ),
        (
            '{"mode": {"general": {"tools": {"*": true}}, "plan": {"permission": "allow"}}}',
            f"{LEFT}mode.general.tools decides bash and webfetch for that agent: the lock holds it "
            f"{HELD}.",
        ),
        (
            '{"small_model": "openai/gpt-5-nano"}',
            f"{LEFT}small_model names what the closet does not serve, so what uses it fails.",
        ),
        (
            '{"agent": {"build": {"model": "closet/qwen3.6-35b"}}}',
            f"{LEFT}agent.build.model wins over the inventory's.",
        ),
        (
            '{"model": "closet/qwen3.6-35b", "agent": {"build": {"model": "closet/gone"}}}',
            f"{LEFT}agent.build.model names what the closet does not serve, so what uses it fails; "
            "model does not count for the agents build and plan, which have models of their own: "
            "set agent.build.model instead.",
        ),
        (
            '{\n  "share": auto\n}',
            "x.jsonc cannot be read (line 2 is not JSON: a value is missing), so opencode does not "
            "start there: mend it. Nothing was changed in it.",
        ),
        ("[]", "x.jsonc is not an object, so opencode does not start there: mend it."),
        ('{"provider": [], "agent": "x", "model": 3}', None),
    ],
)
def test_a_file_is_told_in_one_sentence(text: str, told: str | None) -> None:
    assert sentence("x.jsonc", text, CLOSET) == told


def test_every_file_that_opencode_reads_is_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / ".config/opencode"
    folder.mkdir(parents=True)
    (tmp_path / ".opencode").mkdir()
    (folder / "config.json").write_text(f'{MARK}\n{{"share": "x"}}\n')
    files = [
        folder / "opencode.json",
        folder / "opencode.jsonc",
        tmp_path / ".opencode/opencode.json",
        tmp_path / ".opencode/opencode.jsonc",
    ]
    for file in files:
        file.write_text('{"share": "auto"}')
    assert list(conflicts(str(tmp_path), CLOSET)) == [str(file) for file in files]


def test_nothing_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert conflicts(str(tmp_path), CLOSET) == {}
    (tmp_path / ".config/opencode").mkdir(parents=True)
    (tmp_path / ".config/opencode/config.json").write_text("")
    assert conflicts(str(tmp_path), CLOSET) == {}


def test_settings_of_theirs_in_our_file_are_not_overwritten(tmp_path: Path) -> None:
    ours = tmp_path / ".config/opencode/config.json"
    ours.parent.mkdir(parents=True)
    ours.write_text('{"theme": "mine", "provider": {"x": {"options": {"apiKey": "sk-mine"}}}}')
    with pytest.raises(NotOursError) as caught:
        conflicts(str(tmp_path), CLOSET)
    mine = pwd.getpwuid(os.geteuid()).pw_name
    move = f"mv -n {ours} {ours.with_name('opencode.json')}"
    assert f"as {mine}, run '{move}'" in str(caught.value)
    assert "sk-mine" not in str(caught.value)
