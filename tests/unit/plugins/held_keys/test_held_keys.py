"""What a server that serves no longer has left of keys, and how a hostile account may hide them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils import held_keys
from ansible_collections.closet.inference.plugins.module_utils.held_keys import RemovalResult, run

KEY = "0123456789abcdef0123456789abcdef01234567"
SETTINGS: dict[str, Any] = {
    "version": "1.0",
    "server": {"host": ["127.0.0.1", "10.0.0.5"], "port": 8000},
    "auth": {
        "api_key": KEY,
        "secret_key": KEY,
        "sub_keys": [{"key": KEY, "name": "closet:air"}],
        "skip_api_key_verification": False,
    },
}


@pytest.fixture
def omlx(tmp_path: Path) -> Path:
    folder = tmp_path / ".omlx"
    (folder / "before-upgrade").mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps(SETTINGS))
    for name in ("settings.json.broken-1", ".settings.json.x7", "before-upgrade/settings.json",
                 "before-upgrade/model_settings.json", "mcp.json"):  # fmt: skip
        (folder / name).write_text(KEY)
    (folder / "model_settings.json").write_text("{}")
    (folder / "store").mkdir()
    return folder


def holding(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and KEY in path.read_text(errors="replace")
    )


def test_the_keys_go_and_everything_else_stays(omlx: Path) -> None:
    before = holding(omlx)
    would = run("omlx", omlx, check_mode=True)
    assert holding(omlx) == before
    done = run("omlx", omlx, check_mode=False)
    assert done == would
    assert done.left == ()
    assert "the keys in settings.json" in done.removed
    assert holding(omlx) == []
    assert sorted(path.name for path in omlx.iterdir()) == [
        "model_settings.json",
        "settings.json",
        "store",
    ]
    left = json.loads((omlx / "settings.json").read_text())
    assert left["auth"] == {"skip_api_key_verification": False}
    # without a key it must not be on the LAN when somebody starts it
    assert left["server"] == {"host": ["127.0.0.1"], "port": 8000}
    assert run("omlx", omlx, check_mode=False) == RemovalResult()


def test_of_the_gateway_nothing_stays(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    (gate / "caddy/locks").mkdir(parents=True)
    for name in ("Caddyfile", ".Caddyfile.abc", "admin.sock", "caddy/instance.uuid"):
        (gate / name).write_text(KEY)
    assert run("gateway", gate, check_mode=False).left == ()
    assert not gate.exists()
    assert run("gateway", gate, check_mode=False) == RemovalResult()


def test_what_is_not_ours_keeps_the_folder(tmp_path: Path) -> None:
    (tmp_path / "Caddyfile").write_text(KEY)
    (tmp_path / "Caddyfile.mine").write_text("mine")
    run("gateway", tmp_path, check_mode=False)
    assert [path.name for path in tmp_path.iterdir()] == ["Caddyfile.mine"]


def test_a_link_of_the_account_leads_to_where_the_keys_are(omlx: Path, tmp_path: Path) -> None:
    (omlx / "settings.json").rename(tmp_path / "dotfiles.json")
    (omlx / "settings.json").symlink_to(tmp_path / "dotfiles.json")
    run("omlx", omlx, check_mode=False)
    assert (omlx / "settings.json").is_symlink()
    assert KEY not in (tmp_path / "dotfiles.json").read_text()


@pytest.mark.parametrize("content", ["not JSON " + KEY, "[" * 100_000])
def test_settings_that_nobody_can_read_go(omlx: Path, content: str) -> None:
    (omlx / "settings.json").write_text(content)
    assert "settings.json" in run("omlx", omlx, check_mode=False).removed
    assert not (omlx / "settings.json").exists()


@pytest.mark.timeout(20)
def test_a_pipe_or_a_folder_in_place_of_a_file_holds_nobody_up(omlx: Path) -> None:
    (omlx / "settings.json").unlink()
    os.mkfifo(omlx / "settings.json")
    (omlx / "mcp.json").unlink()
    (omlx / "mcp.json").mkdir()
    done = run("omlx", omlx, check_mode=False)
    assert not (omlx / "settings.json").exists()
    assert done.left == ()
    assert holding(omlx) == []


def test_what_cannot_be_removed_is_said_and_the_rest_goes(
    omlx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(step: held_keys.Step) -> None:
        if step.path.name == "mcp.json":
            raise PermissionError(1, "Operation not permitted")
        real(step)

    real = held_keys._apply
    monkeypatch.setattr(held_keys, "_apply", refuses)
    done = run("omlx", omlx, check_mode=False)
    assert done.left == (f"{omlx}/mcp.json: Operation not permitted",)
    assert holding(omlx) == ["mcp.json"]


def test_settings_that_cannot_be_read_keep_nothing_else_back(
    omlx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link of the account to a file of root, for example."""

    def refuses(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(held_keys, "_settings", refuses)
    done = run("omlx", omlx, check_mode=False)
    assert done.left == (f"{omlx}/settings.json: Permission denied",)
    assert holding(omlx) == ["settings.json"]


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    assert run("omlx", tmp_path / "x", check_mode=False).left == (f"{tmp_path}/x: Not a directory",)
    assert run("omlx", tmp_path / "nowhere", check_mode=False) == RemovalResult()
