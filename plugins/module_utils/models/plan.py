# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to happen, from what is wanted and what is there. Pure: no disk, no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    FileEntry,
    Manifest,
    named_shards,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    JOURNAL_SUFFIX,
    LONGEST_NAME,
    FlawError,
    FoldedTree,
    ModelError,
    ModelWant,
    fold,
    is_commit,
    is_too_long,
)
from ansible_collections.closet.inference.plugins.module_utils.models.weights import (
    is_for_people,
    missing_by_name,
    model_paths,
    weight_paths,
)

INDEX_PATTERN = "*.safetensors.index.json"
GB = 1000**3


@dataclass(frozen=True)
class ModelState:
    """What the store holds of one repository; `broken` are manifest files that failed the check."""

    manifest: Manifest | None
    broken: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return self.manifest is not None and not self.broken


class Step(Enum):
    """How the commit of a model is found."""

    KEEP = "keep"
    REPAIR = "repair"
    ASK = "ask"


class Have(Enum):
    """What is on the disk under one file's name."""

    GOOD = "good"
    STAGED = "staged"
    PARTIAL = "partial"
    NOTHING = "nothing"


@dataclass(frozen=True)
class FileState:
    entry: FileEntry
    have: Have
    claimed: int = 0

    @property
    def missing(self) -> int:
        return 0 if self.have in {Have.GOOD, Have.STAGED} else self.entry.size - self.claimed


@dataclass(frozen=True)
class ModelPlan:
    """One model. `files` is None when the hub could not be asked (check mode only)."""

    want: ModelWant
    revision: str
    before: Manifest | None
    files: tuple[FileState, ...] | None
    stale: tuple[str, ...] = ()
    leftovers: tuple[tuple[str, int], ...] = ()
    record: bool = False

    @property
    def fetch(self) -> tuple[FileState, ...]:
        return tuple(file for file in self.files or () if file.have is not Have.GOOD)

    @property
    def incomplete(self) -> bool:
        """Files are missing or superfluous, or nothing vouches for them yet."""
        same = self.before is not None and self.before.revision == self.revision
        return self.files is None or bool(self.fetch) or bool(self.stale) or not same

    @property
    def changes(self) -> bool:
        return self.incomplete or self.record or bool(self.leftovers)

    @property
    def size(self) -> int | None:
        return None if self.files is None else sum(file.entry.size for file in self.files)

    @property
    def missing(self) -> int | None:
        return None if self.files is None else sum(file.missing for file in self.files)

    @property
    def state(self) -> str:
        if not self.incomplete:
            return "present"
        same = self.before is not None and self.before.revision == self.revision
        return "repaired" if same else "pulled"

    def manifest(self) -> Manifest:
        entries = tuple(file.entry for file in self.files or ())
        return Manifest(self.want.repo, self.want.revision, self.revision, entries)


def next_step(want: ModelWant, have: ModelState, follow: bool) -> Step:
    """A known commit needs no hub to be asked what it is; a branch only when followed."""
    manifest = have.manifest
    if manifest is None:
        return Step.ASK
    settled = manifest.revision == want.revision or (
        manifest.requested == want.revision and not follow
    )
    if not settled:
        return Step.ASK
    return Step.REPAIR if have.broken else Step.KEEP


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


def check_space(plans: Sequence[ModelPlan], free: int, reserve: int, store: str) -> None:
    """Refuse before the first byte what would not fit; all models together."""
    missing = sum(plan.missing or 0 for plan in plans)
    reclaimed = sum(size for plan in plans for _name, size in plan.leftovers)
    if missing == 0 or missing + reserve <= free + reclaimed:
        return
    parts = [f"{plan.want.title} {in_gb(plan.missing or 0)}" for plan in plans if plan.missing]
    raise ModelError(
        f"the models do not fit on the disk of {store}: {', '.join(parts)} are still to come, "
        f"together {in_gb(missing)}; {in_gb(free + reclaimed)} are free, of which "
        f"{in_gb(reserve)} stay in reserve. Free {in_gb(missing + reserve - free - reclaimed)}, "
        "or list fewer models."
    )


def in_gb(size: int) -> str:
    return f"{size / GB:.2f} GB" if size >= GB / 100 else f"{size / 1000**2:.2f} MB"


def needs_no_record(want: ModelWant, manifest: Manifest) -> bool:
    """A manifest that already answers for this request, so that next time nobody is asked."""
    return manifest.requested == want.revision or is_commit(want.revision)
