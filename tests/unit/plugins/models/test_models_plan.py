# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts: what is read, what is planned, what is written down."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.links import (
    LinkPlan,
    Served,
    plan_links,
)
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    GIT_BLOB,
    SHA256,
    FileEntry,
    Manifest,
    format_manifest,
    parse_manifest,
)
from ansible_collections.closet.inference.plugins.module_utils.models.plan import (
    ModelPlan,
    check_space,
    must_ask,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    FlawError,
    ModelError,
    ModelWant,
    check_tree_path,
    read_wants,
)
from ansible_collections.closet.inference.plugins.module_utils.models.report import digest_of
from ansible_collections.closet.inference.plugins.module_utils.models.selection import (
    choose_files,
    index_warning,
    named_shards,
    stale_files,
)
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    FileState,
    Have,
)

WANT = ModelWant("acme/tiny", "main", "tiny")
A, B = "a" * 40, "b" * 40
SHARD = FileEntry("model.safetensors", 3000, SHA256, "1" * 64)
CONFIG = FileEntry("config.json", 10, GIT_BLOB, "2" * 40)
HERE = Manifest("acme/tiny", "main", A, (CONFIG, SHARD))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"repo": "tiny", "name": "t"}, "'tiny' is not a model repository: it must have the form"),
        ({"repo": "a/b/c", "name": "t"}, "must have the form owner/name"),
        ({"repo": "", "name": "t"}, "must have the form owner/name"),
        ({"repo": "../etc", "name": "t"}, "must have the form owner/name"),
        ({"repo": "a/b c", "name": "t"}, "must have the form owner/name"),
        ({"repo": "a/b--c", "name": "t"}, "must not contain '--'"),
        ({"repo": "a/b..c", "name": "t"}, "must not contain '--' or '..'"),
        ({"repo": "a/b.git", "name": "t"}, "nor the name in '.git'"),
        ({"repo": "a/" + "b" * 96, "name": "t"}, "longer than 96"),
        ({"repo": "a/b", "name": "t", "revision": "-x"}, "'-x' is not a revision of a/b"),
        ({"repo": "a/b", "name": "t", "revision": "a..b"}, "is not a revision"),
        ({"repo": "a/b", "name": "t", "revision": "a b"}, "is not a revision"),
        ({"repo": "a/b", "name": ".hidden"}, "cannot be the served name"),
        ({"repo": "a/b", "name": "x/y"}, "cannot be the served name"),
        ({"repo": "a/b", "name": "q:8b"}, "cannot be the served name"),
        ({"repo": "a/b", "name": "models--a--b"}, "a cache of the hub"),
    ],
)
def test_a_want_that_cannot_be(entry: dict[str, str], words: str) -> None:
    with pytest.raises(ModelError) as raised:
        read_wants([entry])
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (["a/b main x", "a/c main X"], "would be served under one name"),
        (["a/Foo main", "b/foo main"], "would be served under one name"),
        (["a/b main x", "A/b main y"], "a/b is listed twice, as x and as y"),
        (["a/b main x", "a/b v2 y"], "listed with two revisions, main and v2"),
        (["a/b main", "a/b v2"], "listed with two revisions, main and v2"),
    ],
)
def test_wants_that_collide(entries: list[str], words: str) -> None:
    keys = ("repo", "revision", "name")
    with pytest.raises(ModelError, match=words):
        read_wants([dict(zip(keys, entry.split())) for entry in entries])


def test_a_name_that_is_not_given_is_the_one_omlx_would_take() -> None:
    assert read_wants([{"repo": "acme/tiny", "name": None}])[0].name == "tiny"


def test_a_good_want() -> None:
    assert read_wants([{"repo": "acme/tiny", "name": "tiny"}]) == (WANT,)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "a/../x",
        "a//b",
        "",
        ".",
        "a\\b",
        "a\nb",
        "a\0b",
        "x.part",
        "x.part.journal",
        ".closet.json",
        "x.PART",
        "x.Part.Journal",
        ".CLOSET.json",
    ],
)
def test_paths_that_a_hub_may_not_name(path: str) -> None:
    with pytest.raises(ModelError):
        check_tree_path("acme/tiny", path)


