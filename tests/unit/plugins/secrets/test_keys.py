"""Whose key is made, replaced, put aside; which keys cannot be used; what a cut-off run leaves."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.module_utils.files import write_atomic
from ansible_collections.closet.inference.plugins.plugin_utils.secrets import keys, keystore
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.keys import (
    KeysRefusedError,
    Step,
    errors,
    names_to_rotate,
    plan,
)
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.keystore import KeyStore

GOOD = "0123456789abcdef"


@pytest.mark.parametrize(
    ("wanted", "given", "stored", "rotate", "steps"),
    [
        pytest.param(
            ["main", "air"], [], [], [], [Step("create", "main"), Step("create", "air")], id="first"
        ),
        pytest.param(["main", "air"], [], ["main", "air"], [], [], id="nothing to do"),
        pytest.param(
            ["main", "air"], [], ["main", "air", "pro"], [], [Step("retire", "pro")], id="left"
        ),
        pytest.param(
            ["main", "air"], [], ["main", "air"], ["air"], [Step("rotate", "air")], id="rotated"
        ),
        pytest.param(["main", "air"], ["main", "air"], [], [], [], id="all given"),
        pytest.param(
            ["main", "air"], ["air"], ["main", "air"], [], [Step("retire", "air")], id="given now"
        ),
        pytest.param(
            ["main", "air"], [], ["main"], ["air"], [Step("create", "air")], id="new and rotated"
        ),
    ],
)
def test_plan(
    wanted: list[str], given: list[str], stored: list[str], rotate: list[str], steps: list[Step]
) -> None:
    assert plan(wanted, given, stored, rotate) == steps


@pytest.mark.parametrize(
    ("wanted", "names"),
    [("", []), ("air", ["air"]), ("air, main", ["air", "main"]), ("all", ["main", "air"])],
)
def test_whose_key_is_rotated(wanted: str, names: list[str]) -> None:
    assert names_to_rotate(wanted, ["main", "air", "pro"], ["pro"]) == names


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [("iar", "there is no such key; it can be all, main, air"), ("pro", "given in the inventory")],
)
def test_a_rotation_that_cannot_be_is_refused(wanted: str, sentence: str) -> None:
    with pytest.raises(KeysRefusedError, match=sentence):
        names_to_rotate(wanted, ["main", "air", "pro"], ["pro"])


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        (GOOD, None),
        (GOOD + "._~+/-==", None),
        (GOOD[:15], "too short"),
        ("", "is empty"),
        (" \n", "is empty"),
        (f"{GOOD}\n{GOOD}", "more than one line"),
        (GOOD + "\ufffd", "characters"),
        (GOOD + " x", "characters"),
        (GOOD + '"', "characters"),
        (GOOD + "\n", "characters"),
        (GOOD + "ä", "characters"),
    ],
)
def test_a_key_has_to_be_one_that_a_header_can_carry(key: str, wrong: str | None) -> None:
    said = keys.error(key)
    assert (said is None) if wrong is None else (said is not None and wrong in said)


def test_problems_name_places_and_no_key() -> None:
    short, same = "short-and-secret", GOOD
    found = errors({"a": short[:10], "b": same, "c": same})
    assert len(found) == 2
    assert found[0].startswith("a is too short")
    assert found[1].startswith("c is the same key as b")
    assert not any(short[:10] in sentence or same in sentence for sentence in found)


@pytest.mark.parametrize("name", ["main", "all", "a,b", ".ssh", "a/b"])
def test_a_laptop_cannot_have_a_name_that_is_a_word_of_ours(name: str) -> None:
    assert len(keys.unusable_names("attic", ["air", name])) == 1


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / ".secrets", "attic")


def test_keys_are_for_their_owner_alone(store: KeyStore) -> None:
    for name in ("main", "air"):
        store.apply(Step("create", name))
    made = store.stored()
    assert set(made) == {"main", "air"}
    assert all(keys.error(key) is None and len(key) == 40 for key in made.values())
    assert len(set(made.values())) == 2
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.folder.rglob("*")}
    assert modes == {"attic": 0o700, "attic.key": 0o600, "air.key": 0o600}
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_a_key_that_is_taken_waits_until_it_is_forgotten(store: KeyStore) -> None:
    store.apply(Step("create", "air"))
    first = store.stored()["air"]
    store.apply(Step("rotate", "air"))
    second = store.stored()["air"]
    assert second != first
    store.apply(Step("retire", "air"))
    assert store.stored() == {}
    assert list(store.revoked().values()) == [first, second]
    assert store.forget() == 2
    assert store.revoked() == {}


@pytest.mark.parametrize("verb", ["rotate", "retire"])
@pytest.mark.parametrize("cut", [0, 1])
def test_a_cut_off_change_leaves_each_key_somewhere(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch, verb: str, cut: int
) -> None:
    store.apply(Step("create", "air"))
    old = store.stored()["air"]
    count, real = 0, write_atomic

    def until_the_cut(path: Path, data: bytes, *more: object, **named: object) -> None:
        nonlocal count
        if count == cut:
            raise KeyboardInterrupt
        count += 1
        real(path, data, *more, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as power:
        power.setattr(keystore, "write_atomic", until_the_cut)
        if (verb, cut) == ("retire", 1):  # it writes once and then unlinks
            power.setattr(Path, "unlink", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.apply(Step(verb, "air"))
    assert old in {*store.stored().values(), *store.revoked().values()}
    store.apply(Step(verb, "air"))
    assert old in store.revoked().values()
    assert old not in store.stored().values()


@pytest.mark.parametrize("place", ["", "attic", "attic/revoked"])
def test_no_key_is_written_through_a_link_that_leads_out(
    store: KeyStore, place: str, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    store.apply(Step("create", "air"))
    link = store.folder / place if place else store.folder
    if not place:
        # the whole may be kept on another volume by its owner
        store.folder.rename(tmp_path / "vault")
        link.symlink_to(tmp_path / "vault")
        store.apply(Step("rotate", "air"))
        assert (tmp_path / "vault/attic/air.key").exists()
        return
    if link.exists():
        link.rename(tmp_path / "aside")
    link.symlink_to(elsewhere)
    with pytest.raises(KeysRefusedError, match="is a link, and a folder of keys is expected"):
        store.apply(Step("create" if place == "attic" else "rotate", "air"))
    assert list(elsewhere.iterdir()) == []
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755


def test_a_folder_in_place_of_a_key_is_a_sentence(store: KeyStore) -> None:
    (store.folder / "attic.key").mkdir(parents=True)
    with pytest.raises(
        KeysRefusedError, match=r"attic.key is not a file.*move it away with `mv -n "
    ):
        store.stored()


def test_a_bad_key_of_ours_needs_no_other_from_its_owner() -> None:
    place = "/home/.secrets/attic.key"
    assert errors({place: ""}, [place]) == [
        f"{place} is empty; remove it with `rm {place}` and run this again, which makes another"
    ]
    assert errors({place: ""}) == [f"{place} is empty; `openssl rand -hex 20` makes a good one"]
