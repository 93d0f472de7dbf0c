"""The text of the look, and what the hub's answer in it says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.opencode import files
from ansible_collections.closet.inference.plugins.plugin_utils.probe import script
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    HostFacts,
    parse,
)
from tests.unit import documents
from tests.unit.plugins.launchd.launchd_mac import fixture

MODEL = {"repo": "o/m", "revision": "main"}
SERVING: dict[str, Any] = {"port": 8000, "models": [MODEL, {"repo": "", "revision": "main"}]}


@pytest.mark.parametrize("serving", [None, SERVING])
def test_a_posix_shell_reads_it(serving: dict[str, Any] | None) -> None:
    text = script.text(serving, "http://hub.local:8080/")
    done = subprocess.run(
        ["/bin/sh", "-n"], input=script.as_input(text), text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("lsof" in text) == (serving is not None)
    assert text.rstrip().endswith("say probe end")


def test_the_hub_is_asked_for_sizes_once_per_repository() -> None:
    url = "http://hub.local:8080/api/models/o/m/revision/main?blobs=true"
    assert script.questions(SERVING["models"], "http://hub.local:8080/") == [("o/m@main", url)]
    assert script.questions(SERVING["models"], "") == []
    text = script.text(
        {**SERVING, "models": [{"repo": "o/m", "revision": "a; reboot"}]}, "http://h"
    )
    assert "ask 'o/m@a; reboot' 'http://h/api/models/o/m/revision/a%3B%20reboot?blobs=true'" in text


def answer(**files: int) -> str:
    siblings = [{"rfilename": name.replace("_", "."), "size": size} for name, size in files.items()]
    return json.dumps({"id": "o/m", "siblings": siblings})


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (answer(a_safetensors=2_000_000_000, b_safetensors=1, config_json=9), 2.000000001),
        (answer(a_safetensors=1_000_000_000, a_bin=5_000_000_000), 1.0),
        (answer(a_safetensors=1_000_000_000, consolidated_safetensors=1_000_000_000), 1.0),
        (answer(**{"original/a_safetensors": 5_000_000_000, "a_safetensors": 10**9}), 1.0),
        (answer(**{"sub/a_safetensors": 5_000_000_000, "a_safetensors": 10**9}), 1.0),
        (answer(**{"original/a_bin": 5_000_000_000, "a_bin": 10**9, "optimizer_pt": 9}), 1.0),
        (answer(config_json=9), None),
        ('{"error": "Repository not found"}', None),
        ("curl: (7) Failed to connect", None),
        ("hub=000", None),
        ("[]", None),
    ],
)
def test_what_the_hub_tells_is_the_weights_and_nothing_else(line: str, size: float | None) -> None:
    told = script.hub_sizes([line], [MODEL])
    assert told == ({} if size is None else {"o/m@main": pytest.approx(size)})


def test_the_name_of_an_account_cannot_become_a_command() -> None:
    serving = {"port": 8000, "models": []}
    assert script.text(serving, "", "x; rm -rf /").startswith("account='x; rm -rf /'\n")
    assert "account=" not in script.text(serving).splitlines()[0]


def seen_at(home: Path) -> HostFacts:
    """What the look at a laptop says of this home."""
    done = subprocess.run(
        shlex.split(script.SHELL),
        input=script.as_input(script.text(None)),
        env={"HOME": str(home)},
        text=True,
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == ""
    return parse(done.stdout)


def test_a_path_cannot_tell_facts() -> None:
    """A program that listens may lie wherever its account likes, also below a line end."""
    says = script.FACTS[script.FACTS.index("newline=") : script.FACTS.index("say probe begin")]
    text = says + "say listener \"$(printf '1 1 1 /tmp/a\\nuser=root\\nhome=/tmp/b')\""
    for shell in ("dash", "bash"):
        done = subprocess.run([shell, "-c", text], text=True, capture_output=True, check=True)
        assert done.stdout == "listener=1 1 1 /tmp/a user=root home=/tmp/b\n"


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\r"])
def test_only_a_line_feed_ends_a_fact(end: str) -> None:
    seen = parse(f"probe=begin\nuser=jane\ngroup=a{end}user=root\nprobe=end\n")
    assert (seen.user, seen.group) == ("jane", f"a{end}user=root")


def write(home: Path, name: str, text: str) -> None:
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(text)


def test_a_home_with_nothing_but_ours_has_nothing_to_look_into(tmp_path: Path) -> None:
    write(tmp_path, files.OURS, f"{files.MARK} Edits are lost.\n{{}}\n")
    (tmp_path / ".config/closet/secrets").mkdir(parents=True)
    seen = seen_at(tmp_path)
    assert (seen.opencode, seen.mcp) == ((), ())


@pytest.mark.parametrize("name", files.THEIRS)
def test_what_opencode_makes_itself_is_no_configuration(tmp_path: Path, name: str) -> None:
    """Of 1.18.33, at its first start; a file with more in it is the person's."""
    own = '{\n  "$schema": "https://opencode.ai/config.json"\n}'
    write(tmp_path, name, own)
    assert seen_at(tmp_path).opencode == ()
    write(tmp_path, name, own.replace("\n}", ',\n  "share": "auto"\n}'))
    assert seen_at(tmp_path).opencode == (name,)