def test_the_digest_moves_with_name_repository_and_commit_and_not_with_order() -> None:
    base = [("a", "o/a", A), ("b", "o/b", B)]
    same = digest_of(reversed(base))
    others = [[("a", "o/a", B), base[1]], [("c", "o/a", A), base[1]], [("a", "o/c", A), base[1]]]
    assert digest_of(base) == same
    assert len({digest_of(parts) for parts in [base, *others, base[:1], []]}) == 6


@pytest.mark.parametrize(
    ("manifest", "revision", "follow", "asked"),
    [
        (None, "main", False, True),
        (HERE, "main", False, False),
        (HERE, "main", True, True),
        (HERE, "v2", False, True),
        (HERE, A, False, False),
        (HERE, A, True, False),
        (HERE, B, False, True),
    ],
)
def test_when_the_hub_is_asked(
    manifest: Manifest | None, revision: str, follow: bool, asked: bool
) -> None:
    assert must_ask(replace(WANT, revision=revision), manifest, follow) is asked


def entry(path: str) -> FileEntry:
    return replace(CONFIG, path=path)


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (
            ["a.safetensors", "x.bin", "original/a.safetensors", "original/b/c.pth", "config.json"],
            ["a.safetensors", "config.json"],
        ),
        (["consolidated.00.pth", "a.safetensors"], ["a.safetensors"]),
        (["x.bin", "config.json"], ["x.bin", "config.json"]),
        ([".gitattributes", "model.bin"], ["model.bin"]),
    ],
)
def test_files_nobody_serves_are_left_out(paths: list[str], chosen: list[str]) -> None:
    found = choose_files(WANT, [entry(path) for path in paths])
    assert [file.path for file in found] == chosen


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ([], "has no files"),
        (["Config.json", "config.json", "a.safetensors"], "collide on a Mac's disk"),
        (["config.json", "tokenizer.json"], "none of the 2 files that the hub lists is a weight"),
        (["config.json", "model-Q4_K_M.gguf"], "GGUF files are for ollama"),
        (["m-00001-of-00002.safetensors"], "the repository lacks m-00002-of-00002.safetensors"),
        (["m-00002-of-00004.bin"], "the repository lacks m-00001-of-00004.bin and 2 more"),
    ],
)
def test_repositories_that_cannot_be_kept(paths: list[str], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        choose_files(WANT, [entry(path) for path in paths])


COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    "paths",
    [
        ["Assets/a", "assets/b"],
        ["Assets", "assets/b"],
        ["assets/b", "ASSETS"],
        ["sub/Config.json", "sub/config.json"],
        ["Sub/config.json", "sub/config.json"],
        ["Sub/deep/a", "sub/deep/b"],
        [f"{COMPOSED}.json", f"{DECOMPOSED}.json"],
        [f"{COMPOSED}/a", f"{DECOMPOSED}/b"],
        [f"{COMPOSED.upper()}.json", f"{DECOMPOSED}.json"],
        ["\u212b.json", "\u00e5.json"],
        ["a", "a/b"],
    ],
)
def test_names_that_are_one_on_a_mac_are_refused(paths: list[str]) -> None:
    for order in (paths, paths[::-1]):
        with pytest.raises(FlawError, match="collide on a Mac's disk") as told:
            choose_files(WANT, [SHARD, *map(entry, order)])
        assert all(path in str(told.value) for path in paths)


