# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a repository are the model that a server loads. Pure: paths only."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase

SHARD = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<kind>\.\w+)")
INDEX_SUFFIX = ".index.json"

# files of the training or of the publisher, in any folder
NEVER_LOADED = (
    ".gitattributes",
    ".gitignore",
    *(f"{name}.{kind}" for name in ("optimizer*", "scheduler*") for kind in ("pt", "pth", "bin")),
    "rng_state*.pth",
    "training_args.bin",
    "*.tfevents.*",
)
# the same model for other programs: whole folders, and kinds of files
OTHER_FOLDERS = ("original", "onnx", "openvino", "coreml", "metal", "checkpoint-*", "*.mlpackage")
OTHER_KINDS = (
    *("h5", "h5.index.json", "msgpack", "msgpack.index.json"),
    *("ot", "onnx", "onnx_data", "tflite", "gguf"),
)
# superfluous beside safetensors; in folders, .pt and .pth may be voices (mlx-audio)
OTHER_WEIGHTS = ("bin", "bin.index.json")
OTHER_AT_THE_TOP = ("pt", "pth", "ckpt")
# Mistral's own format of the same weights; mlx-vlm skips it, mlx_lm loads model*.safetensors
SAME_WEIGHTS = ("consolidated.*", "consolidated-*")
# for people: if two of them have the same name on a Mac's disk, one is skipped
FOR_PEOPLE = (
    *(f"{name}*" for name in ("README", "LICENSE", "LICENCE", "NOTICE", "USE_POLICY")),
    *("*.md", "*.pdf", "*.ipynb", "*.png", "*.jpg", "*.jpeg", "*.gif", "*.svg", "*.webp", "*.mp4"),
)


def is_for_people(path: str) -> bool:
    """Whether a file is a text or a picture that no server reads; case does not matter."""
    name = _name(path)
    return _matches(name.upper(), FOR_PEOPLE) or _matches(name.lower(), FOR_PEOPLE)


def model_paths(paths: Iterable[str]) -> frozenset[str]:
    """The files of the model: they are fetched, and counted on the disk and in memory."""
    own = frozenset(path for path in paths if not _is_foreign(path))
    top = [path for path in own if "/" not in path]
    at_the_top = [path for path in top if _is_safetensors(path)]
    nested = not any(path.endswith(".bin") for path in top) and any(map(_is_safetensors, own))
    if at_the_top or nested:
        own = frozenset(path for path in own if not _is_beside_safetensors(path))
    if any(not _matches(path, SAME_WEIGHTS) for path in at_the_top):
        own = frozenset(path for path in own if not _matches(_name(path), SAME_WEIGHTS))
    return own


def weight_paths(paths: Iterable[str]) -> frozenset[str]:
    """The weights: safetensors at the top, else .bin there, else safetensors in folders.

    This is the order of omlx (model_discovery.py); mlx_lm loads the first kind only.
    """
    own = model_paths(paths)
    top = [path for path in own if "/" not in path]
    for found in (
        [path for path in top if _is_safetensors(path)],
        [path for path in top if path.endswith(".bin")],
        [path for path in own if _is_safetensors(path)],
    ):
        if found:
            return frozenset(found)
    return frozenset()


def _is_foreign(path: str) -> bool:
    *folders, name = path.split("/")
    return (
        any(_matches(folder, OTHER_FOLDERS) for folder in folders)
        or _matches(name, NEVER_LOADED)
        or name.endswith(tuple(f".{kind}" for kind in OTHER_KINDS))
    )


def _is_beside_safetensors(path: str) -> bool:
    kinds = OTHER_WEIGHTS if "/" in path else (*OTHER_WEIGHTS, *OTHER_AT_THE_TOP)
    twice = _matches(_name(path), ("consolidated.*.pth",))
    return twice or path.endswith(tuple(f".{kind}" for kind in kinds))


def _is_safetensors(path: str) -> bool:
    return path.endswith(".safetensors")


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def missing_by_name(paths: Collection[str]) -> tuple[str, ...]:
    """Shards that the names of other shards require (…-00001-of-00003) and `paths` lacks.

    Only without an index, which would list the shards.
    """
    missing: set[str] = set()
    for path in weight_paths(paths):
        shard = SHARD.fullmatch(path)
        if shard is None or f"{shard['stem']}{shard['kind']}{INDEX_SUFFIX}" in paths:
            continue
        named = (
            f"{shard['stem']}-{number:05}-of-{shard['total']}{shard['kind']}"
            for number in range(1, int(shard["total"]) + 1)
        )
        missing.update(name for name in named if name not in paths)
    return tuple(sorted(missing))


def is_whole(paths: Collection[str]) -> bool:
    """Whether a list of files can be a complete model."""
    return bool(weight_paths(paths)) and not missing_by_name(paths)