@pytest.mark.parametrize("name", [*files.THEIRS, files.OURS])
def test_a_file_of_the_persons_own_is_seen(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, '{"share": "auto"}\n')
    assert seen_at(tmp_path).opencode == (name,)


@pytest.mark.parametrize(
    "name", ["mcp.sh", "merged/claude.json", "merged/vscode-mcp.json", "secrets/github"]
)
def test_what_the_role_mcp_left_is_seen(tmp_path: Path, name: str) -> None:
    write(tmp_path, f".config/closet/{name}", "")
    assert seen_at(tmp_path).mcp == (Path(name).name,)


@pytest.mark.parametrize(
    ("name", "change", "pid"),
    [
        ("f1_daemon_running.txt", ("", ""), "10526"),
        ("f1_daemon_stopped.txt", ("", ""), ""),
        ("f10_daemon_crash_loop.txt", ("", ""), ""),
        # a variable, an argument of several lines, and what looks like a nested one
        ("f1_daemon_running.txt", ("\t\tSUDO_GID", "\t\tpid = 7\n\t\tSUDO_GID"), "10526"),
        ("f1_daemon_running.txt", ("\targuments = {", "\targuments = {\n\tpid = 7"), "10526"),
        ("f1_daemon_stopped.txt", ("\targuments = {", "\targuments = {\n\tpid = 7"), ""),
        ("f1_daemon_stopped.txt", ("\targuments = {", "\tstate = x\n\tpid = 7"), ""),
    ],
)
def test_the_process_of_a_job_is_told_from_words_that_look_like_it(
    name: str, change: tuple[str, str], pid: str
) -> None:
    text = fixture(name).replace(*change)
    assert change[1] in text
    done = subprocess.run(
        ["awk", script.PID], input=text, text=True, capture_output=True, check=True, timeout=30
    )
    assert (done.stdout.strip(), done.stderr) == (pid, "")
    assert script.PID in script.text(SERVING)


def test_the_look_knows_every_file_that_the_role_mcp_keeps() -> None:
    role = documents.read(Path(__file__).parents[4] / "roles/mcp/vars/main.yml")
    kept = [file["record"] for file in role["__mcp_client_files"]]
    kept += [file["path"] for file in role["__mcp_shell_on"] if "block" not in file]
    assert len(kept) == 3
    for path in kept:
        assert path.replace("{{ __mcp_config }}", "$mine") in script.FACTS


@pytest.mark.parametrize(
    ("line", "jobs"),
    [
        ("", None),
        ("jobs=told ", ()),
        ("jobs=told inference.closet.omlx ", ("inference.closet.omlx",)),
    ],
)
def test_no_job_is_another_answer_than_none_at_all(line: str, jobs: tuple[str, ...] | None) -> None:
    assert parse(f"probe=begin\n{line}\nprobe=end\n").jobs == jobs


def test_only_a_file_is_a_job_that_is_on_disk(tmp_path: Path) -> None:
    """A folder or a dangling link of our name could neither be loaded nor removed as a job."""
    for name in ("b", "a"):
        (tmp_path / f"inference.closet.{name}.plist").write_text("")
    (tmp_path / "inference.closet.folder.plist").mkdir()
    (tmp_path / "inference.closet.link.plist").symlink_to("/nowhere")
    text = script.CLOSET.partition("listed=")[2].partition("say run ")[0]
    text = "say() { echo \"$@\"; }\nsudo() { echo '7 0 inference.closet.c'; }\nlisted=" + text
    done = subprocess.run(
        ["/bin/sh"],
        input=text.replace("/Library/LaunchDaemons", str(tmp_path)),
        text=True,
        capture_output=True,
        check=True,
        timeout=30,
    )
    names = " ".join(f"inference.closet.{name}" for name in "abc")
    assert (done.stdout.strip(), done.stderr) == (f"jobs told {names}", "")


def test_no_case_stands_within_a_substitution() -> None:
    """bash 3.2, the /bin/sh of macOS, takes the bracket of a pattern for the end of `$(...)`."""
    text = script.text(SERVING, "http://h", "ada", in_tailnet=True)
    text = re.sub(r"(?m)^\s*#.*$", "", text)
    text = re.sub(r"'[^']*'", "''", text)
    for begin in re.finditer(re.escape("$("), text):
        depth = 0
        for end in range(begin.start(), len(text)):  # to the bracket that bash 3.2 would take
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            if depth == 0 and text[end] == ")":
                break
        assert not re.search(r"\bcase\b", text[begin.start() : end])