@pytest.mark.parametrize(
    ("paths", "left_out"),
    [
        (["README.md", "readme.md"], {"readme.md"}),
        (["Assets/a.png", "assets/b.PNG", "assets/c.png"], {"assets/b.PNG", "assets/c.png"}),
        (["Assets/a.png", "assets/config.json"], {"Assets/a.png"}),
        (["License", "LICENSE"], {"License"}),
        (["README", "readme/x.json"], {"README"}),
        ([f"{COMPOSED}.jpg", f"{DECOMPOSED}.jpg"], {f"{COMPOSED}.jpg"}),
        (
            ["original/A", "original/a", "onnx/B", "ONNX.json"],
            {"original/A", "original/a", "onnx/B"},
        ),
        (["sub/a", "sub/b", "sub2/a", "a.b/c", "a/c"], set()),
    ],
)
def test_of_files_that_no_server_reads_one_is_left_out(
    paths: list[str], left_out: set[str]
) -> None:
    for order in (paths, paths[::-1]):
        found = choose_files(WANT, [SHARD, *map(entry, order)])
        assert {file.path for file in found} == {SHARD.path, *paths} - left_out


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("n" * 242, True),
        ("n" * 243, False),
        ("n" * 256, False),
        ("\u00e9" * 121, True),
        ("\u00e9" * 122, False),
        ("n" * 255 + "/a", True),
        ("n" * 256 + "/a", False),
        ("sub/" + "n" * 243, False),
    ],
)
def test_a_name_that_is_too_long_is_told_as_it_is_listed(path: str, fits: bool) -> None:
    if fits:
        assert len(choose_files(WANT, [SHARD, entry(path)])) == 2
        return
    with pytest.raises(FlawError) as told:
        choose_files(WANT, [SHARD, entry(path)])
    assert f"model tiny (acme/tiny@main): the name {path} is too long" in str(told.value)
    assert ".part" not in str(told.value)


def test_a_picture_with_a_name_that_is_too_long_is_left_out() -> None:
    assert choose_files(WANT, [SHARD, entry("n" * 250 + ".png")]) == (SHARD,)


def test_a_file_that_only_changed_its_spelling_is_not_superseded() -> None:
    before = replace(HERE, files=(entry(f"Sub/{COMPOSED}.json"), SHARD))
    assert stale_files(before, [entry(f"sub/{DECOMPOSED}.json"), SHARD]) == ()


def test_superseded_files_are_those_of_the_manifest_only() -> None:
    assert stale_files(HERE, [entry("Config.json")]) == ("model.safetensors",)
    assert stale_files(None, [CONFIG]) == ()


def plan_of(*states: FileState, before: Manifest | None = None, **more: Any) -> ModelPlan:
    return ModelPlan(WANT, A, before, states, **more)


@pytest.mark.parametrize(
    ("plan", "state", "changes"),
    [
        (plan_of(FileState(SHARD, Have.GOOD), before=HERE), "present", False),
        (plan_of(FileState(SHARD, Have.GOOD), before=HERE, record=True), "present", True),
        (plan_of(FileState(SHARD, Have.NOTHING), before=HERE), "repaired", True),
        (plan_of(FileState(SHARD, Have.STAGED), before=HERE), "repaired", True),
        (plan_of(FileState(SHARD, Have.GOOD)), "pulled", True),
        (plan_of(FileState(SHARD, Have.GOOD), before=replace(HERE, revision=B)), "pulled", True),
        (plan_of(FileState(SHARD, Have.GOOD), before=HERE, leftovers=(("x", 1),)), "present", True),
        (ModelPlan(WANT, "main", None, None), "pulled", True),
    ],
)
def test_what_a_plan_is_called(plan: ModelPlan, state: str, changes: bool) -> None:
    assert (plan.state, plan.changes) == (state, changes)


@pytest.mark.parametrize(
    ("have", "claimed", "free", "leftovers", "fits"),
    [
        (Have.NOTHING, 0, 4000, (), True),
        (Have.NOTHING, 0, 3999, (), False),
        (Have.PARTIAL, 500, 3500, (), True),
        (Have.NOTHING, 0, 3999, (("x.incomplete", 1),), True),
        (Have.STAGED, 0, 0, (), True),
        (Have.GOOD, 0, 0, (), True),
    ],
)
def test_room_on_the_disk(
    have: Have, claimed: int, free: int, leftovers: tuple[tuple[str, int], ...], fits: bool
) -> None:
    plan = plan_of(FileState(SHARD, have, claimed), leftovers=leftovers)
    if fits:
        check_space([plan], free, 1000, "/store")
    else:
        with pytest.raises(ModelError, match=r"tiny \(acme/tiny@main\)"):
            check_space([plan], free, 1000, "/store")


def test_a_manifest_reads_back() -> None:
    assert parse_manifest(format_manifest(HERE)) == HERE


