# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""launchctl, one method per verb; never load or unload, whose exit code says nothing."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    Domain,
    Presence,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.printout import (
    Printout,
    parse_disabled,
    parse_domain_services,
    parse_job,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner

LAUNCHCTL = "/bin/launchctl"
NO_SUCH_PROCESS = 3
ALREADY_THERE = (17, 37)
NO_SUCH_DOMAIN = (112, 125)
NO_SUCH_SERVICE = 113


class Launchctl:
    """Talks to launchd about one label at a time; never judges, except for `probe`."""

    def __init__(self, runner: Runner, program: str = LAUNCHCTL, timeout_s: float = 30) -> None:
        self.runner = runner
        self.program = program
        self.timeout_s = timeout_s

    def probe(self, target: str) -> tuple[Presence, Printout | None, Completed]:
        """Three-valued: only 113 means absent (and 112 or 125 that there is no such domain)."""
        result = self._run("print", target)
        if result.rc == NO_SUCH_SERVICE:
            return Presence.ABSENT, None, result
        if result.rc in NO_SUCH_DOMAIN:
            return Presence.NO_DOMAIN, None, result
        job = parse_job(result.stdout, target) if result.rc == 0 else None
        return (Presence.LOADED if job else Presence.UNKNOWN), job, result

    def disabled(self, domain: Domain) -> Mapping[str, bool] | None:
        result = self._run("print-disabled", domain.name)
        return parse_disabled(result.stdout) if result.rc == 0 else None

    def labels(self, domain: Domain) -> tuple[list[str] | None, Completed]:
        result = self._run("print", domain.name)
        return (parse_domain_services(result.stdout) if result.rc == 0 else None), result

    def bootstrap(self, domain: Domain, path: str) -> Completed:
        return self._run("bootstrap", domain.name, path)

    def bootout(self, target: str) -> Completed:
        return self._run("bootout", target)

    def enable(self, target: str) -> Completed:
        return self._run("enable", target)

    def disable(self, target: str) -> Completed:
        return self._run("disable", target)

    def kickstart(self, target: str) -> Completed:
        """Without -k, which may kill a process that would have ended by itself."""
        return self._run("kickstart", target)

    def terminate(self, target: str) -> Completed:
        return self._run("kill", "SIGTERM", target)

    def _run(self, *words: str) -> Completed:
        return self.runner.run([self.program, *words], timeout_s=self.timeout_s)
