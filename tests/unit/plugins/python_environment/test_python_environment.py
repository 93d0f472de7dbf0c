# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python_environment with commands that only pretend, cut off at every step."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.environment_build import (
    BuildFailedError,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.python_environment import (
    EnvironmentRefusedError,
    Have,
    execute,
    plan,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner

LIST = "# locked\nomlx==0.5.0 \\\n    --hash=sha256:00\n"


class Pretender(Runner):
    """Does to the disk what venv, pip and uv would do; fails or is cut off when told to."""

    def __init__(self) -> None:
        self.ran: list[tuple[list[str], dict[str, str]]] = []
        self.fail: dict[str, Completed] = {}
        self.cut_at: int | None = None

    def run(
        self,
        argv: Sequence[str],
        timeout_s: float = 30,
        input: str | None = None,  # noqa: A002 - the word of Runner
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        words = list(argv)
        if self.cut_at == len(self.ran):
            raise KeyboardInterrupt
        self.ran.append((words, dict(env or {})))
        for word, completed in self.fail.items():
            if word in words:
                return completed
        if "venv" in words:
            (Path(words[-1]) / "bin").mkdir(parents=True)
            (Path(words[-1]) / "pyvenv.cfg").touch()
        return Completed(tuple(words), 0, "", "")

    @property
    def commands(self) -> list[list[str]]:
        return [words for words, _ in self.ran]


@pytest.fixture
def params(tmp_path: Path) -> dict[str, Any]:
    return {
        "path": f"{tmp_path}/omlx/1f2e",
        "requirements": LIST,
        "hashes": True,
        "python": "3.11",
        "uv_path": f"{tmp_path}/uv/0.13.9",
        "uv_version": "0.13.9",
        "index_url": None,
        "check": ["omlx", "--help"],
    }


def test_from_nothing_to_complete(params: dict[str, Any]) -> None:
    runner = Pretender()
    foretold = execute(params, runner, check_mode=True)
    assert runner.ran == []
    assert not Path(params["path"]).exists()
    told = execute(params, runner)
    assert told == foretold
    assert told["steps"] == ["install uv", "resolve", "create", "install", "check", "complete"]
    path, uv = params["path"], params["uv_path"]
    assert runner.commands == [
        ["/usr/bin/python3", "-m", "venv", uv],
        [
            *f"{uv}/bin/python3 -m pip install --no-input".split(),
            *["--disable-pip-version-check", "uv==0.13.9"],
        ],
        f"{uv}/bin/uv pip compile --quiet --python 3.11 --no-deps -".split(),
        [f"{uv}/bin/uv", "venv", "--allow-existing", "--python", "3.11", path],
        [
            *f"{uv}/bin/uv pip install --python {path}/bin/python --compile-bytecode".split(),
            *f"--requirement {path}/requirements.txt --require-hashes --no-deps".split(),
        ],
        [f"{path}/bin/omlx", "--help"],
    ]
    assert Path(path, "requirements.txt").read_text() == LIST
    assert Path(path, ".complete").read_text().strip() == told["digest"]


def test_a_complete_one_runs_nothing(params: dict[str, Any]) -> None:
    execute(params, Pretender())
    runner = Pretender()
    told = execute({**params, "index_url": "http://mirror.lan/simple"}, runner)
    assert told["changed"] is False
    assert told["steps"] == []
    assert told["diff"]["before"] == told["diff"]["after"]
    assert runner.ran == []


def test_a_second_environment_uses_the_same_uv(params: dict[str, Any]) -> None:
    execute(params, Pretender())
    runner = Pretender()
    told = execute({**params, "path": params["path"] + "b", "check": []}, runner)
    assert told["steps"] == ["resolve", "create", "install", "complete"]


@pytest.mark.parametrize("cut_at", range(6))
def test_a_run_cut_off_anywhere_is_mended_by_the_next(params: dict[str, Any], cut_at: int) -> None:
    runner = Pretender()
    runner.cut_at = cut_at
    with pytest.raises(KeyboardInterrupt):
        execute(params, runner)
    assert not Path(params["path"], ".complete").exists()
    assert execute(params, Pretender())["changed"] is True
    assert execute(params, Pretender())["changed"] is False


def test_what_a_cut_off_build_left_is_gone(params: dict[str, Any]) -> None:
    runner = Pretender()
    runner.cut_at = 5
    with pytest.raises(KeyboardInterrupt):
        execute(params, runner)
    Path(params["path"], "half").touch()
    told = execute(params, Pretender())
    assert told["steps"][0] == "remove"
    assert not Path(params["path"], "half").exists()


def test_taking_the_mark_away_asks_for_a_new_build(params: dict[str, Any]) -> None:
    execute(params, Pretender())
    Path(params["path"], ".complete").unlink()
    assert execute(params, Pretender())["steps"][:3] == ["remove", "resolve", "create"]


def test_a_failure_shows_the_end_of_what_was_said(params: dict[str, Any]) -> None:
    runner = Pretender()
    said = "\n".join(f"line {at}" for at in range(40))
    runner.fail = {"--requirement": Completed((), 2, "", said)}
    with pytest.raises(BuildFailedError) as raised:
        execute(params, runner)
    words = str(raised.value)
    assert f"{params['path']} could not be built: to install the requirements" in words
    assert "ended with 2" in words
    assert "line 20\n" in words
    assert "line 19\n" not in words
    assert "Next: see whether this host reaches the package index" in words


def test_a_failed_check_is_not_complete(params: dict[str, Any]) -> None:
    runner = Pretender()
    runner.fail = {"--help": Completed((), 124, "", "", timed_out=True)}
    with pytest.raises(BuildFailedError, match="did not end in 300 s"):
        execute(params, runner)
    assert not Path(params["path"], ".complete").exists()


def test_a_mirror_is_told_by_environment_and_nothing_lands_in_a_home(
    params: dict[str, Any], tmp_path: Path
) -> None:
    runner = Pretender()
    execute({**params, "index_url": "http://mirror.lan/simple"}, runner)
    for words, env in runner.ran:
        assert not any("mirror.lan" in word for word in words)
        assert env["UV_DEFAULT_INDEX"] == env["PIP_INDEX_URL"] == "http://mirror.lan/simple"
        assert env["PATH"].endswith("/usr/bin:/bin")
        assert env["UV_CACHE_DIR"] == f"{tmp_path}/uv/cache"
        assert env["UV_PYTHON_INSTALL_DIR"] == f"{tmp_path}/uv/python"


def test_what_commands_forget_in_their_temporary_folder_goes_with_the_build(
    params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """ensurepip's pip leaves a cacert.pem of 275 kB at every `python3 -m venv`."""
    runner = Pretender()
    folders = set()

    def forgetful(argv: Sequence[str], *words: Any, **named: Any) -> Completed:
        folder = Path(named["env"]["TMPDIR"])
        folders.add(folder)
        (folder / f"tmp{len(runner.ran)}cacert.pem").touch()
        return Pretender.run(runner, argv, *words, **named)

    monkeypatch.setattr(runner, "run", forgetful)
    execute(params, runner)
    assert folders == {Path(params["path"] + ".scratch")}
    left = {entry.name for entry in Path(params["path"]).parent.iterdir()}
    assert left == {Path(params["path"]).name}


def test_a_python_that_another_account_can_change_is_not_run_by_root(
    params: dict[str, Any], tmp_path: Path
) -> None:
    python = tmp_path / "python3.11"
    python.touch(0o777)
    python.chmod(0o777)
    with pytest.raises(BuildFailedError, match="root does not run what another account can change"):
        execute({**params, "python": str(python)}, Pretender())


def test_a_full_disk_is_said(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*words: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device", "/opt")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(BuildFailedError, match="step 'begin', /opt: No space left"):
        execute(params, Pretender())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"path": "omlx"}, "not an absolute path"),
        ({"path": "/opt"}, "below a folder"),
        ({"path": "/opt/../etc"}, "not an absolute path"),
        ({"uv_path": "~/uv"}, "uv_path '~/uv'"),
        ({"requirements": "# nothing\n"}, "names no package"),
        ({"index_url": "http://me:hush@mirror.lan"}, "netrc"),
        ({"check": ["/bin/sh"]}, "name of a program"),
    ],
)
def test_refused(params: dict[str, Any], changed: dict[str, Any], words: str) -> None:
    with pytest.raises(EnvironmentRefusedError) as raised:
        execute({**params, **changed}, Pretender())
    assert words in str(raised.value)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("which", ["path", "uv_path"])
