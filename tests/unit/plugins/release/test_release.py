# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases from archives and from a registry, with real archives and a real web server."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import os
import pwd
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils import build_lock
from ansible_collections.closet.inference.plugins.module_utils.build_lock import LockedError
from ansible_collections.closet.inference.plugins.module_utils.release import run as release
from ansible_collections.closet.inference.plugins.module_utils.release.request import (
    ReleaseFailedError,
    ReleaseRefusedError,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

PROGRAM = b"#!/bin/sh\necho 1.2.3\n"


def packed(*entries: tuple[str, Any], mode: int = 0o755) -> bytes:
    """A gzipped tar; an entry is a file's bytes, None for a folder, or a TarInfo's fields."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.mode, info.uid = mode, 4711
            if isinstance(content, Mapping):
                for key, value in content.items():
                    setattr(info, key, value)
                tar.addfile(info)
            elif content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def link(target: str, kind: bytes = tarfile.SYMTYPE) -> dict[str, Any]:
    return {"type": kind, "linkname": target}


class Site:
    """A web server with these pages; it remembers what was asked and with which headers."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | str] = {}
        self.asked: list[tuple[str, str]] = []
        self.wait = threading.Event()
        self.wait.set()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, self.headers.get("Authorization", "")))
                site.wait.wait(10)
                page = site.pages.get(self.path)
                if isinstance(page, str):
                    self.send_response(302)
                    self.send_header("Location", page)
                    self.end_headers()
                    return
                self.send_response(404 if page is None else 200)
                self.end_headers()
                self.wfile.write(page or b"")

            def log_message(self, *words: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def params(tmp_path: Path, site: Site) -> dict[str, Any]:
    archive = packed(("top", None), ("top/bin/it", PROGRAM), ("top/it", link("bin/it")))
    site.pages["/it.tgz"] = archive
    return {
        "path": f"{tmp_path}/it/1.2.3",
        "kind": "archive",
        "url": f"{site.url}/it.tgz",
        "checksum": f"sha256:{hashlib.sha256(archive).hexdigest()}",
        "strip_components": 1,
        "check": ["it", "--version"],
        "check_says": "1.2.3",
    }


def serve(params: dict[str, Any], site: Site, archive: bytes) -> dict[str, Any]:
    site.pages["/it.tgz"] = archive
    return {**params, "checksum": f"sha256:{hashlib.sha256(archive).hexdigest()}"}


def left(params: Mapping[str, Any]) -> list[str]:
    folder = Path(params["path"]).parent
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def test_from_nothing_to_complete_and_then_nothing_to_do(
    params: dict[str, Any], site: Site
) -> None:
    foretold = release.execute(params, Runner(), check_mode=True)
    assert site.asked == []
    assert left(params) == []
    told = release.execute(params, Runner())
    assert told == foretold
    assert told["steps"] == ["fetch", "unpack", "check", "complete"]
    assert left(params) == ["1.2.3"]
    path = Path(params["path"])
    assert (path / "bin/it").read_bytes() == PROGRAM
    assert (path / "it").readlink() == Path("bin/it")
    assert (path / "bin/it").stat().st_uid == os.geteuid()
    assert (path / ".complete").read_text().strip() == params["checksum"]
    again = release.execute(params, Runner())
    assert (again["changed"], again["steps"]) == (False, [])
    assert len(site.asked) == 1


def test_no_mode_of_an_archive_lets_others_write_or_become_root(
    params: dict[str, Any], site: Site
) -> None:
    archive = packed(("top/it", PROGRAM), ("top/sub", None), mode=0o6777)
    release.execute(serve(params, site, archive), Runner())
    for name, mode in (("it", 0o755), ("sub", 0o755), (".", 0o755)):
        assert Path(params["path"], name).stat().st_mode & 0o7777 == mode


def test_a_list_of_digests_is_asked(params: dict[str, Any], site: Site) -> None:
    digest = params["checksum"].partition(":")[2]
    site.pages["/sums"] = f"{'0' * 64}  other.tgz\n{digest.upper()} *./it.tgz\n".encode()
    told = release.execute({**params, "checksum": f"sha256:{site.url}/sums"}, Runner())
    assert told["changed"] is True


def test_headers_are_for_the_first_address_alone(params: dict[str, Any], site: Site) -> None:
    site.pages["/moved.tgz"] = f"{site.url}/it.tgz"
    asked = {"url": f"{site.url}/moved.tgz", "headers": {"Authorization": "Bearer QQ=="}}
    release.execute({**params, **asked}, Runner())
    assert site.asked == [("/moved.tgz", "Bearer QQ=="), ("/it.tgz", "")]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"checksum": "sha256:" + "0" * 64}, "is not what was pinned"),
        ({"url": "{site}/gone.tgz"}, "could not be fetched: HTTP Error 404"),
        ({"checksum": "sha256:{site}/gone"}, "could not be fetched"),
        ({"check_says": "9.9.9"}, "did not say '9.9.9'"),
        ({"check": ["bin/none"]}, "ended with 127"),
        ({"check_user": "nobody-of-that-name"}, "has no account nobody-of-that-name"),
    ],
)
def test_a_failure_leaves_nothing(
    params: dict[str, Any], site: Site, changed: dict[str, Any], words: str
) -> None:
    changed = {
        key: value.replace("{site}", site.url) if isinstance(value, str) else value
        for key, value in changed.items()
    }
    with pytest.raises(ReleaseFailedError, match=words):
        release.execute({**params, **changed}, Runner())
    assert left(params) == []


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([("/etc/it", b"")], "leads outside"),
        ([("top/../../it", b"")], "leads outside"),
        ([("top/it", link("/etc/passwd"))], "leads to '/etc/passwd'"),
        ([("top/it", link("../../../etc"))], "leads to"),
        ([("top/a", link(".")), ("top/sub/it", link("../a/../../x"))], "leads to"),
        ([("top/a", link("/tmp")), ("top/a/it", link("b"))], "through another link"),
        ([("top/a", link("sub")), ("top/sub/it", b""), ("top/a/it", b"")], "through another link"),
        ([("top/it", {"type": tarfile.FIFOTYPE})], "is no file, folder or link"),
        ([("top/it", {"type": tarfile.CHRTYPE})], "is no file, folder or link"),
        ([("top/it", link("../../etc/passwd", tarfile.LNKTYPE))], "leads outside"),
    ],
)
def test_an_archive_that_reaches_outside_is_refused(
    params: dict[str, Any], site: Site, entries: list[tuple[str, Any]], words: str
) -> None:
    outside = Path(params["path"]).parents[1]
    # a file below a name that is also a link ends as a conflict, in whichever order
    with pytest.raises(ReleaseFailedError) as raised:
        release.execute(serve(params, site, packed(*entries)), Runner())
    assert words in str(raised.value) or "File exists" in str(raised.value)
    assert left(params) == []
    assert [entry.name for entry in outside.iterdir()] == ["it"]


