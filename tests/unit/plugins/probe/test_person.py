"""The person's own shell is asked, whichever it is; what it says becomes sentences."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.probe import person, script
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    parse,
    plain,
)

KID = person.Person("kid", "/Users/kid", "/bin/zsh", True)
OTHER = "/Users/kid/.v2/bin/opencode"


def perl(home: Path, shell: str, limit_s: int = 10) -> dict[str, str]:
    """What the look prints for an account of that shell and home."""
    account = f'("kid", "x", $<, 0, 0, 0, 0, "{home}", "{shell}")'
    code = person.PERL.replace("(getpwuid $<)", account)
    done = subprocess.run(
        ["perl", "-e", code, person.QUESTION, str(limit_s)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With another opencode in a folder that no PATH has yet."""
    program = tmp_path / ".v2/bin/opencode"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho 2.0.32\necho more\n")
    program.chmod(0o755)
    return tmp_path


FILES = {
    "zsh": (".zshrc", "export PATH=$HOME/.v2/bin:$PATH; echo junk; sleep 60 &"),
    "bash": (".bashrc", "PATH=~/.v2/bin:$PATH; echo person_other=; sleep 60 &"),
    "dash": (".profile", "PATH=$HOME/.v2/bin:$PATH"),
    "tcsh": (".tcshrc", "setenv PATH ${HOME}/.v2/bin:${PATH}"),
    "fish": (".config/fish/config.fish", "set -gx PATH $HOME/.v2/bin $PATH"),
}


@pytest.mark.parametrize("shell", FILES)
def test_each_shell_says_which_opencode_is_first(home: Path, shell: str) -> None:
    program = shutil.which(shell)
    assert program is not None, "scripts/packages installs it"
    name, text = FILES[shell]
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(f"{text}\n")
    said = perl(home, program)
    assert said["person_shell"] == program
    assert said["person_other"] == str(home / ".v2/bin/opencode")
    assert said["person_version"] == "2.0.32"
    assert said["person_writes"] == "yes"
    (home / name).write_text("")
    said = perl(home, program)
    assert "person_other" not in said
    assert said["person_reaches"] == "yes"


def test_a_file_that_waits_for_ever_costs_the_limit(home: Path) -> None:
    (home / ".zshenv").write_text("cat /dev/zero >/dev/null\n")
    said = perl(home, str(shutil.which("zsh")), limit_s=1)
    assert "person_reaches" not in said


def test_a_file_that_prints_without_an_end_is_cut(home: Path) -> None:
    (home / ".zshenv").write_text("yes person_x=; cat /dev/zero\n")
    said = perl(home, str(shutil.which("zsh")), limit_s=1)
    assert "person_reaches" not in said
    (home / ".zshenv").write_text("head -c 99999 /dev/zero; echo; PATH=~/.v2/bin:$PATH\n")
    assert perl(home, str(shutil.which("zsh")))["person_version"] == "2.0.32"


def test_a_shell_that_says_nothing_is_unknown(home: Path) -> None:
    assert "person_reaches" not in perl(home, "/bin/false")


def test_the_look_at_a_laptop_asks_and_that_at_a_closet_does_not() -> None:
    assert "person_end" not in script.text({})
    me = pwd.getpwuid(os.geteuid())
    done = subprocess.run(
        script.SHELL.split(),
        input=script.as_input(script.text({}, of_person="")),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    facts = parse(done.stdout)
    assert facts.complete
    assert (facts.person.name, facts.person.home) == (me.pw_name, me.pw_dir)
    assert "!= kid ]; then set -- sudo -n -H -u kid" in script.text({}, of_person="kid")
    assert "person" not in plain(facts)
    assert plain(facts)["zsh_folders"] == []


def test_the_question_is_one_word_for_every_shell() -> None:
    assert not re.search(r"['!\\\n]", person.QUESTION)


@pytest.mark.parametrize(
    ("zdotdir", "folders"),
    [
        ("", []),
        ("/Users/kid", []),
        ("/Users/kid/", []),
        ("/Users/kid/.config/zsh", ["/Users/kid/.config", "/Users/kid/.config/zsh"]),
        ("/Users/kid/.zsh/", ["/Users/kid/.zsh"]),
        ("/Users/kidder/.zsh", []),
        ("/etc/zsh", []),
        ("relative", []),
    ],
)
def test_where_zsh_has_the_persons_files(zdotdir: str, folders: list[str]) -> None:
    asked = person.Person("kid", "/Users/kid", "/bin/zsh", True, zdotdir=zdotdir)
    assert person.zsh_folders(asked) == folders


@pytest.mark.parametrize(
    ("asked", "ours", "parts"),
    [
        (KID, "1.18.33", []),
        (person.UNKNOWN, "1.18.33", []),
        (
            person.Person("kid", "/Users/kid", "/bin/zsh", True, OTHER, True, "2.0.32"),
            "1.18.33",
            [
                f"air: in the shell of kid (/bin/zsh) `opencode` is {OTHER} (2.0.32).",
                "/usr/local/bin/opencode (1.18.33)",
                f"as kid on air run `mv -n {OTHER} {OTHER}.other`",
            ],
        ),
        (
            person.Person("kid", "/Users/kid", "/bin/zsh", True, "/opt/a b/opencode"),
            "",
            ["`sudo mv -n '/opt/a b/opencode' '/opt/a b/opencode.other'`", "/usr/local/bin/open"],
        ),
        (
            person.Person("kid", "/Users/kid", "/bin/tcsh", False),
            "",
            ["(/bin/tcsh) does not look into /usr/local/bin", "setenv PATH", ">> ~/.tcshrc"],
        ),
        (
            person.Person("kid", "/Users/kid", "/opt/homebrew/bin/fish", False),
            "",
            ["`fish_add_path --append /usr/local/bin`"],
        ),
        (
            person.Person("kid", "/Users/kid", "/opt/nu", False),
            "",
            ["add /usr/local/bin to PATH in its files"],
        ),
        (person.Person("kid", "/Users/kid", "/bin/bash", False), "", []),
        (
            person.Person("kid", "/Users/kid", "/bin/zsh", True, zdotdir="/etc/zdot"),
            "",
            ["zsh of kid reads /etc/zdot/.zshenv", person.HOOK],
        ),
    ],
)
def test_what_the_person_is_told(asked: person.Person, ours: str, parts: list[str]) -> None:
    told = person.warnings("air", asked, ours)
    assert bool(told) is bool(parts)
    for part in parts:
        assert part in told[0]


def test_a_version_that_is_no_line_of_text_is_left_out() -> None:
    assert person.read({"person_version": "\x1b[31mred"}).version == ""
    assert len(person.read({"person_version": "9" * 100}).version) == 40
    assert person.read({"person_other": "/x\x1b]0;y\x07/opencode"}).other == ""
