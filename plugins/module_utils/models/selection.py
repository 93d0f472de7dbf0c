# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a repository are fetched, and whether it is whole."""

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
    """The files of a repository that a server reads."""
    if not tree:
        raise FlawError(f"model {want.title}: the repository holds no files.")
    _check_whole(want, [entry.path for entry in tree])
    own = _without_twins(want, model_paths(entry.path for entry in tree))
    return tuple(entry for entry in tree if entry.path in own)


def _without_twins(want: ModelWant, paths: Iterable[str]) -> frozenset[str]:
    """What fits together on a Mac's disk; files that a server reads go first, and may not clash."""
    tree, kept = FoldedTree(), set()
    for path in sorted(paths, key=lambda each: (is_for_people(each), each)):
        if is_too_long(path):
            if is_for_people(path):
                continue
            raise FlawError(
                f"model {want.title}: {path} has a longer name than a Mac's disk takes: "
                f"{LONGEST_NAME - len(JOURNAL_SUFFIX)} bytes for a file ({LONGEST_NAME} less what "
                f"a running download adds), {LONGEST_NAME} for a folder. Whoever published it has "
                "to shorten it."
            )
        twin = tree.add(path)
        if twin is None:
            kept.add(path)
        elif not is_for_people(path):
            raise FlawError(
                f"model {want.title}: {twin} and {path} differ only in case or Unicode composition "
                "where one of them needs a name for itself, and a Mac's disk keeps one of them. "
                "Whoever published it has to rename one."
            )
    return frozenset(kept)


def _check_whole(want: ModelWant, paths: Sequence[str]) -> None:
    if not weight_paths(paths):
        gguf = any(path.endswith(".gguf") for path in paths)
        raise FlawError(
            f"model {want.title}: none of the {len(paths)} files that the hub lists is a weight "
            "that omlx or mlx_lm loads (*.safetensors, or *.bin)"
            f"{'; GGUF files are for ollama' if gguf else ''}. Set repo to an MLX conversion of "
            "it, for example one of mlx-community."
        )
    missing = missing_by_name(paths)
    if missing:
        raise FlawError(
            f"model {want.title}: the repository does not hold {missing[0]}"
            f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}, which the names of "
            "its other shards promise; whoever published it has to complete it."
        )


def named_shards(index: bytes, index_path: str) -> frozenset[str]:
    """Paths of the shards that a `*.safetensors.index.json` names."""
    try:
        weight_map = json.loads(index)["weight_map"]
        named = {str(shard) for shard in weight_map.values()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{index_path} is not a safetensors index: no weight_map in it.") from None
    folder = index_path.rpartition("/")[0]
    prefix = f"{folder}/" if folder else ""
    return frozenset(f"{prefix}{shard}" for shard in named)


def index_warning(want: ModelWant, path: str, index: bytes, paths: Sequence[str]) -> str | None:
    """Hold an index against the files that are there; FlawError when some of its shards lack.

    Servers load the weights that they find and read no index. So one that names no file at all is
    of another quantization, left behind by whoever published this one, and worth a warning only.
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
            "does not hold; whoever published it has to complete it."
        )
    if named and not lacking:
        return None
    _check_whole(want, [each for each in paths if each != path])
    return f"model {want.title}: {foreign} It is served from the weights that are there."


def is_index(path: str) -> bool:
    return fnmatchcase(path, INDEX_PATTERN)


def stale_files(before: Manifest | None, files: Sequence[FileEntry]) -> tuple[str, ...]:
    """Files that only the previous revision had. mlx-lm loads every shard it finds."""
    if before is None:
        return ()
    wanted = {fold(entry.path) for entry in files}
    return tuple(entry.path for entry in before.files if fold(entry.path) not in wanted)


def is_too_long(path: str) -> bool:
    """Whether a file of that path, or what lies beside it while it is fetched, has no name."""
    *folders, _name = pieces = [len(piece.encode()) for piece in path.split("/")]
    return max(folders, default=0) > LONGEST_NAME or pieces[-1] + len(JOURNAL_SUFFIX) > LONGEST_NAME


class FoldedTree:
    """The files that stand together in one folder of a Mac."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, bool, str]] = {}

    def add(self, path: str) -> str | None:
        """Put a file in, or leave it out and tell the file that is in its way.

        In the way is a file of the same folded path, a file where a folder is needed or the other
        way round, and a folder that is spelled in another way.
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
    """Each folder on the way to a file, and the file: (path so far, whether it is the file)."""
    parts = path.split("/")
    return [("/".join(parts[:end]), end == len(parts)) for end in range(1, len(parts) + 1)]