def test_what_is_no_archive_is_said(params: dict[str, Any], site: Site) -> None:
    with pytest.raises(ReleaseFailedError, match="it cannot be read"):
        release.execute(serve(params, site, b"<html>log in</html>"), Runner())


def test_hard_links_inside_are_kept(params: dict[str, Any], site: Site) -> None:
    archive = packed(("top/bin/it", PROGRAM), ("top/it", link("top/bin/it", tarfile.LNKTYPE)))
    release.execute(serve(params, site, archive), Runner())
    assert Path(params["path"], "it").read_bytes() == PROGRAM


def npm(params: dict[str, Any], site: Site, archive: bytes, integrity: str) -> dict[str, Any]:
    dist = {"tarball": f"{site.url}/npm/it/-/it-1.2.3.tgz", "integrity": integrity}
    site.pages["/npm/it/-/it-1.2.3.tgz"] = archive
    site.pages["/npm/it"] = json.dumps({"versions": {"1.2.3": {"dist": dist}}}).encode()
    return {
        "path": params["path"],
        "kind": "npm",
        "package": "it",
        "version": "1.2.3",
        "registry": f"{site.url}/npm/",
        "check": ["node_modules/it/bin/it"],
        "check_says": "1.2.3",
    }


def integrity_of(archive: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()


def test_a_package_of_npm_is_installed_without_npm(params: dict[str, Any], site: Site) -> None:
    archive = packed(("package/bin/it", PROGRAM), ("package/package.json", b"{}"))
    told = release.execute(npm(params, site, archive, integrity_of(archive)), Runner())
    assert told["changed"] is True
    assert Path(params["path"], "node_modules/it/package.json").read_text() == "{}"
    assert Path(params["path"], ".complete").read_text() == "it@1.2.3\n"


@pytest.mark.parametrize(
    ("integrity", "words"),
    [
        (integrity_of(b"other"), "is not what was pinned"),
        ("sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "proves nothing"),
        ("sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk= " + integrity_of(b"other"), "is not what was pinned"),
    ],
)
def test_a_package_has_to_be_what_its_registry_says(
    params: dict[str, Any], site: Site, integrity: str, words: str
) -> None:
    asked = npm(params, site, packed(("package/bin/it", PROGRAM)), integrity)
    with pytest.raises(ReleaseFailedError, match=words):
        release.execute(asked, Runner())
    assert left(params) == []


def test_a_version_that_is_not_there_is_said(params: dict[str, Any], site: Site) -> None:
    asked = {**npm(params, site, b"", ""), "version": "9.9.9"}
    with pytest.raises(ReleaseFailedError, match="lists no it 9"):
        release.execute(asked, Runner())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"path": "it"}, "not an absolute path"),
        ({"path": "/opt/../etc"}, "not an absolute path"),
        ({"url": "it.tgz"}, "no address"),
        ({"checksum": "e9c8"}, "not an algorithm and a digest"),
        ({"checksum": "crc:e9c8"}, "not an algorithm and a digest"),
        ({"check": ["/bin/sh"]}, "below the release"),
        ({"check": ["../sh"]}, "below the release"),
        ({"kind": "npm", "package": "../it", "version": "1"}, "no name of a package"),
        ({"kind": "npm", "package": "it", "version": "^1"}, "is no version"),
    ],
)
def test_refused(params: dict[str, Any], changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ReleaseRefusedError, match=words):
        release.execute({**params, **changed}, Runner())


