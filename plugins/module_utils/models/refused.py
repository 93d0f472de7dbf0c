# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hub's refusal means, said to a person."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refused:
    """The question that was refused. `path` is None when it was not about one file."""

    endpoint: str
    with_token: bool
    repo: str
    revision: str
    path: str | None
    public: bool = False  # a look without the token found it

    def sentence(self, status: int, code: str) -> str:
        """`code` is the X-Error-Code header, which the hub sends and mirrors may not."""
        if code == "GatedRepo" or (status == 403 and code != "DisabledRepo"):
            return self._gated()
        if code == "RevisionNotFound":
            return f"{self.repo} has no revision {self.revision!r} at {self.endpoint}."
        if code == "EntryNotFound" or (status == 404 and self.path):
            return (
                f"{self.repo}@{self.revision} lists {self.path} and {self.endpoint} does not "
                "have it."
            )
        if status == 401 and self.public:
            return (
                f"{self.repo} is public, and {self.endpoint} refuses it because of the token alone "
                "(401): a wrong or expired token blocks public repositories too. Take the token "
                "out, or renew it."
            )
        if status == 401 and self.with_token:
            return (
                f"{self.endpoint} refused the token for {self.repo} (401): it is wrong or "
                "expired, or the repository is not there for it. Without the token it is not to "
                "be had either."
            )
        if code == "RepoNotFound" or status == 401:
            hint = "" if self.with_token else " A private repository needs a token."
            return f"{self.repo} is not a repository at {self.endpoint}.{hint}"
        if status == 404:
            return f"{self.endpoint} knows no {self.repo} with a revision {self.revision!r}."
        what = self.path or f"{self.repo}@{self.revision}"
        return f"{self.endpoint} refused {what} with status {status} {code}".rstrip() + "."

    def _gated(self) -> str:
        if self.with_token:
            return (
                f"the token may not read {self.repo} at {self.endpoint}: its owner has to accept "
                f"the terms at {self.endpoint}/{self.repo} first."
            )
        return (
            f"{self.repo} is gated: accept its terms at {self.endpoint}/{self.repo} and set "
            "token to that account's access token."
        )
