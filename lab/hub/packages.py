"""A Python package index (PEP 503) and an npm registry, read only, over the parts' cache.

And ollama's release archive and registry, which are made on the spot (`lab.hub.ollama`), and the
archive of Tailscale's programs, if they were built (`lab.parts.gobuild`).
"""

from __future__ import annotations

import html
import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from lab.hub import ollama
from lab.hub.web import Journal, WebHandler, WebServer
from lab.parts import gobuild

INDEX_NAME = "index.json"
CHECKSUMS = "sha256sum.txt"


def normalized(name: str) -> str:
    """A project's name as an index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def project_of(wheel: str) -> str:
    """The normalized project name in a wheel's file name."""
    return normalized(wheel.split("-", 1)[0])


def page(links: list[tuple[str, str]]) -> bytes:
    """A page of links: (text, address)."""
    rows = "\n".join(
        f'<a href="{html.escape(to)}">{html.escape(text)}</a><br>' for text, to in links
    )
    head = '<meta name="pypi:repository-version" content="1.0"><title>closet lab</title>'
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n{rows}\n</body></html>\n".encode()


class PackageServer(WebServer):
    """The packages under `<cache>/wheels` and `<cache>/npm`."""

    def __init__(self, address: tuple[str, int], cache: Path, journal: Journal) -> None:
        self.cache = cache
        super().__init__(address, PackageHandler, "packages", journal)

    def index(self, kind: str) -> dict[str, Any]:
        """What was fetched of one kind, read anew: a fetch may have just ended."""
        path = self.cache / kind / INDEX_NAME
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return dict(found)


class PackageHandler(WebHandler):
    """One connection to the package server."""

    server: PackageServer

    def answer(self) -> None:
        """`/simple/`, `/files/`, `/npm/` and `/_lab/health`."""
        path = unquote(urlsplit(self.path).path)
        if self.command not in ("GET", "HEAD"):
            self.read_body()
            return self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "this registry is read only")
        if path == "/_lab/health":
            return self.send_json({"status": "ok"})
        for prefix, route in (
            ("/simple/", self._simple),
            ("/files/", self._wheel),
            ("/npm/", self._npm),
            ("/tailscale/", self._tailscale),
        ):
            if path.startswith(prefix):
                return route(path.removeprefix(prefix))
        if path == "/simple":
            return self._redirect("/simple/")
        if path.startswith(("/ollama/", "/v2/")) and (found := ollama.find(path)):
            return self.send_bytes(*found)
        return self._refuse(
            HTTPStatus.NOT_FOUND, "there are /simple/, /npm/, /tailscale/, /ollama/ and /v2/ here"
        )

    def _refuse(self, status: int, message: str) -> None:
        self.send_json({"error": message}, status)

    def _redirect(self, to: str) -> None:
        moved = HTTPStatus.MOVED_PERMANENTLY
        self.send_bytes(b"", "text/plain", moved, [("Location", quote(to))])

    def _simple(self, rest: str) -> None:
        """The list of projects, or the files of one."""
        wheels = self.server.index("wheels")
        if not rest:
            names = sorted({project_of(wheel) for wheel in wheels})
            return self._page([(name, f"/simple/{name}/") for name in names])
        if not rest.endswith("/"):
            return self._redirect(f"/simple/{rest}/")
        name = normalized(rest.rstrip("/"))
        mine = sorted(wheel for wheel in wheels if project_of(wheel) == name)
        if not mine:
            return self._refuse(HTTPStatus.NOT_FOUND, f"no wheel of {name} is in the lab's cache")
        return self._page(
            [(each, f"/files/{quote(each)}#sha256={wheels[each]['sha256']}") for each in mine]
        )

    def _page(self, links: list[tuple[str, str]]) -> None:
        self.send_bytes(page(links), "text/html; charset=utf-8")

    def _wheel(self, name: str) -> None:
        """One file of the index; nothing else in the cache can be asked for."""
        if name not in self.server.index("wheels"):
            return self._refuse(HTTPStatus.NOT_FOUND, f"{name} is not in the lab's cache")
        return self.send_file(self.server.cache / "wheels" / name)

    def _tailscale(self, rest: str) -> None:
        """`VERSION/tailscale.tgz`, or `VERSION/sha256sum.txt` about it."""
        version, _, file = rest.partition("/")
        found = gobuild.archive_of(self.server.cache, version)
        if found is None or file not in (gobuild.ARCHIVE, CHECKSUMS):
            return self._refuse(HTTPStatus.NOT_FOUND, f"{rest} is not in the lab's cache")
        archive, digest = found
        if file == CHECKSUMS:
            return self.send_bytes(f"{digest}  ./{archive.name}\n".encode(), "text/plain")
        return self.send_file(archive)

    def _npm(self, rest: str) -> None:
        """A packument, the manifest of one version, or a tarball."""
        name, separator, file = rest.partition("/-/")
        packages = self.server.index("npm")
        if separator:
            versions = packages.get(name, {}).values()
            if not any(entry["file"] == file for entry in versions):
                return self._refuse(HTTPStatus.NOT_FOUND, f"{name} has no {file} here")
            return self.send_file(self.server.cache / "npm" / file)
        name, _, version = name.partition("/")
        if name not in packages or (version and version not in packages[name]):
            return self._refuse(HTTPStatus.NOT_FOUND, f"{rest} is not in the lab's cache")
        versions = {each: self._manifest(name, each) for each in packages[name]}
        if version:
            return self.send_json(versions[version])
        latest = {"latest": list(versions)[-1]}
        return self.send_json({"name": name, "dist-tags": latest, "versions": versions})

    def _manifest(self, name: str, version: str) -> dict[str, Any]:
        """A version as npm wants it; the tarball is where the client found this server."""
        entry = self.server.index("npm")[name][version]
        host = self.headers.get("Host") or "{}:{}".format(*self.server.server_address[:2])
        return {
            **entry["manifest"],
            "dist": {
                "integrity": entry["integrity"],
                "shasum": entry["shasum"],
                "tarball": f"http://{host}/npm/{name}/-/{entry['file']}",
            },
        }
