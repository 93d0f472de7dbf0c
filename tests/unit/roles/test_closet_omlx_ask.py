"""closet_omlx_ask.py against packages in the shape of omlx's: its settings, kernels and name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ASK = Path(__file__).parents[3] / "roles/omlx/files/closet_omlx_ask.py"
SETTINGS = """\
from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from nowhere import Scheduler

@dataclass
class ServerSettings:
    host: str = "127.0.0.1"
    port: int = 8000
    tier: Literal["safe", "balanced"] = "safe"
    cors_origins: list[str] = field(default_factory=list)
    idle: int | None = None
    size: int | float = 0
    odd: int | str = 0
    extra: dict[str, Any] = field(default_factory=dict)

    def to_dict(self):
        return {**asdict(self), "written_as": 1}

@dataclass
class CacheSettings:
    enabled: bool = True
    scheduler: Scheduler | None = None

@dataclass
class GlobalSettings:
    base_path: Path = Path("/nowhere")
    server: ServerSettings = field(default_factory=ServerSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
"""
MODEL = """\
from dataclasses import dataclass
from typing import Any, Dict, Optional

@dataclass
class ModelSettings:
    is_pinned: bool = False
    turboquant_kv_bits: float = 4
    mtp_fixed_depth: Optional[int] = None
    chat_template_kwargs: Optional[Dict[str, Any]] = None
    forced_ct_kwargs: Optional[list[str]] = None
"""
KERNELS = """\
def native_kernel_status():
    return {status}
"""


def package(folder: Path, name: str = "omlx", kernels: str | None = None) -> Path:
    """An installed omlx; `kernels` is what native_kernel_status returns, None has none."""
    home = folder / "omlx"
    (home / "custom_kernels").mkdir(parents=True)
    (home / "__init__.py").write_text('print("a word of its own")\n')
    (home / "settings.py").write_text(SETTINGS)
    (home / "model_settings.py").write_text(MODEL)
    told = KERNELS.format(status=kernels) if kernels else ""
    (home / "custom_kernels/__init__.py").write_text(told)
    info = folder / f"{name.replace('-', '_')}-0.7.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.7.0\n")
    (info / "top_level.txt").write_text("omlx\n")
    return folder


def answer(folder: Path) -> Any:
    """What it says, asked as python_environment asks, but for the folder of the package."""
    program = f"import sys; sys.path.insert(0, {str(folder)!r})\n{ASK.read_text()}"
    # the docstring and the __future__ import have to stand first
    program = program.replace("from __future__ import annotations\n", "", 1)
    done = subprocess.run(
        [sys.executable, "-I", "-"],
        input=program, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_keys_with_their_kinds(tmp_path: Path) -> None:
    told = answer(package(tmp_path))
    assert told["program"] == "omlx 0.7.0"
    assert told["settings"] == {
        "server": {
            "host": "text",
            "port": "whole",
            "tier": "text",
            "cors_origins": "texts",
            "idle": "whole",
            "size": "number",
            "odd": "any",
            "extra": "mapping",
            "written_as": "any",
        },
        # a type that nobody can name costs the kinds of its section
        "cache": {"enabled": "any", "scheduler": "any"},
    }
    assert told["model"] == {
        "is_pinned": "flag",
        "turboquant_kv_bits": "number",
        "mtp_fixed_depth": "whole",
        "chat_template_kwargs": "mapping",
        "forced_ct_kwargs": "texts",
    }


def test_a_fork_goes_by_its_own_name(tmp_path: Path) -> None:
    assert answer(package(tmp_path, name="flyto-mlx"))["program"] == "flyto-mlx 0.7.0"


def test_an_omlx_that_does_not_tell_of_kernels_is_not_blamed(tmp_path: Path) -> None:
    told = answer(package(tmp_path))
    assert (told["kernels"], told["warnings"]) == (None, [])


@pytest.mark.parametrize(
    ("status", "kernels", "words"),
    [
        ({"bonsai": {"available": True, "import_error": None}}, {"bonsai": ""}, []),
        (
            {
                "glm_moe_dsa": {"available": False, "import_error": "No module named '_ext'"},
                "bonsai": {"available": True, "import_error": None},
                "minimax_m3": {"available": False, "import_error": None},
            },
            {
                "glm_moe_dsa": "No module named '_ext'",
                "bonsai": "",
                "minimax_m3": "it was not built",
            },
            [
                "omlx 0.7.0 has no native kernels for glm_moe_dsa, minimax_m3",
                "run much slower",
                "glm_moe_dsa: No module named '_ext'; minimax_m3: it was not built",
            ],
        ),
    ],
)
def test_missing_kernels_are_said(
    tmp_path: Path, status: dict[str, Any], kernels: dict[str, str], words: list[str]
) -> None:
    told = answer(package(tmp_path, kernels=repr(status)))
    assert told["kernels"] == kernels
    assert len(told["warnings"]) == bool(words)
    for word in words:
        assert word in told["warnings"][0]
