"""`/_lab/…` on the hub's port: what a test orders there, and what it may ask.

| path | GET | POST | DELETE |
|---|---|---|---|
| `health` | ok | | |
| `faults`, `faults/<n>` | all, with their use | one more (`lab.hub.faults`) | all, or one |
| `served` | bytes and requests by repository, path and client | | count anew |
| `commits` | | one more commit on a branch | |
| `refs` | | a branch or tag is moved or made | |
| `access` | | a repository is gated or private | |
| `accounts` | | a token and the repositories it may read | |
| `repositories` | | | all that tests made is forgotten |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from lab.hub.content import place
from lab.hub.faults import Faults, fault_from
from lab.hub.history import History, HistoryError
from lab.hub.repository import MAIN, RepoFile
from lab.hub.served import Served

Answer = tuple[Any, int]


class Control:
    """Everything about a running hub that a test may change or read."""

    def __init__(self, faults: Faults, history: History, served: Served, cache: Path) -> None:
        self._faults = faults
        self._history = history
        self._served = served
        self._cache = cache

    def answer(self, command: str, what: str, body: bytes) -> Answer:
        """The JSON and the status for one request."""
        name, _, rest = what.partition("/")
        routes: dict[tuple[str, str], Callable[[Any], Answer]] = {
            ("GET", "health"): lambda _: ({"status": "ok"}, HTTPStatus.OK),
            ("GET", "faults"): lambda _: (self._faults.listing(), HTTPStatus.OK),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): lambda _: self._clear(rest),
            ("GET", "served"): lambda _: (self._served.listing(), HTTPStatus.OK),
            ("DELETE", "served"): lambda _: ({"cleared": self._served.forget()}, HTTPStatus.OK),
            ("POST", "commits"): self._commit,
            ("POST", "refs"): self._ref,
            ("POST", "access"): self._access,
            ("POST", "accounts"): self._account,
            ("DELETE", "repositories"): lambda _: (
                {"cleared": self._history.forget()},
                HTTPStatus.OK,
            ),
        }
        route = routes.get((command, name))
        numbered = name == "faults" and rest.isdecimal()
        if route is None or (rest and not numbered):
            return {"error": f"no such control: {command} {what}"}, HTTPStatus.NOT_FOUND
        try:
            return route(json.loads(body or b"{}"))
        except (KeyError, TypeError, ValueError) as problem:
            lacks = f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
            return {"error": lacks}, HTTPStatus.BAD_REQUEST

    def _add_fault(self, asked: Any) -> Answer:
        return {"id": self._faults.add(fault_from(asked))}, HTTPStatus.CREATED

    def _clear(self, number: str) -> Answer:
        return {"cleared": self._faults.clear(int(number) if number else None)}, HTTPStatus.OK

    def _commit(self, asked: Mapping[str, Any]) -> Answer:
        """`{"repo", "branch", "from", "files": {path: content or null}}`.

        `from` is another repository whose files at main are taken over first.
        """
        files: dict[str, RepoFile | None] = {}
        if "from" in asked:
            source = self._history.snapshot(asked["from"], MAIN)
            if source is None:
                raise HistoryError(f"there is no {asked['from']}")
            files = {file.path: file for file in source.files}
        for path, wanted in dict(asked.get("files", {})).items():
            removed = wanted is None
            blobs = self._history.blobs
            files[path] = None if removed else place(path, wanted, blobs, self._cache)
        branch = asked.get("branch", MAIN)
        return {"commit": self._history.publish(asked["repo"], branch, files)}, HTTPStatus.CREATED

    def _ref(self, asked: Mapping[str, Any]) -> Answer:
        """`{"repo", "name", "revision", "tag": false}`."""
        commit = self._history.point(
            asked["repo"], asked["name"], asked["revision"], tag=bool(asked.get("tag"))
        )
        return {"commit": commit}, HTTPStatus.CREATED

    def _access(self, asked: Mapping[str, Any]) -> Answer:
        """`{"repo", "gated": "", "private": false}`; gated may be "auto" or "manual"."""
        self._history.gate(
            asked["repo"], gated=asked.get("gated", ""), private=bool(asked.get("private"))
        )
        return {}, HTTPStatus.CREATED

    def _account(self, asked: Mapping[str, Any]) -> Answer:
        """`{"token", "repos": [pattern, …]}`: closed repositories that it may read."""
        self._history.admit(asked["token"], asked.get("repos", []))
        return {}, HTTPStatus.CREATED
