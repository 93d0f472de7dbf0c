# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder that omlx serves: one link into the store for each model."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.files import sync_folder
from ansible_collections.closet.inference.plugins.module_utils.models.disk import step
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    ModelError,
    ModelWant,
)

TEMPORARY_PREFIX = ".closet-link."


@dataclass(frozen=True)
class Served:
    """The content of the served folder: our links (name to repository), and unmanaged entries.

    `foreign_models` are the ids that omlx gives to models one folder deeper (its own downloads are
    in owner/name), each with its path.
    """

    links: Mapping[str, str]
    foreign: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    foreign_models: tuple[tuple[str, str], ...] = ()
    foreign_links: tuple[Path, ...] = ()


@dataclass(frozen=True)
class LinkPlan:
    make: tuple[tuple[str, str], ...]
    remove: tuple[str, ...]

    @property
    def changes(self) -> bool:
        return bool(self.make or self.remove)


def observe_links(serve_dir: Path, store: Path) -> Served:
    links: dict[str, str] = {}
    foreign: list[str] = []
    orphans: list[str] = []
    try:
        entries = sorted(serve_dir.iterdir())
    except FileNotFoundError:
        return Served({})
    except NotADirectoryError:
        raise ModelError(
            f"{serve_dir} is not a folder; links to the models are created in one."
        ) from None
    for entry in entries:
        if entry.name.startswith(TEMPORARY_PREFIX):
            orphans.append(entry.name)
        elif not entry.name.startswith("."):
            repo = linked_repo(entry, store)
            if repo is None:
                foreign.append(entry.name)
            else:
                links[entry.name] = repo
    return Served(
        links,
        tuple(foreign),
        tuple(orphans),
        tuple(found for name in foreign for found in _models_below(serve_dir / name)),
        tuple(serve_dir / name for name in foreign if (serve_dir / name).is_symlink()),
    )


def _models_below(folder: Path) -> list[tuple[str, str]]:
    """Models that omlx finds in a folder that is not a model itself (model_discovery.py)."""
    if not folder.is_dir() or (folder / "config.json").exists():
        return []
    children = [child for child in folder.iterdir() if not child.name.startswith(".")]
    return [(child.name, str(child)) for child in children if (child / "config.json").exists()]


def linked_repo(entry: Path, store: Path) -> str | None:
    """owner/name if `entry` is a link to a place of a model in the store, else None."""
    if not stat.S_ISLNK(entry.lstat().st_mode):
        return None
    target = Path(os.path.realpath(entry))
    try:
        inside = target.relative_to(os.path.realpath(store))
    except ValueError:
        return None
    return inside.as_posix() if len(inside.parts) == 2 else None


def plan_links(wants: Sequence[ModelWant], served: Served, serve_dir: str) -> LinkPlan:
    """Create links that are missing or have another target; remove links of unlisted models."""
    wanted = {want.name: want.repo for want in wants}
    by_folded = {name.casefold(): name for name in wanted}
    for name in served.foreign:
        if name.casefold() in by_folded:
            raise ModelError(
                f"{serve_dir}/{name} occupies the name of a model, and it is not a link into the "
                "store, so it is not replaced. Move it away and run again."
            )
    for name, path in served.foreign_models:
        if name.casefold() in by_folded:
            raise ModelError(
                f"{path} would be served as {name}, like {wanted[by_folded[name.casefold()]]}; "
                "omlx shows only the first of two models with one name. Move that folder away or "
                "give the model another name, and run again."
            )
    stale = tuple(name for name in served.links if name not in wanted)
    make = tuple((name, repo) for name, repo in wanted.items() if served.links.get(name) != repo)
    return LinkPlan(make, (*stale, *served.orphans))


def links_without(plan: LinkPlan, names: Container[str]) -> LinkPlan:
    """The plan without some models, whose links do not change."""
    return LinkPlan(tuple(each for each in plan.make if each[0] not in names), plan.remove)


def apply_links(plan: LinkPlan, serve_dir: Path, store: Path) -> None:
    """Change each link in one step, so that it is never missing in between."""
    if not plan.changes:
        return
    with step("writing the folder of served names", serve_dir):
        serve_dir.mkdir(parents=True, exist_ok=True)
        for name in plan.remove:
            _remove_link(serve_dir / name)
        for name, repo in plan.make:
            temporary = serve_dir / f"{TEMPORARY_PREFIX}{name}"
            _remove_link(temporary)
            with step("creating the link of a model", serve_dir / name):
                temporary.symlink_to(store / repo)
                temporary.replace(serve_dir / name)
        sync_folder(serve_dir)


def _remove_link(path: Path) -> None:
    with step("removing a link", path), contextlib.suppress(FileNotFoundError):
        path.unlink()
