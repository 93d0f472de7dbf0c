# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the steps of a plan, one after the other, and puts things back where a load fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.acting import (
    ActingError,
    Processes,
    Rights,
)
from ansible_collections.closet.inference.plugins.module_utils.files import (
    make_folder,
    remove_file,
    write_atomic,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.launchctl import (
    Launchctl,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    FileKind,
    Have,
    JobError,
    Override,
    Step,
    Want,
    plist_bytes,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.service import Service
from ansible_collections.closet.inference.plugins.module_utils.launchd.trust import user_of
from ansible_collections.closet.inference.plugins.module_utils.launchd.verify import Watch

LOG_MODE = 0o600


class Apply(Service):
    """One job's plan being carried out, and taken back when its job cannot be loaded."""

    def __init__(self, launchctl: Launchctl, want: Want, have: Have, processes: Processes) -> None:
        super().__init__(launchctl, want, have)
        self._processes = processes

    def act(self, steps: Sequence[Step]) -> Watch | None:
        """Carry out the steps; the result watches a job that was started."""
        handlers = {
            Step.MAKE_LOG: self._make_logs,
            Step.WRITE: self._write,
            Step.REMOVE: self._remove,
            Step.ENABLE: lambda: self._demand(self._launchctl.enable(self._want.target)),
            Step.DISABLE: lambda: self._demand(self._launchctl.disable(self._want.target)),
            Step.BOOTOUT: self._bootout,
            Step.BOOTSTRAP: self._bootstrap,
            Step.STOP: self._stop,
            Step.KICKSTART: self._kickstart,
        }
        for step in (step for step in steps if step.changes):
            try:
                handlers[step]()
            except JobError as error:
                if step not in (Step.WRITE, Step.ENABLE, Step.BOOTSTRAP):
                    raise
                raise JobError(f"{error} {self._put_back()}".strip()) from error
            self.done.append(step)
        if all(step.changes for step in steps):
            return None
        return Watch(self._launchctl, self._want, self._definition, self._runs_before())

    def _runs_before(self) -> int:
        """The run counter before this call started anything; a fresh load counts from nothing."""
        runs = (self._have.job.runs or 0) if self._have.job else 0
        if Step.BOOTSTRAP in self.done:
            return 0
        return runs if Step.KICKSTART in self.done else max(0, runs - 1)

    @property
    def _rights(self) -> Rights:
        """An agent's plist lies in its user's home."""
        return self._processes.for_path(self._want.path)

    def _make_logs(self) -> None:
        """Empty logs for a job's user in a folder of root's; newsyslog renames them there."""
        user = user_of(self._definition)
        if user is None:
            return
        for log in self._have.missing_logs:
            try:
                write_atomic(log, b"", LOG_MODE, user.uid, user.gid)
            except OSError as error:
                raise JobError(f"could not make {log}: {sentence_of(error)}.") from error

    def _write(self) -> None:
        want = self._want
        try:
            folder = str(Path(want.path).parent)
            data = plist_bytes(want.plist or {})
            if not Path(folder).is_dir():
                self._rights.call(make_folder, folder, 0o755, want.uid, want.gid)
            self._rights.call(write_atomic, want.path, data, want.mode, want.uid, want.gid)
        except (OSError, ActingError) as error:
            raise JobError(f"could not write {want.path}: {sentence_of(error)}.") from error

    def _remove(self) -> None:
        try:
            self._rights.call(remove_file, self._want.path)
        except (OSError, ActingError) as error:
            raise JobError(f"could not remove {self._want.path}: {sentence_of(error)}.") from error

    def _put_back(self) -> str:
        """Undo what was done before a load that failed; one sentence about how that went."""
        if Step.BOOTSTRAP in self.done:
            return ""
        told = []
        try:
            if Step.WRITE in self.done:
                told.append(self._put_file_back())
            if Step.BOOTOUT in self.done:
                told.append(self._load_previous())
            if Step.ENABLE in self.done and self._have.override is Override.DISABLED:
                self._demand(self._launchctl.disable(self._want.target))
                told.append("It is disabled again, as it was.")
        except (JobError, OSError, ActingError) as error:
            told.append(f"Putting things back failed as well: {error}")
        return " ".join(told)

    def _put_file_back(self) -> str:
        old, path = self._have.file, self._want.path
        if old.data is None or old.kind is FileKind.ABSENT:
            self._rights.call(remove_file, path)
            return f"{path} was removed again, there was none before."
        self._rights.call(write_atomic, path, old.data, old.mode, old.uid, old.gid)
        return f"The previous {path} is back."

    def _load_previous(self) -> str:
        path = self._have.job.path if self._have.job else None
        if path is None or not Path(path).is_file():
            return f"{self._want.target} is not loaded now: its previous plist is gone."
        if self._have.override is Override.DISABLED and Step.ENABLE not in self.done:
            self._demand(self._launchctl.enable(self._want.target))
            self.done.append(Step.ENABLE)
        # what another path holds we have not read, so there anything that is loaded counts
        known = self._have.file.content if path == self._want.path else None
        result = self._load_until_there(path, known or {})
        if result is not None:
            return f"The previous job could not be loaded again: {self._explained(result)}"
        return "The previous job is loaded again."


def sentence_of(error: Exception) -> str:
    """What went wrong, without number and path."""
    return str(getattr(error, "strerror", None) or error).rstrip(".")
