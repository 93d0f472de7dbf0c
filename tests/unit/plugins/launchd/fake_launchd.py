# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A launchd of one file behind the Runner: no processes, a clock that only moves when told.

It shares no code with the plugins. Behaviour: facts about macOS 26.5.1 unless a `Quirks` says
otherwise; what it prints follows the transcripts in fixtures/.
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.accounts import Account
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner


class Killed(BaseException):
    """The run was cut off here."""


@dataclass
class Program:
    """How the process of a label behaves: `lives_s` None means until it is told to end."""

    lives_s: float | None = None
    exit_code: int = 0
    drain_s: float = 0.0
    ignores_term: bool = False
    term_exit: int | None = 0  # None: dies of the signal


@dataclass
class Quirks:
    """What launchd may also do."""

    early_bootstrap: str = "37"  # while the old job leaves: "5", "37" or "dropped"
    linger_s: float = 0.0  # the process is gone, the label is not
    busy_s: float = 0.0  # label gone from print, but bootstrap still says 5
    sits_idle: bool = False  # a job that should start at load sits until it is kicked
    bootout_code: int = 0
    no_gui: bool = True


@dataclass
class Job:
    definition: dict[str, Any]
    path: str
    pid: int | None = None
    runs: int = 0
    last: str = "(never exited)"
    last_ok: bool = False
    spawn_at: float | None = None
    started_at: float = -1e9
    exits_at: float | None = None
    exit_with: int | None = 0
    leaving: bool = False
    lingers: bool = False
    doomed: bool = False  # a bootstrap that came too early goes away with the old job


