# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a repository are fetched, and whether the repository is complete.

choose_files() decides from the list of names, index_warning() from a shard index. weights.py has
the rule which files are the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    FileEntry,
    Manifest,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    JOURNAL_SUFFIX,
    FlawError,
    ModelError,
    ModelWant,
    fold,
)
from ansible_collections.closet.inference.plugins.module_utils.models.weights import (
    is_for_people,
    missing_by_name,
    model_paths,
    weight_paths,
)

INDEX_PATTERN = "*.safetensors.index.json"
LONGEST_NAME = 255  # bytes of one part of a path, on APFS as on most file systems


def choose_files(want: ModelWant, tree: Sequence[FileEntry]) -> tuple[FileEntry, ...]:
    """The files of a repository that are fetched; FlawError if it is unusable."""
    if not tree:
        raise FlawError(f"model {want.title}: the repository has no files.")
    _check_whole(want, [entry.path for entry in tree])
    own = _without_collisions(want, model_paths(entry.path for entry in tree))
    return tuple(entry for entry in tree if entry.path in own)


def _without_collisions(want: ModelWant, paths: Iterable[str]) -> frozenset[str]:
    """Files that can exist together on a Mac's disk; only files for people may be left out."""
    tree, kept = FoldedTree(), set()
    for path in sorted(paths, key=lambda each: (is_for_people(each), each)):
        if is_too_long(path):
            if is_for_people(path):
                continue
            raise FlawError(
                f"model {want.title}: the name {path} is too long for a Mac's disk, which allows "
                f"{LONGEST_NAME - len(JOURNAL_SUFFIX)} bytes for a file ({LONGEST_NAME} minus the "
                f"suffix of a running download) and {LONGEST_NAME} for a folder. Its publisher has "
                "to shorten it."
            )
        other = tree.add(path)
        if other is None:
            kept.add(path)
        elif not is_for_people(path):
            raise FlawError(
                f"model {want.title}: {other} and {path} collide on a Mac's disk, which ignores "
                "case and Unicode composition. The publisher has to rename one of them."
            )
    return frozenset(kept)


def _check_whole(want: ModelWant, paths: Sequence[str]) -> None:
    if not weight_paths(paths):
        gguf = any(path.endswith(".gguf") for path in paths)
        raise FlawError(
            f"model {want.title}: none of the {len(paths)} files that the hub lists is a weight "
            "that omlx or mlx_lm loads (*.safetensors, or *.bin)"
            f"{'; GGUF files are for ollama' if gguf else ''}. Set repo to an MLX conversion of "
            "the model, for example one of mlx-community."
        )
    missing = missing_by_name(paths)
    if missing:
        raise FlawError(
            f"model {want.title}: the repository lacks {missing[0]}"
            f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}, which the names of "
            "its other shards require. Its publisher has to complete it."
        )


def named_shards(index: bytes, index_path: str) -> frozenset[str]:
    """Paths of the shards that a `*.safetensors.index.json` names."""
    try:
        weight_map = json.loads(index)["weight_map"]
        named = {str(shard) for shard in weight_map.values()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(
            f"{index_path} is not a safetensors index: it has no weight_map."
        ) from None
    folder = index_path.rpartition("/")[0]
    prefix = f"{folder}/" if folder else ""
    return frozenset(f"{prefix}{shard}" for shard in named)


def index_warning(want: ModelWant, path: str, index: bytes, paths: Sequence[str]) -> str | None:
    """Compare an index with the files of the repository; FlawError if some of its shards lack.

    Servers load the weights that they find and read no index. An index without any of its shards is
    therefore only a left-over of another quantization, and causes a warning.
    """
    try:
        named = named_shards(index, path)
    except ModelError as unreadable:
        named, foreign = frozenset[str](), str(unreadable)
    else:
        some = f"{len(named)} shards, and none of them is in the repository"
        foreign = f"{path} names {some if named else 'no shard'}."
    lacking = sorted(named.difference(paths))
    if lacking and len(lacking) < len(named):
        raise FlawError(
            f"model {want.title}: {path} names {lacking[0]}"
            f"{f' and {len(lacking) - 1} more' if len(lacking) > 1 else ''}, which the repository "
            "lacks. Its publisher has to complete it."
        )
    if named and not lacking:
        return None
    _check_whole(want, [each for each in paths if each != path])
    return f"model {want.title}: {foreign} The model is served from the weights in the repository."


def is_index(path: str) -> bool:
    return fnmatchcase(path, INDEX_PATTERN)


def stale_files(before: Manifest | None, files: Sequence[FileEntry]) -> tuple[str, ...]:
    """Files that only the previous revision has; mlx-lm would load every shard it finds."""
    if before is None:
        return ()
    wanted = {fold(entry.path) for entry in files}
    return tuple(entry.path for entry in before.files if fold(entry.path) not in wanted)


def is_too_long(path: str) -> bool:
    """Whether the path of a file, or of its journal during the download, exceeds the limit."""
    *folders, _name = pieces = [len(piece.encode()) for piece in path.split("/")]
    return max(folders, default=0) > LONGEST_NAME or pieces[-1] + len(JOURNAL_SUFFIX) > LONGEST_NAME


class FoldedTree:
    """The files of one folder on a Mac, whose disk ignores case and Unicode composition."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, bool, str]] = {}

    def add(self, path: str) -> str | None:
        """Add a file; if it collides with one that was added before, return that one instead.

        It collides with a file of the same folded path, with a file in the place of a folder or the
        reverse, and with a folder of another spelling.
        """
        steps = _steps(path)
        for prefix, is_file in steps:
            spelled, was_file, owner = self._seen.get(fold(prefix), (prefix, is_file, ""))
            if owner and owner != path and (spelled != prefix or was_file or is_file):
                return owner
        for prefix, is_file in steps:
            self._seen.setdefault(fold(prefix), (prefix, is_file, path))
        return None


def _steps(path: str) -> list[tuple[str, bool]]:
    """Each folder above a file, and the file itself: (path, whether it is the file)."""
    parts = path.split("/")
    return [("/".join(parts[:end]), end == len(parts)) for end in range(1, len(parts) + 1)]