def test_what_others_made_is_never_removed(params: dict[str, Any]) -> None:
    Path(params["path"]).mkdir(parents=True)
    Path(params["path"], "thesis.txt").touch()
    for asked in (params, {**params, "state": "absent"}):
        with pytest.raises(ReleaseRefusedError, match="this module did not install"):
            release.execute(asked, Runner())
    assert Path(params["path"], "thesis.txt").exists()


def test_what_a_killed_build_left_is_gone(params: dict[str, Any]) -> None:
    for name in ("1.2.3.partial", "1.2.3.scratch", "1.2.3"):
        Path(params["path"]).with_name(name).mkdir(parents=True)
        Path(params["path"]).with_name(name).joinpath(".closet.inference").touch()
    Path(params["path"] + ".lock").touch()
    told = release.execute(params, Runner())
    assert told["steps"][0] == "remove"
    assert left(params) == ["1.2.3"]


def test_the_second_of_two_builders_finds_it_complete(params: dict[str, Any], site: Site) -> None:
    site.wait.clear()
    told: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: told.append(release.execute(params, Runner())))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    site.wait.set()
    for thread in threads:
        thread.join()
    assert sorted(one["changed"] for one in told) == [False, True]
    assert len(site.asked) == 1
    waited = next(one for one in told if not one["changed"])
    assert "s for process" in waited["warnings"][0]


def test_a_builder_that_is_killed_is_followed_by_the_next(
    params: dict[str, Any], site: Site, tmp_path: Path
) -> None:
    site.wait.clear()
    program = (
        "import json, sys; from ansible_collections.closet.inference.plugins.module_utils"
        ".release import run; from ansible_collections.closet.inference.plugins.module_utils"
        ".runner import Runner; run.execute(json.loads(sys.argv[1]), Runner())"
    )
    builder = subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(params)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    while not site.asked:
        time.sleep(0.02)
    assert "1.2.3.lock" in left(params)
    with pytest.raises(LockedError, match=f"process {builder.pid}, which is to install it"):
        with_wait(params, 0.0)
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    site.wait.set()
    assert release.execute(params, Runner())["changed"] is True
    assert left(params) == ["1.2.3"]


def with_wait(params: dict[str, Any], wait_s: float) -> None:
    with build_lock.held(params["path"], "install it", Runner(), wait_s):
        pytest.fail("two builders at the same time")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other accounts can look into; pytest's own are 0700."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_trial_has_given_up_root_and_has_no_environment_of_ours(
    params: dict[str, Any], site: Site, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hush")
    params["path"] = f"{open_folder}/it/1.2.3"
    program = b"#!/bin/sh\necho $(id -u) $(id -G | wc -w) ${SECRET:-none} $(ls -d $HOME)\n"
    says = f"{uid_of_nobody()} 1 none {params['path']}.scratch"
    asked = serve(params, site, packed(("top/it", program)))
    told = release.execute({**asked, "check_user": "nobody", "check_says": says}, Runner())
    assert told["changed"] is True
    assert left(params) == ["1.2.3"]


def uid_of_nobody() -> int:
    return pwd.getpwnam("nobody").pw_uid


def test_old_ones_go(params: dict[str, Any]) -> None:
    for version in ("1", "2", "3"):
        release.execute({**params, "path": str(Path(params["path"]).with_name(version))}, Runner())
    newest = str(Path(params["path"]).with_name("3"))
    told = release.execute({"path": newest, "state": "pruned", "keep": 1}, Runner())
    assert told["steps"] == ["remove 1"]
    assert left(params) == ["2", "3"]
    told = release.execute({"path": newest, "state": "absent"}, Runner())
    assert left(params) == ["2"]