@dataclass
class FakeLaunchd(Runner):
    programs: dict[str, Program] = field(default_factory=dict)
    quirks: Quirks = field(default_factory=Quirks)
    disabled: dict[str, bool] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    busy_until: dict[str, float] = field(default_factory=dict)
    clock: float = 1000.0
    next_pid: int = 500
    calls: list[tuple[str, ...]] = field(default_factory=list)
    slept: float = 0.0
    quarantined: set[str] = field(default_factory=set)
    fail_next: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    die_at_call: int | None = None
    die_before: bool = False

    # --- what the modules call -------------------------------------------------------------------

    def run(
        self,
        argv: Sequence[str],
        timeout_s: float = 30,
        input: str | None = None,  # noqa: A002
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        words = tuple(argv[1:])
        if not argv[0].endswith("launchctl"):
            rc, out = self._other_program(argv)
            return Completed(tuple(argv), rc, out, "")
        self.calls.append(words)
        dying = self.die_at_call == len(self.calls)
        if dying and self.die_before:
            raise Killed
        rc, out, err = self._answer(words[0], words[1:])
        if dying:
            raise Killed
        return Completed(tuple(argv), rc, out, err)

    def _other_program(self, argv: Sequence[str]) -> tuple[int, str]:
        if argv[0] == "/usr/bin/xattr":
            return (0, "0083;0;Safari;\n") if argv[-1] in self.quarantined else (1, "")
        assert list(argv[:-1]) == ["/bin/ps", "-o", "etime=", "-p"]
        for job in self.jobs.values():
            if str(job.pid) == argv[-1]:
                age = int(self.clock - job.started_at)
                return 0, f"   {age // 60:02}:{age % 60:02}\n"
        return 1, ""

    def acting_as(self, account: Account, home: str = "") -> FakeLaunchd:
        return self

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept += seconds
        self.advance(seconds)

    def now(self) -> float:
        return self.clock

    # --- what tests call -------------------------------------------------------------------------

    def verbs(self) -> list[str]:
        return [call[0] for call in self.calls]

    def load(self, label: str, definition: dict[str, Any], path: str) -> Job:
        """As if it had been loaded and started long ago."""
        job = Job({"Label": label, **definition}, path)
        self.jobs[f"system/{label}"] = job
        if self._starts_itself(job):
            self._spawn(label, job)
            job.started_at -= 1000
        self.advance(0)
        return job

    def reboot(self, folder: Path) -> None:
        """Everything in memory is gone; what is in the folder and not disabled is loaded."""
        self.jobs.clear()
        self.busy_until.clear()
        for path in sorted(folder.glob("*.plist")):
            definition = plistlib.loads(path.read_bytes())
            if not self.disabled.get(definition["Label"], definition.get("Disabled", False)):
                self.load(definition["Label"], definition, str(path))

    def advance(self, seconds: float) -> None:
        until = self.clock + seconds
        for _ in range(10_000):
            due = [
                (moment, label)
                for label, job in self.jobs.items()
                for moment in (job.exits_at, job.spawn_at)
                if moment is not None and moment <= until
            ]
            if not due:
                break
            moment, target = min(due)
            self.clock = max(self.clock, moment)
            self._event(target)
        self.clock = until

    # --- processes -------------------------------------------------------------------------------

    def _event(self, target: str) -> None:
        job, label = self.jobs[target], target.split("/")[-1]
        if job.exits_at is None or job.exits_at > self.clock:
            self._spawn(label, job)
            return
        job.pid, job.exits_at = None, None
        signalled = job.exit_with is not None and job.exit_with < 0
        if signalled:
            names = {-15: "Terminated: 15", -9: "Killed: 9"}
            job.last = names[job.exit_with or 0]
        else:
            job.last = "78: EX_CONFIG" if job.exit_with == 78 else str(job.exit_with)
        job.last_ok = job.exit_with == 0
        if job.leaving and self.quirks.linger_s and not job.lingers:
            job.lingers, job.exits_at = True, self.clock + self.quirks.linger_s
        elif job.leaving:
            del self.jobs[target]
            self.busy_until[target] = self.clock + self.quirks.busy_s
        elif self._restarts(job) and not self.disabled.get(label):
            interval = job.definition.get("ThrottleInterval") or 10
            job.spawn_at = max(self.clock, job.started_at + interval)

    def _spawn(self, label: str, job: Job) -> None:
        program = self.programs.get(label, Program())
        self.next_pid += 1
        job.pid, job.spawn_at, job.started_at = self.next_pid, None, self.clock
        job.runs += 1
        if program.lives_s is not None:
            job.exits_at, job.exit_with = self.clock + program.lives_s, program.exit_code

    def _terminate(self, label: str, job: Job) -> None:
        program = self.programs.get(label, Program())
        timeout = job.definition.get("ExitTimeOut", 5)
        own = None if program.ignores_term else self.clock + program.drain_s
        with_code = -15 if program.term_exit is None else program.term_exit
        if job.leaving and timeout and (own is None or own > self.clock + timeout):
            own, with_code = self.clock + timeout, -9
        if own is not None:
            job.exits_at, job.exit_with = own, with_code

    @staticmethod
    def _starts_itself(job: Job) -> bool:
        return bool(job.definition.get("RunAtLoad") or job.definition.get("KeepAlive"))

    @staticmethod
    def _restarts(job: Job) -> bool:
        keep = job.definition.get("KeepAlive", False)
        if isinstance(keep, bool):
            return keep
        wanted = keep.get("SuccessfulExit")
        return wanted is not None and wanted == job.last_ok

    # --- verbs -----------------------------------------------------------------------------------

    def _answer(self, verb: str, words: Sequence[str]) -> tuple[int, str, str]:
        self.advance(0.01)
        planned = self.fail_next.get(verb)
        if planned:
            code, text = planned.pop(0)
            return code, "", text
        if words[0].startswith("gui/") and self.quirks.no_gui:
            if verb == "bootstrap":
                return 125, "", "Bootstrap failed: 125: Domain does not support specified action\n"
            uid = words[0].split("/")[1]
            return 112, "", f"Bad request.\nCould not find domain for user gui: {uid}\n"
        method = getattr(self, "_do_" + verb.replace("-", "_"))
        answer: tuple[int, str, str] = method(*words)
        return answer

    def _do_print(self, target: str) -> tuple[int, str, str]:
        if "/" not in target:
            rows = "".join(f"\t\t{j.pid or 0:8} {'-':>6} \t{t[7:]}\n" for t, j in self.jobs.items())
            text = f"{target} = {{\n\ttype = system\n\tservices = {{\n{rows}\t}}\n}}\n"
            return 0, text, ""
        job = self.jobs.get(target)
        if job is None:
            label = target.split("/")[-1]
            text = f'Bad request.\nCould not find service "{label}" in domain for system\n'
            return 113, "", text
        return 0, render(target, job), ""

    def _do_print_disabled(self, domain: str) -> tuple[int, str, str]:
        rows = "".join(
            f'\t\t"{label}" => {"disabled" if off else "enabled"}\n'
            for label, off in self.disabled.items()
        )
        return 0, f"\n\tdisabled services = {{\n{rows}\t}}\n", ""

    def _do_enable(self, target: str) -> tuple[int, str, str]:
        self.disabled[target.split("/")[-1]] = False
        return 0, "", ""

    def _do_disable(self, target: str) -> tuple[int, str, str]:
        self.disabled[target.split("/")[-1]] = True
        return 0, "", ""

    def _do_bootstrap(self, domain: str, path: str) -> tuple[int, str, str]:
        file = Path(path)
        if not file.exists():
            return 2, "", "Bootstrap failed: 2: No such file or directory\n"
        try:
            definition = plistlib.loads(file.read_bytes())
        except Exception:
            return 109, "", "Bootstrap failed: 109: Invalid property list\n"
        label = definition["Label"]
        target = f"{domain}/{label}"
        if file.stat().st_mode & 0o022:
            return 122, "", "Bootstrap failed: 122: Path had bad ownership/permissions\n"
        if self.disabled.get(label, definition.get("Disabled", False)):
            return 119, "", "Bootstrap failed: 119: Service is disabled\n"
        old = self.jobs.get(target)
        if old is not None and old.leaving and self.quirks.early_bootstrap == "dropped":
            old.doomed = True
            return 0, "", ""
        if old is not None or self.busy_until.get(target, 0) > self.clock:
            code = int(self.quirks.early_bootstrap) if old is not None and old.leaving else 5
            words = {5: "Input/output error", 37: "Operation already in progress"}[code]
            return code, "", f"Bootstrap failed: {code}: {words}\n"
        job = Job(definition, path)
        self.jobs[target] = job
        if self._starts_itself(job) and not self.quirks.sits_idle:
            job.spawn_at = self.clock + 0.005
        return 0, "", ""

    def _do_bootout(self, target: str) -> tuple[int, str, str]:
        job = self.jobs.get(target)
        if job is None:
            return 3, "", "Boot-out failed: 3: No such process\n"
        if job.leaving:
            return self.quirks.bootout_code or 0, "", ""
        job.leaving, job.spawn_at = True, None
        if job.pid is None:
            job.exits_at, job.exit_with = self.clock + 0.005, 0
        else:
            self._terminate(target.split("/")[-1], job)
        return self.quirks.bootout_code, "", ""

    def _do_kickstart(self, target: str) -> tuple[int, str, str]:
        job = self.jobs.get(target)
        if job is None:
            text = f'Could not find service "{target}" in domain for system\n'
            return 113, "", text
        if job.pid is not None:
            return 37, "", ""
        interval = job.definition.get("ThrottleInterval") or 10
        job.spawn_at = max(self.clock + 0.005, job.started_at + interval)
        return 0, "", ""

    def _do_kill(self, signal: str, target: str) -> tuple[int, str, str]:
        job = self.jobs.get(target)
        if job is None or job.pid is None:
            return 3, "", "No process to signal.\n"
        self._terminate(target.split("/")[-1], job)
        return 0, "", ""


def render(target: str, job: Job) -> str:
    """One job in the order of the transcripts, with their decoys."""
    plist, label = job.definition, target.split("/")[-1]
    arguments = plist.get("ProgramArguments") or [plist["Program"]]
    state = "running" if job.pid else ("spawn scheduled" if job.spawn_at else "not running")
    if job.leaving:
        state = "SIGTERMed"
    lines = [
        f"{target} = {{",
        f"\tactive count = {int(job.pid is not None)}",
        f"\tpath = {job.path}",
        "\ttype = LaunchDaemon",
        f"\tstate = {state}",
        "",
        f"\tprogram = {plist.get('Program', arguments[0])}",
        "\targuments = {",
        *[f"\t\t{argument}" for argument in arguments],
        "\t}",
        "",
    ]
    texts = {
        "working directory": "WorkingDirectory",
        "stdout path": "StandardOutPath",
        "stderr path": "StandardErrorPath",
    }
    lines += [f"\t{name} = {plist[key]}" for name, key in texts.items() if key in plist]
    lines += ["\tdefault environment = {", "\t\tPATH => /usr/bin:/bin:/usr/sbin:/sbin", "\t}", ""]
    lines += ["\tenvironment = {", "\t\tOSLogRateLimit => 64", "\t\tSUDO_UID => 501"]
    variables = plist.get("EnvironmentVariables", {})
    lines += [f"\t\t{name} => {value}" for name, value in variables.items()]
    lines += [f"\t\tXPC_SERVICE_NAME => {label}", "\t}", "", "\tdomain = system"]
    if "UserName" in plist:
        lines += [f"\tusername = {plist['UserName']}", "\tgroup = staff", ""]
    if "Umask" in plist:
        umask = plist["Umask"]
        lines.append(f"\tumask = {int(umask, 8) if isinstance(umask, str) else umask:o}")
    lines += [
        f"\tminimum runtime = {plist.get('ThrottleInterval') or 10}",
        f"\texit timeout = {plist.get('ExitTimeOut', 5)}",
        f"\truns = {job.runs}",
        *([f"\tpid = {job.pid}", "\timmediate reason = speculative"] if job.pid else []),
    ]
    signalled = job.last in ("Terminated: 15", "Killed: 9")
    if "REASON" in job.last:
        lines.append(f"\tlast exit reason = {job.last}")
    else:
        lines.append(f"\tlast {'terminating signal' if signalled else 'exit code'} = {job.last}")
    if "JETSAM" in job.last:
        lines.append(f"\tlast jetsam exit details = {job.last}")
    lines += ["", "\tresource coalition = {", "\t\tstate = active", f"\t\tname = {label}", "\t}"]
    keep = plist.get("KeepAlive", False)
    if isinstance(keep, dict):
        lines += ["", "\tsemaphores = {"]
        names = {"SuccessfulExit": "successful exit", "Crashed": "after crash"}
        lines += [f"\t\t{names[key]} => {int(value)}" for key, value in keep.items()]
        lines += ["\t}", ""]
    kinds = {"Interactive": "interactive (4)", "Background": "background (5)"}
    kind = kinds.get(plist.get("ProcessType", ""), "daemon (3)")
    lines += ["", f"\tspawn type = {kind}", "\tjob state = exited", ""]
    if "StartInterval" in plist:
        lines.insert(-2, f"\trun interval = {plist['StartInterval']} seconds")
    words = ["keepalive"] if keep is True else []
    words += ["runatload"] if plist.get("RunAtLoad") else []
    return "\n".join([*lines, f"\tproperties = {' | '.join(words)}", "}"]) + "\n"