def changed(**values: Any) -> bytes:
    return json.dumps({**json.loads(format_manifest(HERE)), **values}).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        format_manifest(HERE)[:-20],
        changed(version=2),
        changed(revision="main"),
        changed(files=[{"path": "../x", "size": 1, "git": "2" * 40}]),
        changed(files=[{"path": "x", "size": -1, "git": "2" * 40}]),
        changed(files=[{"path": "x", "size": 1, "git": "2" * 39}]),
        changed(files=[{"path": "x", "size": 1, "sha256": "z" * 64}]),
        changed(files=[{"path": "x", "size": 1}]),
        changed(files=[{"path": "config.json", "size": 1, "git": "2" * 40}]),
        changed(
            files=[{"path": "a-00001-of-00002.safetensors", "size": 1, "sha256": "2" * 64}],
        ),
    ],
)
def test_what_is_no_manifest(text: bytes) -> None:
    assert parse_manifest(text) is None


SINGLE = ["config.json", "model.safetensors", "model.safetensors.index.json"]
TWO = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]


def index_of(*shards: str) -> bytes:
    return json.dumps({"weight_map": {f"t{n}": shard for n, shard in enumerate(shards)}}).encode()


@pytest.mark.parametrize(
    ("index", "paths"),
    [
        (index_of("s1", "s2", "s1"), ["s1", "s2", "model.safetensors"]),
        (index_of("model.safetensors"), SINGLE),
    ],
)
def test_an_index_that_fits(index: bytes, paths: list[str]) -> None:
    assert index_warning(WANT, "model.safetensors.index.json", index, paths) is None


@pytest.mark.parametrize(
    ("index", "paths", "words"),
    [
        (index_of(*TWO), SINGLE, "names 2 shards, and none of them is in the repository"),
        (index_of("a-00001-of-00001.safetensors"), [*SINGLE, *TWO], "names 1 shards, and none"),
        (index_of(), SINGLE, "names no shard"),
        (b"", SINGLE, "is not a safetensors index"),
        (b"[]", SINGLE, "is not a safetensors index"),
        (b'{"weight_map": []}', SINGLE, "is not a safetensors index"),
    ],
)
def test_an_index_of_other_weights_is_worth_a_word(
    index: bytes, paths: list[str], words: str
) -> None:
    warning = index_warning(WANT, "model.safetensors.index.json", index, paths)
    assert warning is not None
    assert warning.startswith("model tiny (acme/tiny@main): model.safetensors.index.json ")
    assert words in warning


@pytest.mark.parametrize(
    ("index", "paths", "words"),
    [
        (index_of("s1", "s2", "s3"), ["s2", "model.safetensors"], "names s1 and 1 more, which"),
        (index_of("s1", "s2"), ["s2", *SINGLE], "names s1, which the repository lacks"),
        (index_of("x", "y"), ["model.safetensors.index.json", TWO[0]], f"lacks {TWO[1]}"),
        (b"{}", ["model.safetensors.index.json", TWO[0]], f"lacks {TWO[1]}"),
    ],
)
def test_an_index_that_shows_a_hole(index: bytes, paths: list[str], words: str) -> None:
    with pytest.raises(FlawError, match=words):
        index_warning(WANT, "model.safetensors.index.json", index, paths)


def test_an_index_in_a_folder_names_its_neighbours() -> None:
    assert named_shards(index_of("s1"), "sub/x.safetensors.index.json") == {"sub/s1"}


@pytest.mark.parametrize(
    ("served", "plan"),
    [
        (Served({}), LinkPlan((("tiny", "acme/tiny"),), ())),
        (Served({"tiny": "acme/tiny"}), LinkPlan((), ())),
        (Served({"tiny": "acme/old"}), LinkPlan((("tiny", "acme/tiny"),), ())),
        (Served({"tiny": "acme/tiny", "old": "acme/old"}), LinkPlan((), ("old",))),
        (Served({"tiny": "acme/tiny"}, foreign=("vendor",)), LinkPlan((), ())),
        (
            Served({"tiny": "acme/tiny"}, orphans=(".closet-link.x",)),
            LinkPlan((), (".closet-link.x",)),
        ),
    ],
)
def test_links(served: Served, plan: LinkPlan) -> None:
    assert plan_links([WANT], served, "/models") == plan
