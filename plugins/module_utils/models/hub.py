# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hub's protocol: the commit of a revision, the files of a commit, the bytes of a file.

It uses three routes of the Hugging Face hub, which its mirrors and caches serve too: revision,
tree (in pages, linked by the Link header) and resolve. Refusals are in refusals.py.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    GIT_BLOB,
    SHA256,
    FileEntry,
    entry_problem,
)
from ansible_collections.closet.inference.plugins.module_utils.models.pages import (
    API,
    api_question,
    next_target,
)
from ansible_collections.closet.inference.plugins.module_utils.models.refusals import (
    Refused,
    bad_link,
    not_a_hub,
    origin,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
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
QUESTION_TRIES = 5  # fewer than for bytes: nothing is lost yet if the hub cannot be reached
CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
SHA256_HEX = re.compile(r"[0-9a-f]{64}")


class Body:
    """Bytes of a file, from `start` to `end` (exclusive) as far as the hub promised."""

    def __init__(self, reply: Response, start: int, end: int) -> None:
        self._reply = reply
        self.start = start
        self.end = end

    def chunks(self) -> Iterator[bytes]:
        try:
            yield from self._reply.chunks()
        except TransportError as error:
            raise HubTroubleError(f"the connection was lost: {error}.") from error

    def close(self) -> None:
        self._reply.close()


class Hub:
    """One endpoint. Answers are kept for the run; bytes are not."""

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
                "'#'; put credentials into token."
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
        """The commit of a branch, tag or commit; requested once per run."""
        known = self._commits.get((repo, revision))
        if known is None:
            known = self._commits[repo, revision] = self._resolve(repo, revision)
        return known

    def _resolve(self, repo: str, revision: str) -> str:
        url = f"{self.endpoint}{API}{repo}/revision/{quote(revision, safe='')}"
        answer, _reply = self._json(url, repo, revision)
        sha = answer.get("sha") if isinstance(answer, dict) else None
        if not isinstance(sha, str) or not is_commit(sha):
            raise not_a_hub(self.endpoint, url, "the answer has no commit")
        return sha

    def tree(self, repo: str, sha: str) -> tuple[FileEntry, ...]:
        """Every file of a commit; requested once per run."""
        known = self._trees.get((repo, sha))
        if known is None:
            known = self._trees[repo, sha] = self._tree(repo, sha)
        return known

    def _tree(self, repo: str, sha: str) -> tuple[FileEntry, ...]:
        url: str | None = f"{self.endpoint}{API}{repo}/tree/{sha}?recursive=true"
        entries: dict[FileEntry, None] = {}  # in order; pages overlap when the list grows
        seen: set[str] = set()
        while url is not None:
            if len(seen) == MOST_PAGES:
                raise ModelError(
                    f"{repo}@{sha} at {self.endpoint} has more than {MOST_PAGES} pages of files."
                )
            if url in seen:
                raise bad_link(self.endpoint, url, "it leads back to a page that was read already")
            seen.add(url)
            answer, reply = self._json(url, repo, sha)
            if not isinstance(answer, list):
                raise not_a_hub(self.endpoint, url, "the answer is not a list of files")
            files = [
                item for item in answer if isinstance(item, dict) and item.get("type") == "file"
            ]
            entries.update((self._read_entry(url, repo, item), None) for item in files)
            url = self._next_page(url, reply.headers.get("link", ""))
        return tuple(entries)

    def open(self, repo: str, sha: str, entry: FileEntry, start: int, end: int) -> Body:
        """Bytes [start, end) of a file, or all of it when the hub does not support ranges.

        Raises HubTroubleError for a failure that another try may solve.
        """
        headers = {"Accept-Encoding": "identity"}
        if (start, end) != (0, entry.size):
            headers["Range"] = f"bytes={start}-{end - 1}"
        url = f"{self.endpoint}/{repo}/resolve/{sha}/{quote(entry.path, safe='/')}"
        reply = self._get(url, headers)
        try:
            self._check_status(reply, repo, sha, entry.path)
            return self._read_body(reply, f"{entry.path} of {repo}@{sha}", entry, start, end)
        except BaseException:
            reply.close()
            raise

    def _read_body(
        self, reply: Response, what: str, entry: FileEntry, start: int, end: int
    ) -> Body:
        encoding = reply.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise HubTroubleError(
                f"{what}: {self.endpoint} sent it with Content-Encoding {encoding}, which the "
                "request excludes."
            )
        named = named_content(reply, entry)
        if named is not None and named != entry.digest:
            raise HubTroubleError(
                f"{what}: {self.endpoint} sends other content than it lists "
                f"({named[:12]}… instead of {entry.digest[:12]}…)."
            )
        if reply.status == 206:
            return self._read_partial(reply, what, entry, start, end)
        length = reply.headers.get("content-length")
        if length is not None and length != str(entry.size):
            raise HubTroubleError(
                f"{what}: {self.endpoint} sends {length} bytes and lists {entry.size}."
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
                f"{what}: the request was for bytes {start}-{end - 1} of {entry.size}, and "
                f"{self.endpoint} sent {sent or 'a part without Content-Range'!r}."
            )
        return Body(reply, start, min(int(match[2]) + 1, end))

    def _json(self, url: str, repo: str, revision: str) -> tuple[Any, Response]:
        backoff = Backoff(self.sleep, min(self._tries, QUESTION_TRIES), self._wait_policy)
        while True:
            try:
                return self._json_once(url, repo, revision)
            except HubTroubleError as trouble:
                backoff.wait(trouble)

    def _json_once(self, url: str, repo: str, revision: str) -> tuple[Any, Response]:
        reply = self._get(url, {"Accept": "application/json", "Accept-Encoding": "identity"})
        try:
            self._check_status(reply, repo, revision, None)
            body = read_all(reply)
        except TransportError as error:
            raise HubTroubleError(f"{self.endpoint} did not finish its answer: {error}.") from error
        finally:
            reply.close()
        try:
            return json.loads(body), reply
        except ValueError:
            kind = reply.headers.get("content-type", "something without a type")
            raise not_a_hub(self.endpoint, url, f"the answer is {kind}, not JSON") from None

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

    def _check_status(self, reply: Response, repo: str, revision: str, path: str | None) -> None:
        if reply.status not in {200, 206}:
            refused = Refused(self.endpoint, bool(self._token), repo, revision, path)
            raise refused.error(reply, self._is_public)

    def _is_public(self, repo: str) -> bool:
        """Whether a repository can be read without the token, which was refused."""
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
        except ValueError as error:  # LinkError, or not an address
            raise bad_link(self.endpoint, url, str(error)) from None
        return f"{self.endpoint}{question}"

    def _read_entry(self, url: str, repo: str, item: Mapping[str, Any]) -> FileEntry:
        lfs = item.get("lfs")
        try:
            if isinstance(lfs, dict):
                entry = FileEntry(str(item["path"]), int(lfs["size"]), SHA256, str(lfs["oid"]))
            else:
                entry = FileEntry(str(item["path"]), int(item["size"]), GIT_BLOB, str(item["oid"]))
        except (KeyError, TypeError, ValueError):
            raise not_a_hub(self.endpoint, url, "a listed file lacks its size or hash") from None
        problem = entry_problem(entry)
        if problem:
            raise not_a_hub(self.endpoint, url, f"{entry.path} is listed with {problem}")
        check_tree_path(repo, entry.path)
        return entry


def named_content(reply: Response, entry: FileEntry) -> str | None:
    """The sha256 of a large file, which the hub names where it redirects to its storage.

    Only this header comes from the hub. An ETag may be set by any server, cache or mirror, and 40
    or 64 hexadecimal digits in it need not be a hash of the content; the bytes themselves decide.
    """
    named = reply.first_headers.get("x-linked-etag", "").strip().removeprefix("W/").strip('"')
    return named if entry.algorithm == SHA256 and SHA256_HEX.fullmatch(named) else None


def fits(reply: Response, sent: re.Match[str], start: int) -> bool:
    """Whether a Content-Range begins at `start` and agrees with the length of the body."""
    first, last = int(sent[1]), int(sent[2])
    length = reply.headers.get("content-length")
    return first == start and last >= start and length in {None, str(last - first + 1)}
