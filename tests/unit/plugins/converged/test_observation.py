"""What the probe sees of the watches of a record; the script runs here, on files of the test."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.converged import observation, watches
from ansible_collections.closet.inference.plugins.plugin_utils.converged.observation import State
from ansible_collections.closet.inference.plugins.plugin_utils.converged.watches import Watch

KEYS = {watches.digest(key): key for key in ("main", "old")}
MAIN, OLD = KEYS


def observed(*wanted: Watch) -> State:
    """Run the script as a user without sudo, as on a laptop."""
    script = observation.script(wanted, {}, KEYS)
    done = subprocess.run(
        ["/bin/sh", "-s"], input=script, capture_output=True, text=True, timeout=60, check=True
    )
    return observation.read(done.stdout.split("\n"), wanted, {})


def path(at: Path) -> Watch:
    return Watch("path", str(at))


@pytest.mark.parametrize(
    "change",
    [
        lambda at: at.write_text("other"),
        lambda at: at.chmod(0o640),
        lambda at: at.unlink(),
        lambda at: (at.rename(f"{at}.kept"), at.symlink_to(f"{at}.kept")),
        lambda at: (at.unlink(), at.mkdir()),
    ],
    ids=["content", "mode", "gone", "link", "folder"],
)
def test_a_change_of_a_path_is_seen(tmp_path: Path, change: object) -> None:
    file, other = tmp_path / "a file's name", tmp_path / "other"
    file.write_text("text")
    other.write_text("text")
    before = observed(path(file), path(other))
    assert before.gap == ""
    assert observed(path(file), path(other)) == before
    change(file)  # type: ignore[operator]
    after = observed(path(file), path(other))
    differs = {name for name, text in after.subjects.items() if before.subjects[name] != text}
    assert differs == {f"path {file}"}


def test_the_time_of_a_file_and_what_is_in_a_folder_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    before = observed(path(tmp_path), path(file))
    file.write_text("text")
    (tmp_path / "new").touch()
    assert observed(path(tmp_path), path(file)) == before


def test_of_an_entry_the_content_does_not_count(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("text")
    before = observed(Watch("entry", str(log)))
    log.write_text("another text")
    assert observed(Watch("entry", str(log))) == before
    log.chmod(0o666)
    assert observed(Watch("entry", str(log))) != before


def test_a_tree_counts_with_names_and_sizes(tmp_path: Path) -> None:
    below = tmp_path / "one/two"
    below.mkdir(parents=True)
    (below / "weights").write_bytes(b"12345")
    before = observed(Watch("tree", str(tmp_path)))
    (tmp_path / ".closet.lock").write_text("another run")
    assert observed(Watch("tree", str(tmp_path))) == before
    (below / "weights").write_bytes(b"1234")
    assert observed(Watch("tree", str(tmp_path))) != before


def test_what_an_account_may_not_see_is_a_gap() -> None:
    wanted = (Watch("path", "/root/secret"),)
    lines = ["seen=-rw------- 0 0 /root/secret", "read=yes", "observed=yes"]
    assert observation.read(lines, wanted, {}).gap == "/root/secret is not readable"
    # with a sudo that asks for a password nothing of root's is seen
    assert "sudo that asks" in observation.read(["observed=yes"], wanted, {"root": "/"}).gap


def test_each_account_reads_its_own_home_and_root_the_rest() -> None:
    homes = {"": "/Users/admin", "llm": "/Users/llm", "root": "/"}
    wanted = [
        Watch("path", at) for at in ("/Users/admin/x", "/Users/llm/x", "/Users/llmore/x", "/etc/x")
    ]
    script = observation.script(wanted, homes, {})
    assert "\nentries /Users/admin/x; contents /Users/admin/x; echo read=yes" in script
    as_llm, as_root = script.split("sudo -n ")[1:]
    assert as_llm.startswith("-H -u llm ")
    assert "entries /Users/llm/x;" in as_llm
    assert "entries /Users/llmore/x /etc/x;" in as_root


def test_root_reads_no_content_in_a_folder_that_an_account_may_change() -> None:
    wanted = (
        Watch("path", "/Volumes/models/settings.json"),
        Watch("tree", "/Volumes/models/store"),
    )
    homes = {"": "/Users/admin", "root": "/"}
    script = observation.script(wanted, homes, {})
    assert "entries /Volumes/models/settings.json /Volumes/models/store;" in script
    assert "contents /" not in script
    assert "trees /" not in script
    # the programs of the collection's jobs are the system's or its own
    for program in ("/bin/sh", "/usr/sbin/sysctl", "/opt/closet/omlx/1/bin/python"):
        assert f"contents {program};" in observation.script([Watch("path", program)], homes, {})
    # so that the host never counts as converged
    lines = ["seen=-rw------- 501 20 /Volumes/models/settings.json", "read=yes", "observed=yes"]
    assert observation.read(lines, wanted[:1], homes).gap != ""
    assert observation.read(lines, wanted[1:], homes).gap != ""


class Server(BaseHTTPRequestHandler):
    """A /v1 that knows one key; `wrong` makes it answer otherwise."""

    wrong = ""

    def do_GET(self) -> None:
        refused = self.headers["Authorization"] != "Bearer main" and self.wrong != "open"
        models = ["a", "b"] if self.wrong != "fewer" else ["a"]
        self.say(401 if refused else 200, {"data": [{"id": name} for name in models]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert asked["model"] == 'a "quoted" \\ name'
        self.say(500 if self.wrong == "silent" else 200, {"choices": [{}]})

    def say(self, code: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Server.wrong = ""
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_an_endpoint_is_seen_with_its_models(url: str) -> None:
    wanted = Watch("endpoint", url, MAIN, (OLD,), 'a "quoted" \\ name')
    assert observed(wanted).subjects[f"endpoint {url}"] == "a b"
    Server.wrong = "fewer"
    assert observed(wanted).subjects[f"endpoint {url}"] == "a"


@pytest.mark.parametrize(
    ("wrong", "gap"),
    [("open", "does not refuse a revoked key"), ("silent", "does not answer")],
)
def test_an_endpoint_that_is_wrong_is_a_gap(url: str, wrong: str, gap: str) -> None:
    Server.wrong = wrong
    assert observed(Watch("endpoint", url, MAIN, (OLD,), 'a "quoted" \\ name')).gap.endswith(gap)


def test_an_endpoint_whose_key_is_unknown_here_is_a_gap(url: str) -> None:
    assert observed(Watch("endpoint", url, watches.digest("no key of ours"))).gap != ""


def test_no_key_is_on_a_command_line() -> None:
    script = observation.script([Watch("endpoint", "http://a/v1", MAIN)], {}, KEYS)
    line = next(line for line in script.split("\n") if "curl" in line)
    assert "Bearer" not in line.partition("curl")[2]
