"""The second origin: where the hub's redirects for big files lead.

An address is signed and expires. It wants no Authorization header: the storage behind the real
hub refuses two kinds of authorization at once.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from http import HTTPStatus
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from lab.hub.faults import Asked, Fault, Faults
from lab.hub.history import History
from lab.hub.repository import RepoFile
from lab.hub.served import Served
from lab.hub.web import Journal, WebHandler, WebServer

PREFIX = "/lab-bridge/"
LIFETIME_S = 3600
#: no secret: it only tells an address that was made up from one that the hub gave
KEY = b"closet-lab"


def storage_origin(host: str, port: int) -> str:
    """Where a client that reached the hub as `host` (a Host header) finds the storage.

    A hub with a name has its storage under another one, `cdn.` before it, as the lab's host
    files know it; an address or a bare word only gets another port.
    """
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 else host
    if "." in name and not _is_address(name):
        name = f"cdn.{name}"
    return f"http://{name}:{port}"


def signed_path(repo: str, commit: str, file: RepoFile, *, changed: bool, now: float) -> str:
    """The path and query under which the storage gives out one file for a while."""
    query = {
        "repo": repo,
        "commit": commit,
        "path": file.path,
        "Expires": str(int(now) + LIFETIME_S),
    }
    if changed:
        query["changed"] = "1"
    bare = f"{PREFIX}{file.digest.sha256}?{urlencode(query, quote_via=quote)}"
    return f"{bare}&Signature={_signature(bare)}"


class StorageServer(WebServer):
    """The storage of one hub; it shares the hub's faults and counts."""

    def __init__(
        self,
        address: tuple[str, int],
        history: History,
        faults: Faults,
        served: Served,
        journal: Journal,
    ) -> None:
        self.history = history
        self.faults = faults
        self.served = served
        super().__init__(address, StorageHandler, "storage", journal)


class StorageHandler(WebHandler):
    """One connection to the storage."""

    server: StorageServer

    def answer(self) -> None:
        """`GET` or `HEAD` of a signed address."""
        bare, _, signature = self.path.partition("&Signature=")
        query = {key: values[0] for key, values in parse_qs(urlsplit(bare).query).items()}
        if self.command not in ("GET", "HEAD") or not bare.startswith(PREFIX):
            return self._refuse(HTTPStatus.NOT_FOUND, "NoSuchKey")
        if "Authorization" in self.headers:
            return self._refuse(HTTPStatus.BAD_REQUEST, "InvalidArgument")
        if not hmac.compare_digest(signature, _signature(bare)):
            return self._refuse(HTTPStatus.FORBIDDEN, "SignatureDoesNotMatch")
        if time.time() > float(query["Expires"]):
            return self._refuse(HTTPStatus.FORBIDDEN, "AccessDenied")
        return self._send(query)

    def _send(self, query: dict[str, str]) -> None:
        repo, path = query["repo"], query["path"]
        fault = self.server.faults.take(Asked("storage", self.command, repo, path)) or Fault()
        time.sleep(fault.delay_s)
        if fault.status is not None:
            retry = (
                [] if fault.retry_after_s is None else [("Retry-After", str(fault.retry_after_s))]
            )
            headers = [*retry, *(fault.headers or {}).items()]
            return self._refuse(fault.status, fault.error_code or "InternalError", headers)
        if fault.page is not None:
            return self.send_bytes(fault.page.encode(), "text/html")
        snapshot = self.server.history.snapshot(repo, query["commit"])
        file = snapshot.find(path) if snapshot else None
        if file is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "NoSuchKey")
        # storage has names of its own for contents; they say nothing to a client of the hub
        headers = [("ETag", f'"{file.digest.sha256[:32]}"')]
        if "changed" in query:
            fault = Fault(**{**vars(fault), "changed": True})
        count = self.server.served.begin(repo, path, self.client_address[0])
        return self.send_file(file.source, headers, fault, count.add, repo=repo, file=path)

    def _refuse(self, status: int, code: str, headers: list[tuple[str, str]] | None = None) -> None:
        """An error in the storage's own words: XML, which no client of the hub understands."""
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
        self.send_bytes(text.encode(), "application/xml", status, headers or [])


def _signature(bare: str) -> str:
    return hmac.new(KEY, bare.encode(), hashlib.sha256).hexdigest()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
