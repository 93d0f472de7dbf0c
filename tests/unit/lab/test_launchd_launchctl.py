"""launchctl's own part: arguments to requests, usage errors, and what needs no launchd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.launchd import launchctl

SYSTEM = {"kind": "system", "number": 0, "label": None}
JOB = {**SYSTEM, "label": "a.b"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["bootstrap", "system", "/x.plist"], {**SYSTEM, "paths": ["/x.plist"]}),
        (["bootout", "system/a.b"], {**JOB, "paths": [], "flags": []}),
        (["bootout", "--wait", "system/a.b"], {**JOB, "paths": [], "flags": ["wait"]}),
        (["bootout", "system", "/x"], {**SYSTEM, "paths": ["/x"], "flags": []}),
        (["kickstart", "-kp", "system/a.b"], {**JOB, "flags": ["k", "p"]}),
        (["kickstart", "-k", "-p", "system/a.b"], {**JOB, "flags": ["k", "p"]}),
        (["enable", "gui/501/a.b"], {"kind": "gui", "number": 501, "label": "a.b"}),
        (["print", "user/501"], {"kind": "user", "number": 501, "label": None}),
        (["print", "system/"], SYSTEM),
        (["print-disabled", "system"], SYSTEM),
        (["kill", "TERM", "system/a.b"], {**JOB, "signal": 15}),
        (["kill", "-SIGKILL", "system/a.b"], {**JOB, "signal": 9}),
        (["kill", "30", "system/a.b"], {**JOB, "signal": 10}),  # SIGUSR1 is 30 on Darwin
        (["list"], {"label": None}),
        (["list", "a.b"], {"label": "a.b"}),
        (["load", "-w", "/x.plist"], {"paths": ["/x.plist"], "flags": ["w"]}),
        (["stop", "a.b"], {"label": "a.b"}),
    ],
)
def test_request(words: list[str], expected: dict[str, Any]) -> None:
    verb, *arguments = words
    assert launchctl.parse(verb, arguments) == {"verb": verb, **expected}


def test_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert launchctl.parse("bootstrap", ["system", "x.plist"])["paths"] == [
        str(tmp_path / "x.plist")
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["print", "not-a-domain"],
        ["print", "gui"],
        ["print", "gui/me/a.b"],
        ["bootstrap", "/x.plist"],
        ["bootstrap", "system/a.b", "/x.plist"],
        ["bootout", "a.b"],
        ["kickstart", "a.b"],
        ["kickstart", "-k", "system"],
        ["enable", "system"],
        ["kill", "TERM", "a.b"],
        ["print-disabled", "system/a.b"],
    ],
)
def test_unrecognised_target(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert launchctl.main(words) == 64
    assert capsys.readouterr().err.startswith(
        f"Unrecognized target specifier.\nUsage: launchctl {words[0]} "
    )


@pytest.mark.parametrize(
    "words",
    [
        ["bootstrap"],
        ["kickstart", "-k"],
        ["kickstart", "-x", "system/a.b"],
        ["kickstart", "--kill", "system/a.b"],
        ["kill", "system/a.b"],
        ["kill", "NONSENSE", "system/a.b"],
        ["load"],
        ["error"],
        ["error", "five"],
    ],
)
def test_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert launchctl.main(words) == 64
    assert f"Usage: launchctl {words[0]} " in capsys.readouterr().err


def test_unknown_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert launchctl.main(["frobnicate"]) == 1
    assert capsys.readouterr().err.startswith("Unrecognized subcommand: frobnicate\nUsage: ")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["5"], "5: Input/output error"),
        (["113"], "113: Could not find specified service"),
        (["0xa1"], "161: Service cannot be launched because of BTM policy"),
        (["bootstrap", "119"], "119: Service is disabled"),
    ],
)
def test_error(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert launchctl.main(["error", *words]) == 0
    assert capsys.readouterr().out == f"{line}\n"


def test_without_launchd_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLOSET_LAB_LAUNCHD_SOCKET", str(tmp_path / "none"))
    assert launchctl.main(["list"]) == 69
    assert "does not answer" in capsys.readouterr().err


def test_every_verb_that_is_parsed_has_a_usage_line() -> None:
    assert set(launchctl.PARSERS) <= set(launchctl.USAGE)
