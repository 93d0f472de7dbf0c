"""What an owner may add to the job of a server, refused before anything changes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.inventory.values import errors

DICT = {"type": "dict", "default": {}}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("omlx_plist", {"Nise": 5}, "unknown key 'Nise' in omlx_plist; did you mean 'Nice'?"),
        ("omlx_plist", {"Nice": "five"}, "Nice must be"),
        ("gateway_plist", {"UserName": "root"}, "gateway_plist has UserName, which the role sets"),
        ("gateway_plist", ["Nice"], "has to be a mapping"),
        ("mlx_lm_env", {"A B": "c"}, "mlx_lm_env has 'A B'"),
        ("mlx_lm_env", {"A": True}, "mlx_lm_env.A must be text or a number"),
        ("mlx_lm_env", {"A": "b\nc"}, "mlx_lm_env.A must be one line"),
    ],
)
def test_what_cannot_be_meant(name: str, value: Any, words: str) -> None:
    [error] = errors(name, DICT, value)
    assert words in error


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("omlx_plist", {}),
        ("omlx_plist", {"Nice": 5, "ExitTimeOut": 90, "SoftResourceLimits": {"NumberOfFiles": 9}}),
        ("ollama_env", {"OLLAMA_FLASH_ATTENTION": "1", "OLLAMA_MAX_QUEUE": 64}),
    ],
)
def test_what_an_owner_adds(name: str, value: Any) -> None:
    assert list(errors(name, DICT, value)) == []
