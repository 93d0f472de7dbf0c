"""Where the lab keeps what it fetched or built: outside the checkout, shared by all clones."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class PartsError(Exception):
    """A part could not be had; the text says what was tried, what happened and what to do."""


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """The cache folder of this project, per the XDG base directory specification."""
    base = environ.get("XDG_CACHE_HOME") or str(
        Path(environ.get("HOME", "~")).expanduser() / ".cache"
    )
    return Path(base) / "closet.inference"


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Hold `folder/.<name>.lock`, so that two runs at once fetch or build each thing once."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.lock").open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty when there is none or it is damaged (then: fetch again)."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace `path` by `content` in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)
