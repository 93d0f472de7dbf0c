# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a hub that are not what was asked for: the error of each, and its advice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    FlawError,
    ModelError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.retry import (
    HubTroubleError,
    read_wait,
)
from ansible_collections.closet.inference.plugins.module_utils.models.transport import Response

BUSY = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Refused:
    """A request that was refused. `path` is None unless it was for one file."""

    endpoint: str
    with_token: bool
    repo: str
    revision: str
    path: str | None

    @property
    def what(self) -> str:
        return self.path or f"{self.repo}@{self.revision}"

    def error(self, reply: Response, is_public: Callable[[str], bool]) -> Exception:
        """HubTroubleError for a refusal that may pass, else ModelError.

        `is_public` tells whether a repository can be read without a token; it costs a request.
        """
        if not is_of_the_hub(self.endpoint, reply.url, reply.headers):
            return refused_elsewhere(self.endpoint, reply, self.what)
        if reply.status in BUSY or reply.status >= 500:
            return busy(self.endpoint, self.with_token, reply, self.what)
        code = reply.headers.get("x-error-code", "")
        public = reply.status == 401 and self.with_token and is_public(self.repo)
        lacks_file = self.path is not None and (reply.status == 404 or code == "EntryNotFound")
        kind = FlawError if lacks_file else ModelError
        return kind(self._sentence(reply.status, code, public))

    def _sentence(self, status: int, code: str, public: bool) -> str:
        """`code` is the header X-Error-Code, which the hub sends and mirrors may omit."""
        if code == "GatedRepo" or (status == 403 and code != "DisabledRepo"):
            return self._gated()
        if code == "RevisionNotFound":
            return f"{self.repo} has no revision {self.revision!r} at {self.endpoint}."
        if code == "EntryNotFound" or (status == 404 and self.path):
            return (
                f"{self.endpoint} lists {self.path} in {self.repo}@{self.revision} but does not "
                "have it."
            )
        if status == 401 and public:
            return (
                f"{self.repo} is public, and {self.endpoint} refuses it because of the token alone "
                "(401): an invalid or expired token blocks public repositories too. Remove the "
                "token, or renew it."
            )
        if status == 401 and self.with_token:
            return (
                f"{self.endpoint} refused the token for {self.repo} (401): it is invalid or "
                "expired, or it has no access to the repository. The repository is not available "
                "without the token either."
            )
        if code == "RepoNotFound" or status == 401:
            hint = "" if self.with_token else " A private repository needs a token."
            return f"{self.repo} is not a repository at {self.endpoint}.{hint}"
        if status == 404:
            return f"{self.endpoint} has no {self.repo} with a revision {self.revision!r}."
        return f"{self.endpoint} refused {self.what} with status {status} {code}".rstrip() + "."

    def _gated(self) -> str:
        if self.with_token:
            return (
                f"the token may not read {self.repo} at {self.endpoint}: its owner must first "
                f"accept the terms at {self.endpoint}/{self.repo}."
            )
        return (
            f"{self.repo} is gated: accept its terms at {self.endpoint}/{self.repo} and set "
            "token to that account's access token."
        )


def refused_elsewhere(endpoint: str, reply: Response, what: str) -> HubTroubleError:
    """The refusal of an address to which the hub redirects, such as its storage.

    The hub signs such an address for a limited time, so the next try gets a new one. The answer
    says nothing about the model's terms, and must not be read as the hub's own refusal.
    """
    place = "://".join(origin(reply.url))
    sentence = f"{place}, to which {endpoint} redirects, answered {reply.status} for {what}."
    if reply.status not in BUSY and reply.status < 500:
        sentence += " Check this host's clock, and whether a firewall or proxy allows the address."
    return HubTroubleError(sentence, read_wait(reply.headers), waits_for=place)


def busy(endpoint: str, with_token: bool, reply: Response, what: str) -> HubTroubleError:
    sentence = f"{endpoint} answered {reply.status} for {what}."
    waits_for = endpoint
    if reply.status == 429:
        sentence = f"{endpoint} allows no more requests for now (429 for {what})."
        waits_for = f"the rate limit of {endpoint}"
        if not with_token:
            sentence += " Accounts have a higher limit: set models_token to an access token."
            waits_for += " (models_token would raise it)"
    return HubTroubleError(sentence, read_wait(reply.headers), waits_for=waits_for)


def bad_link(endpoint: str, url: str, reason: str) -> ModelError:
    """The rest of the file list is unknown, and half a list must not count as a whole model."""
    return ModelError(
        f"{endpoint} lists files in pages, and its link to the next page cannot be used: "
        f"{reason} (header Link of GET {urlsplit(url).path}). Nothing was fetched. Set "
        "models_endpoint to another mirror or to the hub, and tell the mirror's operator."
    )


def not_a_hub(endpoint: str, url: str, reason: str) -> ModelError:
    return ModelError(
        f"{endpoint} is not a model hub: {reason} (GET {urlsplit(url).path}). Check "
        "endpoint, and whether a proxy or a login page answers instead."
    )


def is_of_the_hub(endpoint: str, url: str, headers: Mapping[str, str]) -> bool:
    """Whether an answer comes from the endpoint, or from a hub to which it redirects everything.

    Only a hub sends X-Error-Code. A redirect from http to https stays at the endpoint.
    """
    ours, theirs = urlsplit(endpoint), urlsplit(url)
    upgraded = (ours.scheme, theirs.scheme) == ("http", "https")
    same_host = ours.hostname == theirs.hostname
    return (
        origin(url) == origin(endpoint)
        or (upgraded and same_host and theirs.port in {None, 443})
        or "x-error-code" in headers
    )


def origin(url: str) -> tuple[str, str]:
    """Scheme, and host with its port unless that is the scheme's default."""
    parts = urlsplit(url)
    host = (parts.netloc.rpartition("@")[2]).lower()
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return parts.scheme, host[: -len(default)] if default and host.endswith(default) else host
