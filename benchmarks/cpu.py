"""CPU time of whole groups of processes, from the kernel's own count per control group.

A group also counts what nobody waits for: ssh masters that stay in the background, orphans that
a Mac's launchd reaps. Reading process tables or RUSAGE_CHILDREN would miss both.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MACHINE = "machine"
"""The only group where the kernel offers no control groups: everything that ran."""


@dataclass(frozen=True)
class Sample:
    """What one run took: wall time, CPU seconds by group, and what everybody else used meanwhile.

    `others_s` is None where it cannot be told apart.
    """

    wall_s: float
    cpu_s: Mapping[str, float]
    others_s: float | None

    @property
    def total_s(self) -> float:
        """CPU seconds of everything that was meant to be measured."""
        return sum(self.cpu_s.values())


@dataclass(frozen=True)
class Hierarchy:
    """Where control groups live here, and the file that has the CPU time of one."""

    root: Path
    file: str

    def seconds(self, group: Path) -> float:
        """CPU seconds that the processes of `group` have used so far."""
        return parse_usage((group / self.file).read_text())


class Meter:
    """CPU time by group name; one group per name, made when it is first used."""

    def __init__(self, hierarchy: Hierarchy | None, names: Iterable[str]) -> None:
        self._hierarchy = hierarchy
        self._groups: dict[str, Path] = {}
        if hierarchy is not None:
            self._groups = {name: hierarchy.root / f"closet-{name}" for name in names}
            for group in self._groups.values():
                group.mkdir(exist_ok=True)

    @property
    def method(self) -> str:
        """One phrase that says what the numbers are."""
        if self._hierarchy is None:
            return "the whole machine's busy time (/proc/stat): only right when nothing else runs"
        return f"control groups ({self._hierarchy.file})"

    def move_tree(self, name: str, pid: int) -> None:
        """Put a process and everything below it into a group; later children follow by birth."""
        if name not in self._groups:
            return
        moved: set[int] = set()
        while fresh := set(_tree(pid)) - moved:
            for member in fresh:
                _enter(self._groups[name], member)
            moved |= fresh

    def born_in(self, name: str) -> Callable[[], None] | None:
        """What a child of ours calls before it executes, to be counted from its first moment."""
        if name not in self._groups:
            return None
        group = self._groups[name]
        return lambda: _enter(group, 0)

    def read(self) -> dict[str, float]:
        """CPU seconds so far, by group."""
        if self._hierarchy is None:
            return {MACHINE: parse_busy(Path("/proc/stat").read_text(), _ticks())}
        return {name: self._hierarchy.seconds(group) for name, group in self._groups.items()}

    def run(
        self, argv: Sequence[str], *, group: str, env: Mapping[str, str], cwd: Path, log: Path
    ) -> tuple[Sample, int]:
        """Run a command as part of `group`, its output in `log`; returns what it took and its code.

        The groups of the lab's machines count too: they work for the command while it runs.
        """
        before, busy, start = self.read(), _busy(), time.monotonic()
        with log.open("wb") as output:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                check=False,
                preexec_fn=self.born_in(group),  # this process has one thread
            )
        wall = time.monotonic() - start
        used = {name: seconds - before[name] for name, seconds in self.read().items()}
        # the two clocks differ by a few ticks, so nothing may read as less than nothing
        others = max(0.0, _busy() - busy - sum(used.values())) if self._groups else None
        return Sample(wall, used, others), done.returncode

    def close(self) -> None:
        """Remove the groups; whoever still lives in one goes back to the root."""
        for group in self._groups.values():
            while members := (group / "cgroup.procs").read_text().split():
                for pid in members:
                    _enter(group.parent, int(pid))
            group.rmdir()


@contextmanager
def meter(names: Iterable[str]) -> Iterator[Meter]:
    """A meter with these groups, gone afterwards."""
    made = Meter(_hierarchy(), names)
    try:
        yield made
    finally:
        made.close()


def parse_usage(text: str) -> float:
    """Seconds from `cpuacct.usage` (ns, alone) or `cpu.stat` (`usage_usec` among others)."""
    words = text.split()
    if len(words) == 1:
        return int(words[0]) / 1e9
    return int(words[words.index("usage_usec") + 1]) / 1e6


def parse_busy(text: str, ticks_per_s: int) -> float:
    """Seconds that the processors were not idle, from /proc/stat; proc(5) has the columns."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, text.split()[1:9])
    return (user + nice + system + irq + softirq) / ticks_per_s


def _hierarchy() -> Hierarchy | None:
    """The first place where we may make a group that counts CPU time."""
    candidates = [
        Hierarchy(Path("/sys/fs/cgroup/cpuacct"), "cpuacct.usage"),
        Hierarchy(Path("/sys/fs/cgroup"), "cpu.stat"),
        Hierarchy(Path("/sys/fs/cgroup/unified"), "cpu.stat"),
    ]
    for candidate in candidates:
        probe = candidate.root / f"closet-probe-{os.getpid()}"
        try:
            probe.mkdir()
        except OSError:
            continue
        try:
            candidate.seconds(probe)
        except (OSError, ValueError):
            continue
        finally:
            probe.rmdir()
        return candidate
    return None


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return
    for child in children:
        yield from _tree(child)


def _enter(group: Path, pid: int) -> None:
    """Move a process (0: this one); one that has just ended needs no moving."""
    try:
        (group / "cgroup.procs").write_text(str(pid))
    except ProcessLookupError:
        return


def _busy() -> float:
    return parse_busy(Path("/proc/stat").read_text(), _ticks())


def _ticks() -> int:
    return os.sysconf("SC_CLK_TCK")
