# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection is found in a plain clone, and as an archive that is built and installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.unit import documents

CHECKOUT = Path(__file__).parents[2]
NAME = "closet.inference"
MODULES = {path.stem for path in (CHECKOUT / "plugins/modules").glob("[!_]*.py")}
ROLES = {path.parent.name for path in CHECKOUT.glob("roles/*/meta") if path.is_dir()}
# What an owner's checkout holds besides what git knows; none of it may leave the machine.
PRIVATE = (
    ".ansible/facts",
    ".hypothesis/examples",
    ".secrets/attic.key",
    ".venv/pyvenv.cfg",
    "closet-inference-0.0.1.tar.gz",
    "inventories/home/hosts.yml",
    "tests/output/report",
)
# What is of use in the repository only.
REPOSITORY_ONLY = {
    ".ci",
    ".git",
    ".github",
    "benchmarks",
    "collections",
    "inventories",
    "lab",
    "molecule",
    "scripts",
    "tests",
}


def run(*argv: str, cwd: Path, **environment: str) -> str:
    """Run one of ansible's commands as someone whose own configuration says nothing."""
    program, *arguments = argv
    done = subprocess.run(
        [str(Path(sys.executable).parent / program), *arguments],
        cwd=cwd,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(cwd),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_NOCOLOR": "1",
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the checkout as it is now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    clone = tmp_path_factory.mktemp("clone") / "closet.inference"
    for name in filter(None, listed.stdout.split("\0")):
        source, target = CHECKOUT / name, clone / name
        if os.path.lexists(source):  # git lists a deleted file until that is committed
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return clone


@pytest.fixture(scope="module")
def archive(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection, built in a clone that its owner has worked in."""
    used = tmp_path_factory.mktemp("used") / "closet.inference"
    shutil.copytree(clone, used, symlinks=True)
    for name in PRIVATE:
        (used / name).parent.mkdir(parents=True, exist_ok=True)
        (used / name).write_text("private")
    out = tmp_path_factory.mktemp("archive")
    run("ansible-galaxy", "collection", "build", "--output-path", str(out), cwd=used)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the installed collection, far from any checkout."""
    home = tmp_path_factory.mktemp("installed")
    options = ("--offline", "--no-deps", "--force", "-p", str(home / "collections"))
    run("ansible-galaxy", "collection", "install", str(archive), *options, cwd=home)
    return home


def documented(kind: str, cwd: Path, **environment: str) -> dict[str, Any]:
    """What ansible-doc says about each of our modules or roles, by short name."""
    names = MODULES if kind == "module" else ROLES
    wanted = [f"{NAME}.{name}" for name in sorted(names)]
    printed = run("ansible-doc", "-t", kind, "--json", *wanted, cwd=cwd, **environment)
    return {name.removeprefix(f"{NAME}."): docs for name, docs in json.loads(printed).items()}


def listed(kind: str, cwd: Path, **environment: str) -> set[str]:
    """The short names of what ansible-doc finds in the collection."""
    printed = run("ansible-doc", "-t", kind, "-l", "--json", NAME, cwd=cwd, **environment)
    return {name.removeprefix(f"{NAME}.") for name in json.loads(printed)}


def test_a_clone_lists_every_module_and_role(clone: Path) -> None:
    assert listed("module", clone) == MODULES
    assert listed("role", clone) == ROLES


def test_a_clone_documents_every_module(clone: Path) -> None:
    for name, docs in documented("module", clone).items():
        assert docs["doc"]["short_description"], name
        assert docs["examples"], name
        assert docs["return"], name


def test_a_clone_documents_every_role(clone: Path) -> None:
    roles = documented("role", clone)
    assert {name for name, docs in roles.items() if docs["entry_points"]} == ROLES


@pytest.mark.parametrize("playbook", ["site.yml", f"{NAME}.site"])
def test_a_clone_runs_the_playbook_under_both_names(clone: Path, playbook: str) -> None:
    assert run("ansible-playbook", "--syntax-check", playbook, cwd=clone).endswith("site.yml\n")


def test_an_installed_archive_lists_the_same(installed: Path) -> None:
    path = {"ANSIBLE_COLLECTIONS_PATH": str(installed / "collections")}
    assert listed("module", installed, **path) == MODULES
    assert listed("role", installed, **path) == ROLES


def test_an_installed_archive_runs_the_playbook(installed: Path) -> None:
    hosts = installed / "hosts.yml"
    hosts.write_text("closet: {hosts: {attic: }}\nclients: {hosts: {air: }}\n")
    path = {"ANSIBLE_COLLECTIONS_PATH": str(installed / "collections")}
    argv = ("ansible-playbook", "-i", str(hosts), "--syntax-check", f"{NAME}.site")
    found = installed / "collections/ansible_collections/closet/inference/playbooks/site.yml"
    assert str(found) in run(*argv, cwd=installed, **path)


def test_the_archive_holds_the_collection_and_nothing_private(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    names = {member.name for member in members}
    assert {f"plugins/modules/{name}.py" for name in MODULES} <= names
    assert {f"roles/{name}/meta/argument_specs.yml" for name in ROLES} <= names
    assert {"playbooks/site.yml", "meta/runtime.yml", "LICENSE"} <= names
    assert names.isdisjoint(PRIVATE)
    assert {PurePosixPath(name).parts[0] for name in names}.isdisjoint(REPOSITORY_ONLY)
    assert [member.name for member in members if member.issym() or member.islnk()] == []


def test_nothing_but_ansible_core_is_needed() -> None:
    assert documents.read(CHECKOUT / "galaxy.yml")["dependencies"] == {}
    assert documents.read(CHECKOUT / "requirements.yml")["collections"] == []


def test_the_action_group_holds_every_module() -> None:
    runtime = documents.read(CHECKOUT / "meta/runtime.yml")
    assert runtime["action_groups"]["all"] == sorted(MODULES)


def test_no_sanity_finding_is_ignored() -> None:
    assert not (CHECKOUT / "tests/sanity").exists()
