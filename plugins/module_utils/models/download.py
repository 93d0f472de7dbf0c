# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One repository in omlx's own download queue, followed to its end.

The queue is in the server's memory (up to 0.7.0): a restart forgets it, and task ids are never
the same again. So a download is known by its repository, and asked for anew when it is gone;
asking for a repository that is whole costs the server a look at it and moves no byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    ModelError,
    check_repo,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_admin import (
    Admin,
    Request,
    ServerDownError,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

LIVE = ("pending", "downloading")
MOST_REQUESTS = 20  # of one download: a server that loses it more often has another trouble
MOST_FAILURES = 3
PAUSE_AFTER_FAILURE_S = 10.0


@dataclass(frozen=True)
class PullLimits:
    """How patient to be, in seconds.

    `stall_s`: without a byte more, of this download or of one that it waits for in the queue.
    `overall_s`: for everything. `down_s`: without an answer of the server.
    """

    stall_s: float = 600.0
    overall_s: float = 86400.0
    down_s: float = 300.0
    poll_s: float = 2.0


@dataclass(frozen=True)
class Pulled:
    """A download that the server calls complete. `requests`: how often it was asked for."""

    repo: str
    adopted: bool
    requests: int
    seconds: float


@dataclass(frozen=True)
class Task:
    """A row of the queue."""

    repo: str
    status: str
    done: int
    total: int
    error: str
    created: float


class Download:
    """The state of following one repository through the queue."""

    def __init__(
        self, admin: Admin, runner: Runner, repo: str, limits: PullLimits, token: str | None
    ) -> None:
        check_repo(repo)
        self._admin = admin
        self._runner = runner
        self._repo = repo
        self._limits = limits
        self._token = token or ""
        self._began = runner.now()
        self._moved_at = self._began
        self._seen: tuple[tuple[str, str, int], ...] = ()
        self._since = 0.0  # rows made before our first look are no news of ours
        self._requests = 0
        self._failures = 0
        self._adopted = False

    def run(self, heard: Callable[[int, int], None] | None = None) -> Pulled:
        """Until the server says that it is complete; ModelError otherwise."""
        first = self._tasks()
        self._since = max((task.created for task in first), default=0.0)
        running = _newest(first, self._repo)
        if running is not None and running.status in LIVE:
            self._adopted = True
        else:
            running = None
            self._ask()
        while True:
            if running is not None and running.status == "completed":
                seconds = self._runner.now() - self._began
                return Pulled(self._repo, self._adopted, self._requests, seconds)
            if running is not None and heard is not None:
                heard(running.done, running.total)
            self._runner.sleep(self._limits.poll_s)
            running = self._look()

    def _look(self) -> Task | None:
        """Our row now; asks again when a restart lost it, or when it failed in passing."""
        tasks = self._tasks()
        task = _newest(tasks, self._repo)
        stale = task is not None and not self._is_ours(task)
        if task is None or stale:
            self._ask()
            return None
        if task.status == "failed":
            self._weigh(task)
            self._runner.sleep(PAUSE_AFTER_FAILURE_S)
            self._ask()
            return None
        if task.status not in (*LIVE, "completed"):
            raise ModelError(
                f"somebody ended the download of {self._repo} in {self._admin.place} "
                f"({task.status}). Run again to take it up once more."
            )
        self._watch(tasks)
        return task

    def _is_ours(self, task: Task) -> bool:
        """A row that ended before we came is not the answer to our request."""
        return self._adopted or task.status in LIVE or task.created > self._since

    def _ask(self) -> None:
        """Put it into the queue; a server that has it there already is as good."""
        self._requests += 1
        if self._requests > MOST_REQUESTS:
            raise ModelError(
                f"{self._admin.place} lost the download of {self._repo} {MOST_REQUESTS} times; it "
                "restarts all the time, or somebody clears its queue. Look at its log."
            )
        body = {"repo_id": self._repo, "hf_token": self._token}
        reply = self._patient(lambda: self._admin.admin(Request("POST", _ROUTE, body)))
        complaint = reply.complaint()
        if reply.status == 400 and "already in progress" in complaint:
            self._adopted = True
        elif reply.status == 404:
            raise ModelError(f"{self._admin.place} is not omlx: it has no {_ROUTE}.")
        elif reply.status != 200:
            raise ModelError(
                f"{self._admin.place} will not download {self._repo} (status {reply.status}): "
                f"{self._clean(complaint)}."
            )

    def _tasks(self) -> list[Task]:
        route = Request("GET", "/admin/api/hf/tasks")
        document = self._patient(lambda: self._admin.admin_json(route))
        rows = document.get("tasks") if isinstance(document, dict) else None
        return [_task(row) for row in rows or () if isinstance(row, dict)]

    def _patient(self, ask: Callable[[], Any]) -> Any:
        """The answer, through a restart of the server that ends within `down_s`."""
        down_since = self._runner.now()
        while True:
            try:
                answer = ask()
            except ServerDownError as down:
                gone = self._runner.now() - down_since
                if gone >= self._limits.down_s:
                    raise ModelError(
                        f"{down}, for {gone:.0f} s, while it was to download {self._repo}. Start "
                        "it and run again: files that were finished count."
                    ) from down
                self._check_deadline()
                self._runner.sleep(self._limits.poll_s)
            else:
                if self._runner.now() - down_since > self._limits.poll_s:
                    self._moved_at = self._runner.now()  # it was away; patience starts anew
                return answer

    def _watch(self, tasks: Iterable[Task]) -> None:
        """Stop waiting for a queue in which nothing moves, and at the deadline."""
        now = self._runner.now()
        seen = tuple((task.repo, task.status, task.done) for task in tasks if task.status in LIVE)
        if seen != self._seen:
            self._seen, self._moved_at = seen, now
        self._check_deadline()
        still = now - self._moved_at
        if still >= self._limits.stall_s:
            raise ModelError(
                f"the download of {self._repo} in {self._admin.place} has not moved for "
                f"{still:.0f} s. It was left in its queue; look at the server's network and log, "
                "then run again."
            )

    def _check_deadline(self) -> None:
        if self._runner.now() - self._began >= self._limits.overall_s:
            raise ModelError(
                f"{self._admin.place} did not finish {self._repo} within "
                f"{self._limits.overall_s:.0f} s. It may go on by itself; run again to wait on."
            )

    def _weigh(self, task: Task) -> None:
        """A failure that another try may mend is counted; any other ends it, in plain words."""
        self._failures += 1
        lasting = _lasting(task.error, self._repo)
        if lasting or self._failures >= MOST_FAILURES:
            times = "" if lasting else f" Tried {self._failures} times."
            words = lasting or f"it says: {self._clean(task.error) or 'nothing'}."
            raise ModelError(f"{self._admin.place} could not download {self._repo}: {words}{times}")
        self._since = max(self._since, task.created)
        self._adopted = False

    def _clean(self, text: str) -> str:
        """What a server says, on one line and without the token."""
        line = " ".join(text.split())
        line = line.replace(self._token, "…") if self._token else line
        return (line if len(line) <= 300 else f"{line[:299]}…").rstrip(".")


_ROUTE = "/admin/api/hf/download"


def _newest(tasks: Iterable[Task], repo: str) -> Task | None:
    ours = [task for task in tasks if task.repo == repo]
    return max(ours, key=lambda task: task.created, default=None)


def _task(row: dict[str, Any]) -> Task:
    return Task(
        str(row.get("repo_id", "")),
        str(row.get("status", "")),
        int(row.get("downloaded_size") or 0),
        int(row.get("total_size") or 0),
        str(row.get("error") or ""),
        float(row.get("created_at") or 0.0),
    )


def _lasting(error: str, repo: str) -> str | None:
    """What an error means that no other try will mend; None for one that may pass."""
    if "Repository not found" in error:
        return (
            "the hub knows no such repository, or shows it only to a token that may read it "
            "(omlx says the same for both; a wrong token hides public repositories too)."
        )
    if "is gated" in error or "GatedRepo" in error:
        return f"{repo} is gated: accept its terms on the hub and give that account's token."
    if "No space left" in error or "[Errno 28]" in error:
        return "the server's disk is full. Finished files are kept; free some room and run again."
    if "Permission denied" in error or "[Errno 13]" in error:
        return "the server may not write its own model folder; look at who owns it."
    return None