def test_a_folder_whose_mark_is_just_being_written_is_not_somebody_elses(
    params: dict[str, Any], which: str
) -> None:
    folder = Path(params[which])
    folder.mkdir(parents=True)
    (folder / "..closet.inference.k3j2").touch()
    assert execute(params, Pretender())["changed"] is True


@pytest.mark.parametrize("which", ["path", "uv_path"])
def test_what_others_made_is_never_removed(params: dict[str, Any], which: str) -> None:
    folder = Path(params[which])
    folder.mkdir(parents=True)
    (folder / "thesis.txt").touch()
    with pytest.raises(EnvironmentRefusedError, match="this module did not build"):
        execute(params, Pretender())
    assert (folder / "thesis.txt").exists()


@pytest.mark.parametrize(
    "changed",
    [{"requirements": "omlx==0.6.0\n"}, {"python": "3.12"}, {"hashes": False}],
)
def test_a_complete_one_of_something_else_is_kept(
    params: dict[str, Any], changed: dict[str, Any]
) -> None:
    execute(params, Pretender())
    with pytest.raises(EnvironmentRefusedError, match="give the new one a path of its own"):
        execute({**params, **changed}, Pretender())


WANT = Want("/opt/a/b", LIST, "3.11", "/opt/uv/1", "1")


