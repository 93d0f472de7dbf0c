"""What lies beside the inventory: modes, owners, links, git; mended, warned of, or refused."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.invocation import Invocation
from ansible_collections.closet.inference.plugins.plugin_utils.secrets import private_files
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_files import (
    Seen,
    mend,
    observe,
    read_secret,
)
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_plan import (
    Controller,
    Plan,
    plan,
)

HOUSE = Controller(("attic",), Invocation(("-i", "inventories/home")), "me", ((4242, "bob"),))
VALUE = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An inventory in good order."""
    folder = tmp_path / "home"
    for name in ("", ".secrets/attic/revoked", ".secrets/mcp", ".closet"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in (".secrets", ".secrets/attic", ".secrets/attic/revoked", ".secrets/mcp"):
        (folder / name).chmod(0o700)
    for number, name in enumerate(
        ("attic.key", "attic/air.key", "attic/revoked/pro-1.key", "mcp/TOKEN", "tailnet.authkey")
    ):
        path = folder / ".secrets" / name
        path.write_text(f"{number}{VALUE}\n")
        path.chmod(0o600)
    (folder / ".closet/attic.json").write_text("{}")
    return folder


def judged(home: Path, check_mode: bool = False, **seen: object) -> Plan:
    return plan(replace(observe(home), **seen), HOUSE, check_mode)  # type: ignore[arg-type]


def modes(home: Path) -> dict[str, int]:
    return {
        str(path.relative_to(home)): stat.S_IMODE(path.lstat().st_mode)
        for path in (home / ".secrets", *(home / ".secrets").rglob("*"))
    }


def test_what_is_in_order_says_nothing(home: Path) -> None:
    assert judged(home) == Plan()
    assert plan(observe(home / "nowhere"), HOUSE) == Plan()
    shutil.rmtree(home / ".secrets")
    assert judged(home) == Plan()


@pytest.mark.parametrize(
    ("name", "mode", "right"),
    [
        (".secrets", 0o755, 0o700),
        (".secrets/attic", 0o710, 0o700),
        (".secrets/attic/revoked", 0o777, 0o700),
        (".secrets/mcp", 0o500, 0o700),
        (".secrets/attic.key", 0o644, 0o600),
        (".secrets/attic/air.key", 0o660, 0o600),
        (".secrets/attic/revoked/pro-1.key", 0o604, 0o600),
        (".secrets/mcp/TOKEN", 0o640, 0o600),
        (".secrets/tailnet.authkey", 0o644, 0o600),
        (".closet", 0o777, 0o755),
        (".closet/attic.json", 0o666, 0o644),
    ],
)
def test_a_mode_of_ours_is_mended_and_said(home: Path, name: str, mode: int, right: int) -> None:
    (home / name).chmod(mode)
    would = judged(home, check_mode=True)
    assert (f"A real run sets the mode of {home / name} from {mode:04o} to {right:04o}") in str(
        would.warnings
    )
    made = judged(home)
    assert made.errors == ()
    assert f"Set the mode of {home / name}" in made.warnings[0]
    assert [(one.path, one.after) for one in made.repairs] == [(home / name, right)]
    assert mend(made.repairs) == []
    assert stat.S_IMODE((home / name).stat().st_mode) == right
    assert judged(home) == Plan()


def test_a_key_that_others_could_read_is_to_be_replaced(home: Path) -> None:
    """Only then: a key of 0644 below a folder of 0700 was read by nobody."""
    for name in ("attic.key", "attic/air.key", "mcp/TOKEN"):
        (home / ".secrets" / name).chmod(0o644)
    assert not any("could read" in sentence for sentence in judged(home).warnings)
    (home / ".secrets").chmod(0o755)
    said = " ".join(judged(home).warnings)
    # attic/ is still closed to others, and so is mcp/
    assert f"every account of this machine could read {home}/.secrets/attic.key: replace" in said
    (home / ".secrets/attic").chmod(0o711)
    said = " ".join(judged(home).warnings)
    assert "ansible-playbook -i inventories/home site.yml -e rotate=main,air" in said
    assert VALUE not in said


def test_with_two_closets_the_command_names_the_hosts(home: Path) -> None:
    house = replace(HOUSE, closets=("attic", "cellar"))
    seen = replace(observe(home), tracked=(("attic.key",), ("attic", "air.key")), work_tree="/top")
    assert "-e rotate=main,air --limit attic,air" in plan(seen, house).warnings[0]


def out(home: Path, name: str) -> None:
    elsewhere = home.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text(VALUE)
    (home / name).symlink_to(elsewhere if name.endswith("attic") else elsewhere / "file")


def fifo(home: Path, name: str) -> None:
    os.mkfifo(home / name)


def unix_socket(home: Path, name: str) -> None:
    where = Path.cwd()
    os.chdir((home / name).parent)  # the path of a socket has to be short
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(Path(name).name)
    finally:
        os.chdir(where)


def a_file(home: Path, name: str) -> None:
    (home / name).write_text("")


def a_folder(home: Path, name: str) -> None:
    (home / name).mkdir()


def dangling(home: Path, name: str) -> None:
    (home / name).symlink_to("nowhere")


@pytest.mark.parametrize(
    ("name", "put", "sentence"),
    [
        (".secrets/attic.key", a_folder, "is a folder, and a file is expected there: move it away"),
        (".secrets/attic/air.key", a_folder, "is a folder, and a file is expected"),
        (".secrets/mcp/TOKEN", a_folder, "is a folder, and a file is expected"),
        (".secrets/tailnet.authkey", fifo, "is neither file nor folder, and a file is expected"),
        (".secrets/attic/air.key", unix_socket, "is neither file nor folder"),
        (".secrets/attic", a_file, "is a file, and a folder is expected there"),
        (".secrets/attic/revoked", a_file, "is a file, and a folder is expected"),
        (".secrets/mcp", a_file, "is a file, and a folder is expected"),
        (".secrets", a_file, "is a file, and a folder is expected"),
        (".closet", a_file, "is a file, and a folder is expected"),
        (".closet/attic.json", a_folder, "is a folder, and a file is expected"),
        (".secrets/attic.key", dangling, "is a link that leads nowhere: remove it"),
        (".secrets", dangling, "is a link that leads nowhere"),
        (".secrets/attic.key", out, "which is outside of its folder"),
        (".secrets/attic", out, "which is outside of its folder"),
        (".closet/attic.json", out, "which is outside of its folder"),
    ],
)
def test_what_cannot_be_a_key_or_leads_out_is_refused(
    home: Path, name: str, put: Callable[[Path, str], None], sentence: str
) -> None:
    path = home / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    put(home, name)
    problems = judged(home).errors
    assert len(problems) == 1, problems
    assert str(path) in problems[0]
    assert sentence in problems[0]


def test_a_link_inside_and_a_folder_kept_elsewhere_are_the_owners_choice(home: Path) -> None:
    (home / ".secrets/tailnet-clients.authkey").symlink_to("tailnet.authkey")
    assert judged(home) == Plan()
    (home / ".secrets").rename(home.parent / "vault")
    (home / ".secrets").symlink_to(home.parent / "vault")
    assert judged(home) == Plan()
    (home.parent / "vault/attic.key").chmod(0o644)
    repairs = judged(home).repairs
    assert [one.path for one in repairs] == [home.parent / "vault/attic.key"]
    assert mend(repairs) == []
    assert judged(home) == Plan()


def test_no_mode_is_changed_through_a_link_that_came_after_the_look(home: Path) -> None:
    other = home.parent / "other"
    other.write_text("")
    other.chmod(0o644)
    key = home / ".secrets/attic.key"
    key.chmod(0o644)
    repairs = judged(home).repairs
    key.unlink()
    key.symlink_to(other)
    failed = mend(repairs)
    assert len(failed) == 1
    assert failed[0].endswith(": it has become a link meanwhile, so run this again")
    assert stat.S_IMODE(other.stat().st_mode) == 0o644


def test_what_another_account_owns_is_told_with_the_command(home: Path) -> None:
    key = home / ".secrets/attic.key"
    entries = observe(home).entries
    theirs = tuple(
        replace(one, uid=4242, mode=0o644) if one.path == key else one for one in entries
    )
    made = judged(home, entries=theirs)
    assert (made.errors, made.repairs) == ((), ())
    assert made.warnings[-1].startswith(f"{key}: owned by bob")
    assert made.warnings[-1].endswith(f"`sudo chown -h me {key}`")
    closed = tuple(
        replace(one, uid=4242, readable=False) if one.path == key else one for one in entries
    )
    assert judged(home, entries=closed).errors == (
        f"{key} belongs to bob and cannot be read: run `sudo chown me {key}`",
    )


@pytest.mark.parametrize(
    ("mode", "gid", "said"),
    [
        (0o755, -1, ""),
        (0o777, -1, "every account"),
        (0o1777, -1, ""),
        (0o775, 999999, "group 999999"),
        (0o775, os.getgid(), ""),  # a group of one, which a umask of 002 is for
    ],
)
def test_a_folder_that_others_can_write_holds_no_keys_in_silence(
    home: Path, mode: int, gid: int, said: str
) -> None:
    if gid == 999999 and os.geteuid() != 0:
        pytest.skip("only root gives a file to a group of others")
    os.chown(home, -1, gid)
    home.chmod(mode)
    assert observe(home).open_to == said
    warnings = " ".join(judged(home).warnings)
    assert (f"{home}, which holds .secrets, can be written by {said}" in warnings) == bool(said)
    assert stat.S_IMODE(home.stat().st_mode) == mode


@pytest.fixture
def repository(home: Path) -> Path:
    top = home.parent
    subprocess.run(["git", "init", "-q", str(top)], check=True)
    return top


def test_a_key_that_git_keeps_is_told_with_the_commands(home: Path, repository: Path) -> None:
    assert judged(home).warnings == ()
    tracked = [".secrets/attic/air.key", ".secrets/mcp/TOKEN"]
    add = ["git", "-C", str(repository), "add", "-f", *(str(home / one) for one in tracked)]
    subprocess.run(add, check=True)
    (warning,) = judged(home).warnings
    paths = " ".join(str(home / one) for one in tracked)
    assert f"`git -C {repository} rm --cached {paths}`" in warning
    assert "its history keeps it" in warning
    assert "ansible-playbook -i inventories/home site.yml -e rotate=air" in warning
    assert "make the others anew where they come from" in warning
    command = warning.split("`")[1]
    subprocess.run(command, shell=True, check=True, capture_output=True)
    assert judged(home).warnings == ()


def test_without_git_or_outside_of_a_repository_nobody_asks(
    home: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert observe(home).tracked == ()
    monkeypatch.undo()
    shutil.rmtree(repository / ".git")
    ran: list[object] = []
    monkeypatch.setattr(subprocess, "run", lambda *words, **_more: ran.append(words))
    assert observe(home).tracked == ()
    assert ran == []


@pytest.mark.parametrize("error", [OSError(), subprocess.TimeoutExpired("git", 5)])
def test_a_git_that_fails_or_hangs_stops_nothing(
    home: Path, repository: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_words: object, **_more: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fails)
    assert (repository / ".git").is_dir()
    assert observe(home).tracked == ()


def test_no_sentence_holds_a_value(home: Path) -> None:
    (home / ".secrets").chmod(0o777)
    for path in (home / ".secrets").rglob("*"):
        path.chmod(0o777)
    seen: Seen = observe(home)
    made = plan(replace(seen, tracked=(("attic.key",),), work_tree="/"), HOUSE)
    assert made.warnings
    assert VALUE not in " ".join([*made.errors, *made.warnings])


def test_a_secret_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b" x\xff\x00y \n")
    assert read_secret(path) == "x�\x00y"
    path.write_bytes(b"x" * (private_files.LARGEST + 1))
    with pytest.raises(private_files.SecretFileError, match="is larger than"):
        read_secret(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read_secret(path)
