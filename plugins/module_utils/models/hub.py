# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hub's protocol: what a revision is, what it holds, and bytes of its files.

Four routes of the Hugging Face hub, as its mirrors and caches serve them too: revision, tree,
resolve, and the Link header that pages through a tree.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from ansible_collections.closet.inference.plugins.module_utils.models.addresses import (
    API,
    api_question,
    is_of_the_hub,
    next_target,
    origin,
)
from ansible_collections.closet.inference.plugins.module_utils.models.hub_answers import (
    BUSY,
    CONTENT_RANGE,
    Body,
    Refused,
    busy,
    fits,
    is_file,
    named_content,
    refused_elsewhere,
)
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    GIT_BLOB,
    SHA256,
    FileEntry,
    entry_problem,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    FlawError,
    ModelError,
    check_tree_path,
    is_commit,
)
from ansible_collections.closet.inference.plugins.module_utils.models.retry import (
    MOST_TRIES,
    Backoff,
    HubTroubleError,
    HubUnreachableError,
    Sleep,
    WaitPolicy,
)
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    Response,
    Transport,
    TransportError,
    read_all,
)

MOST_PAGES = 1000
QUESTION_TRIES = 5  # nothing is at stake yet: say soon that a hub cannot be reached


class Hub:
    def __init__(
        self,
        endpoint: str,
        token: str | None,
        transport: Transport,
        sleep: Sleep,
        tries: int = MOST_TRIES,
        wait_policy: WaitPolicy | None = None,
    ) -> None:
        parts = urlsplit(endpoint)
        bare = parts.netloc and "@" not in parts.netloc and not parts.query and not parts.fragment
        if parts.scheme not in {"http", "https"} or not bare:
            raise ModelError(
                "the hub's endpoint must be an http:// or https:// address without a user, '?' or "
                "'#' in it; credentials belong in token."
            )
        self.endpoint = endpoint.rstrip("/")
        self._token = token
        self._transport = transport
        self.sleep = sleep
        self._tries = tries
        self._wait_policy = wait_policy
        self._commits: dict[tuple[str, str], str] = {}
        self._trees: dict[tuple[str, str], tuple[FileEntry, ...]] = {}

    def close(self) -> None:
        self._transport.close()

    def backoff(self, sleep: Sleep | None = None) -> Backoff:
        return Backoff(sleep or self.sleep, self._tries, self._wait_policy)

    def resolve(self, repo: str, revision: str) -> str:
        """The commit that a branch, tag or commit stands for; asked once in a run."""
        known = self._commits.get((repo, revision))
        if known is None:
            known = self._commits[repo, revision] = self._resolve(repo, revision)
        return known

    def _resolve(self, repo: str, revision: str) -> str:
        url = f"{self.endpoint}{API}{repo}/revision/{quote(revision, safe='')}"
        answer, _reply = self._json(url, f"{repo}@{revision}")
        sha = answer.get("sha") if isinstance(answer, dict) else None
        if not isinstance(sha, str) or not is_commit(sha):
            raise self._not_a_hub(url, "the answer names no commit")
        return sha

    def tree(self, repo: str, sha: str) -> tuple[FileEntry, ...]:
        """Every file of a commit; asked once in a run."""
        known = self._trees.get((repo, sha))
        if known is None:
            known = self._trees[repo, sha] = self._tree(repo, sha)
        return known

    def _tree(self, repo: str, sha: str) -> tuple[FileEntry, ...]:
        what = f"{repo}@{sha}"
        url: str | None = f"{self.endpoint}{API}{repo}/tree/{sha}?recursive=true"
        entries: dict[FileEntry, None] = {}  # in order; pages of a list that grew overlap
        seen: set[str] = set()
        while url is not None:
            if len(seen) == MOST_PAGES:
                raise ModelError(
                    f"{what} at {self.endpoint} lists more than {MOST_PAGES} pages of files."
                )
            if url in seen:
                raise self._bad_link(url, "it leads back to a page that was read already")
            seen.add(url)
            answer, reply = self._json(url, what)
            if not isinstance(answer, list):
                raise self._not_a_hub(url, "the answer is no list of files")
            files = [item for item in answer if is_file(item)]
            entries.update((self._read_entry(url, repo, item), None) for item in files)
            url = self._next_page(url, reply.headers.get("link", ""))
        return tuple(entries)

    def open(self, repo: str, sha: str, entry: FileEntry, start: int, end: int) -> Body:
        """Bytes [start, end) of a file, or from its first byte when the hub knows no ranges.

        Raises HubTroubleError for what another try may mend.
        """
        headers = {"Accept-Encoding": "identity"}
        if (start, end) != (0, entry.size):
            headers["Range"] = f"bytes={start}-{end - 1}"
        url = f"{self.endpoint}/{repo}/resolve/{sha}/{quote(entry.path, safe='/')}"
        reply = self._get(url, headers)
        try:
            return self._read_body(reply, f"{repo}@{sha}", entry, start, end)
        except BaseException:
            reply.close()
            raise

    def _read_body(
        self, reply: Response, what: str, entry: FileEntry, start: int, end: int
    ) -> Body:
        self._check_status(reply, what, entry.path)
        if reply.headers.get("content-encoding", "identity") != "identity":
            raise HubTroubleError(
                f"{entry.path} of {what} came compressed from {self.endpoint}, unasked."
            )
        named = named_content(reply, entry)
        if named is not None and named != entry.digest:
            raise HubTroubleError(
                f"{entry.path} of {what}: {self.endpoint} offers other content than it lists "
                f"({named[:12]}… instead of {entry.digest[:12]}…)."
            )
        if reply.status == 206:
            return self._read_partial(reply, what, entry, start, end)
        length = reply.headers.get("content-length")
        if length is not None and length != str(entry.size):
            raise HubTroubleError(
                f"{entry.path} of {what}: {self.endpoint} sends {length} bytes and lists "
                f"{entry.size}."
            )
        return Body(reply, 0, entry.size)

    def _read_partial(
        self, reply: Response, what: str, entry: FileEntry, start: int, end: int
    ) -> Body:
        sent = reply.headers.get("content-range", "")
        match = CONTENT_RANGE.fullmatch(sent.strip())
        total_fits = match is not None and match[3] in {"*", str(entry.size)}
        if match is None or not total_fits or not fits(reply, match, start):
            raise HubTroubleError(
                f"{entry.path} of {what}: bytes {start}-{end - 1} of {entry.size} were asked for "
                f"and {self.endpoint} sent {sent or 'a part without saying which'!r}."
            )
        return Body(reply, start, min(int(match[2]) + 1, end))

    def _json(self, url: str, what: str) -> tuple[Any, Response]:
        backoff = Backoff(self.sleep, min(self._tries, QUESTION_TRIES), self._wait_policy)
        while True:
            try:
                return self._json_once(url, what)
            except HubTroubleError as trouble:
                backoff.wait(trouble)

    def _json_once(self, url: str, what: str) -> tuple[Any, Response]:
        reply = self._get(url, {"Accept": "application/json", "Accept-Encoding": "identity"})
        try:
            self._check_status(reply, what, None)
            body = read_all(reply)
        except TransportError as error:
            raise HubTroubleError(f"{self.endpoint} did not finish its answer: {error}.") from error
        finally:
            reply.close()
        try:
            return json.loads(body), reply
        except ValueError:
            kind = reply.headers.get("content-type", "something unnamed")
            raise self._not_a_hub(url, f"the answer is {kind}, not JSON") from None

    def _get(self, url: str, headers: dict[str, str]) -> Response:
        if self._token and origin(url) == origin(self.endpoint):
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            return self._transport.get(url, headers)
        except TransportError as error:
            sentence = f"{self.endpoint} was not reached: {error}."
            if error.lasting:
                raise HubUnreachableError(sentence) from error
            raise HubTroubleError(sentence, no_route=True) from error

    def _check_status(self, reply: Response, what: str, path: str | None) -> None:
        if reply.status in {200, 206}:
            return
        with_token = bool(self._token)
        if not is_of_the_hub(self.endpoint, reply.url, reply.headers):
            raise refused_elsewhere(self.endpoint, reply, path or what)
        if reply.status in BUSY or reply.status >= 500:
            raise busy(self.endpoint, with_token, reply, path or what)
        repo, _at, revision = what.partition("@")
        code = reply.headers.get("x-error-code", "")
        public = reply.status == 401 and with_token and self._is_public(repo)
        refused = Refused(self.endpoint, with_token, repo, revision, path, public)
        lacks_file = path is not None and (reply.status == 404 or code == "EntryNotFound")
        kind = FlawError if lacks_file else ModelError
        raise kind(refused.sentence(reply.status, code))

    def _is_public(self, repo: str) -> bool:
        """Whether a refused token is the only thing in the way."""
        try:
            reply = self._transport.get(f"{self.endpoint}{API}{repo}", {})
            with contextlib.closing(reply):
                return reply.status == 200 and not json.loads(read_all(reply)).get("gated")
        except (TransportError, ModelError, ValueError, AttributeError):
            return False

    def _next_page(self, url: str, link: str) -> str | None:
        try:
            written = next_target(link)
            if written is None:
                return None
            question = api_question(url, written)
        except ValueError as error:  # LinkError, or no address at all
            raise self._bad_link(url, str(error)) from None
        return f"{self.endpoint}{question}"

    def _read_entry(self, url: str, repo: str, item: Mapping[str, Any]) -> FileEntry:
        lfs = item.get("lfs")
        try:
            if isinstance(lfs, dict):
                entry = FileEntry(str(item["path"]), int(lfs["size"]), SHA256, str(lfs["oid"]))
            else:
                entry = FileEntry(str(item["path"]), int(item["size"]), GIT_BLOB, str(item["oid"]))
        except (KeyError, TypeError, ValueError):
            raise self._not_a_hub(url, "a listed file lacks its size or hash") from None
        problem = entry_problem(entry)
        if problem:
            raise self._not_a_hub(url, f"{entry.path} is listed with {problem}")
        check_tree_path(repo, entry.path)
        return entry

    def _bad_link(self, url: str, reason: str) -> ModelError:
        """The rest of the list is unknown, and a model of half its files must not look whole."""
        return ModelError(
            f"{self.endpoint} lists files in pages, and its link to the next page cannot be used: "
            f"{reason} (header Link of GET {urlsplit(url).path}). Nothing was fetched. Set "
            "models_endpoint to another mirror or to the hub, and tell the mirror's operator."
        )

    def _not_a_hub(self, url: str, reason: str) -> ModelError:
        return ModelError(
            f"{self.endpoint} is not a model hub: {reason} (GET {urlsplit(url).path}). Check "
            "endpoint, and whether a proxy or a login page stands before it."
        )