@pytest.mark.parametrize(
    ("have", "uv", "steps"),
    [
        (Have("complete", WANT.digest()), Have("absent"), ()),
        (Have("absent"), Have("complete", "1"), ("resolve", "create", "install", "complete")),
        (
            Have("incomplete"),
            Have("incomplete"),
            ("remove uv", "install uv", "remove", "resolve", "create", "install", "complete"),
        ),
    ],
)
def test_plan(have: Have, uv: Have, steps: tuple[str, ...]) -> None:
    assert plan(WANT, have, uv) == steps


def test_another_uv_at_its_path_is_refused() -> None:
    with pytest.raises(EnvironmentRefusedError, match="holds uv 2, wanted is 1"):
        plan(WANT, Have("absent"), Have("complete", "2"))


def test_results_are_plain(params: dict[str, Any]) -> None:
    told = json.loads(json.dumps(execute(params, Pretender(), check_mode=True)))
    assert told["bin"] == f"{params['path']}/bin"


@pytest.mark.parametrize("failing", ["compile", "--allow-existing", "--requirement", "--help"])
def test_a_build_that_fails_leaves_nothing(params: dict[str, Any], failing: str) -> None:
    runner = Pretender()
    runner.fail = {failing: Completed((), 1, "", "no version of omlx==9.9.9")}
    with pytest.raises(BuildFailedError, match="no version of omlx"):
        execute(params, runner)
    assert not Path(params["path"]).exists()


def test_a_pin_that_is_not_there_is_found_out_before_anything_is_made(
    params: dict[str, Any],
) -> None:
    execute({**params, "path": params["path"] + "b"}, Pretender())
    runner = Pretender()
    runner.fail = {"compile": Completed((), 1, "", "no version of omlx==9.9.9")}
    with pytest.raises(BuildFailedError, match="correct the pin that it names"):
        execute(params, runner)
    assert len(runner.commands) == 1


def installed(params: dict[str, Any], *names: str) -> Path:
    """Complete environments beside each other, made one hour after the other."""
    folder = Path(params["path"]).parent
    for hour, name in enumerate(names):
        execute({**params, "path": str(folder / name)}, Pretender())
        os.utime(folder / name / ".complete", (hour * 3600, hour * 3600))
    return folder


def remove(params: dict[str, Any], name: str, check_mode: bool = False, **words: Any) -> Any:
    path = str(Path(params["path"]).parent / name)
    return execute({"path": path, **words}, Pretender(), check_mode)


def test_old_ones_go_but_for_the_newest_and_what_is_not_ours(params: dict[str, Any]) -> None:
    folder = installed(params, "a", "b", "c", "d")
    (folder / "half").mkdir()
    (folder / "half/.closet.inference").touch()
    (folder / "theirs").mkdir()
    told = remove(params, "b", True, state="pruned", keep=1)
    assert told["steps"] == ["remove a", "remove c", "remove half"]
    assert remove(params, "b", state="pruned", keep=1) == told
    assert {entry.name for entry in folder.iterdir()} == {"b", "d", "theirs"}
    assert remove(params, "b", state="pruned", keep=1)["changed"] is False
    assert remove(params, "b", state="pruned", keep=0)["steps"] == ["remove d"]


def test_the_one_that_served_until_now_is_kept_before_a_newer_one(params: dict[str, Any]) -> None:
    folder = installed(params, "a", "b", "c")
    told = remove(params, "c", state="pruned", keep=1, keep_first=str(folder / "a"))
    assert told["steps"] == ["remove b"]


def test_one_can_be_taken_away(params: dict[str, Any]) -> None:
    folder = installed(params, "a", "b")
    assert remove(params, "a", state="absent")["steps"] == ["remove a"]
    assert remove(params, "a", state="absent")["changed"] is False
    assert [entry.name for entry in folder.iterdir()] == ["b"]


def test_what_was_not_built_here_is_not_taken_away(params: dict[str, Any]) -> None:
    folder = installed(params, "a")
    (folder / "theirs").mkdir()
    (folder / "theirs/precious").touch()
    with pytest.raises(EnvironmentRefusedError, match="this module did not build"):
        remove(params, "theirs", state="absent")
    assert (folder / "theirs/precious").exists()


def test_versions_are_reported_as_the_environment_has_them(params: dict[str, Any]) -> None:
    execute(params, Pretender())
    packages = Path(params["path"], "lib/python3.11/site-packages")
    for name in ("omlx-0.6.0", "mlx_lm-0.31.3", "other-1"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    told = execute({**params, "report": ["omlx", "mlx-lm", "absent"]}, Pretender())
    assert told["versions"] == {"omlx": "0.6.0", "mlx-lm": "0.31.3"}
