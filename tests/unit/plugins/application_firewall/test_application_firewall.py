"""Which entries of the application firewall are made, kept and taken back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.application_firewall import (
    PYTHON_APP,
    FirewallError,
    Record,
    Step,
    execute,
    parse_apps,
    plan,
    real_programs,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner

# recent macOS and an older one, as captured; the second line is the entry's verdict
LISTED = """Total number of apps = 2 \n
1 : /usr/sbin/cupsd \n             (Allow incoming connections)
2 :  /opt/a b/python3.11 \n             ( Block incoming connections ) \n
"""


def test_parse_apps() -> None:
    assert parse_apps(LISTED) == {"/usr/sbin/cupsd": True, "/opt/a b/python3.11": False}
    assert parse_apps("ALF: total number of apps = 0 \n\n") == {}


@pytest.mark.parametrize(
    ("wanted", "apps", "record", "steps", "after"),
    [
        pytest.param(
            ["/p"],
            {},
            Record(),
            [Step("--add", "/p"), Step("--unblockapp", "/p")],
            Record(("/p",)),
            id="new",
        ),
        pytest.param(["/p"], {"/p": True}, Record(("/p",)), [], Record(("/p",)), id="there"),
        pytest.param(["/p"], {"/p": True}, Record(), [], Record(), id="there, of others"),
        pytest.param(
            ["/p"],
            {"/p": False},
            Record(),
            [Step("--unblockapp", "/p")],
            Record((), ("/p",)),
            id="blocked by others",
        ),
        pytest.param(
            ["/p"],
            {"/p": False},
            Record(("/p",)),
            [Step("--unblockapp", "/p")],
            Record(("/p",)),
            id="ours, blocked since",
        ),
        pytest.param(
            ["/new"],
            {"/old": True, "/others": True},
            Record(("/old",)),
            [Step("--add", "/new"), Step("--unblockapp", "/new"), Step("--remove", "/old")],
            Record(("/new",)),
            id="upgraded",
        ),
        pytest.param(
            [],
            {"/p": True, "/q": True, "/others": True},
            Record(("/p",), ("/q",)),
            [Step("--remove", "/p"), Step("--blockapp", "/q")],
            Record(),
            id="taken back",
        ),
        pytest.param([], {}, Record(("/p",), ("/q",)), [], Record(), id="gone by itself"),
    ],
)
def test_plan(
    wanted: list[str], apps: Mapping[str, bool], record: Record, steps: list[Step], after: Record
) -> None:
    planned = plan(wanted, apps, record)
    assert list(planned.steps) == steps
    assert planned.after == after
    # whatever is cut off, nothing that was ours is forgotten
    assert set(planned.during.added) >= {*record.added, *after.added}
    assert set(planned.during.unblocked) >= {*record.unblocked, *after.unblocked}


class Firewall(Runner):
    """socketfilterfw with an exit code of 0 for everything, as it has."""

    def __init__(self, apps: dict[str, bool], obeys: bool = True, cut_at: str = "") -> None:
        self.apps = apps
        self.calls: list[tuple[str, ...]] = []
        self._obeys = obeys
        self._cut_at = cut_at

    def run(self, argv: Sequence[str], *_: Any, **__: Any) -> Completed:
        option, path = argv[1], (argv[2] if len(argv) > 2 else "")
        if option == self._cut_at:
            raise KeyboardInterrupt
        said = "Firewall is enabled. (State = 1)"
        if option == "--listapps":
            said = "".join(
                f"{number} : {name} \n   ({'Allow' if allowed else 'Block'} incoming connections)\n"
                for number, (name, allowed) in enumerate(self.apps.items(), start=1)
            )
        elif path and self._obeys:
            self.calls.append((option, path))
            if option == "--remove":
                self.apps.pop(path, None)
            elif option == "--add" or path in self.apps:
                self.apps[path] = option != "--blockapp"
        return Completed(tuple(argv), 0, said, "")


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """bin/python of an environment, a link to where the interpreter really is."""
    real = tmp_path / "real" / "bin" / "python3.11"
    real.parent.mkdir(parents=True)
    real.write_text("")
    link = tmp_path / "env" / "bin" / "python"
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    return link


def params(tmp_path: Path, *programs: Path) -> dict[str, Any]:
    record = tmp_path / "firewall" / "applications.json"
    return {"programs": [str(path) for path in programs], "record": str(record)}


def test_the_real_path_is_allowed_renewed_and_taken_back(tmp_path: Path, interpreter: Path) -> None:
    firewall = Firewall({"/usr/sbin/cupsd": True})
    given = params(tmp_path, interpreter)
    foretold = execute(given, firewall, check_mode=True)
    assert firewall.calls == []
    told = execute(given, firewall)
    assert told == foretold
    real = str(interpreter.resolve())
    assert told["allowed"] == [real]
    assert firewall.apps == {"/usr/sbin/cupsd": True, real: True}
    assert execute(given, firewall)["changed"] is False

    newer = interpreter.parent / "newer"
    newer.write_text("")
    assert execute(params(tmp_path, newer), firewall)["changed"] is True
    assert firewall.apps == {"/usr/sbin/cupsd": True, str(newer): True}

    assert execute(params(tmp_path), firewall)["changed"] is True
    assert firewall.apps == {"/usr/sbin/cupsd": True}
    assert not Path(given["record"]).exists()
    assert execute(params(tmp_path), firewall)["changed"] is False


@pytest.mark.parametrize("cut_at", ["--add", "--unblockapp"])
def test_a_run_that_is_cut_off_forgets_no_entry(
    tmp_path: Path, interpreter: Path, cut_at: str
) -> None:
    firewall = Firewall({}, cut_at=cut_at)
    with pytest.raises(KeyboardInterrupt):
        execute(params(tmp_path, interpreter), firewall)
    mended = Firewall(firewall.apps)
    execute(params(tmp_path), mended)
    assert mended.apps == {}


def test_what_the_tool_says_is_not_believed(tmp_path: Path, interpreter: Path) -> None:
    with pytest.raises(FirewallError, match="does not list it as allowed"):
        execute(params(tmp_path, interpreter), Firewall({}, obeys=False))


def test_a_program_that_is_not_there_is_refused_but_foretold(tmp_path: Path) -> None:
    given = params(tmp_path, tmp_path / "absent")
    assert execute(given, Firewall({}), check_mode=True)["changed"] is True
    with pytest.raises(FirewallError, match="is not there"):
        execute(given, Firewall({}))


def test_a_record_that_cannot_be_read_stops_it(tmp_path: Path, interpreter: Path) -> None:
    given = params(tmp_path, interpreter)
    Path(given["record"]).parent.mkdir()
    Path(given["record"]).write_text(json.dumps([1]))
    with pytest.raises(FirewallError, match="cannot be read"):
        execute(given, Firewall({}))


def test_a_framework_python_brings_the_program_that_it_starts(tmp_path: Path) -> None:
    python = tmp_path / "Versions/3.11/bin/python3.11"
    app = tmp_path / "Versions/3.11" / PYTHON_APP
    for path in (python, app):
        path.parent.mkdir(parents=True)
        path.write_text("")
    assert real_programs([str(python)]) == [str(python), str(app)]
