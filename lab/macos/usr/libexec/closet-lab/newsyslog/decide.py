"""Which logs a run looks at, and whether each one is due; what -v prints about it."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from newsyslog.entry import UNSET, Config, Entry, Options, size_kb

_HOUR = 3600


def worklist(config: Config, names: list[str]) -> list[Entry]:
    """Return the entries to work on: all of the configuration, or those for `names`."""
    if names:
        default = config.default or Entry("<default>", mode=0o600, count=3, size_kb=50)
        return [entry for name in names for entry in _for_name(config, name, default)]
    listed = list(config.logs)
    taken = {entry.log for entry in listed}
    for pattern in config.globs:
        for found in sorted(glob.glob(pattern.log)):  # noqa: PTH207  (absolute patterns)
            if found not in taken and stat.S_ISREG(os.lstat(found).st_mode):
                listed.append(replace(pattern, log=found, glob=False))
    return listed


def _for_name(config: Config, name: str, default: Entry) -> list[Entry]:
    exact = [entry for entry in config.logs if entry.log == name]
    if exact:
        return exact
    for pattern in config.globs:
        if fnmatch.fnmatchcase(name, pattern.log) and name.count("/") == pattern.log.count("/"):
            return [replace(pattern, log=name, glob=False)]
    return [replace(default, log=name, by_default_rule=True)]


def archive_folder(log: str, options: Options) -> str | None:
    """Return where -a puts the archives of `log`, or None without -a."""
    if options.archive is None or options.archive.startswith("/"):
        return options.archive
    return log.rpartition("/")[0] + "/" + options.archive if "/" in log else options.archive


def stem(log: str, options: Options) -> str:
    """Return the name of an archive of `log` up to its number."""
    folder = archive_folder(log, options)
    return log if folder is None else f"{folder}/{Path(log).name}"


def reason_to_rotate(entry: Entry, options: Options, say: Callable[[str], None]) -> str | None:
    """Return why the log, which exists, is due (may be ""), or None; `say` gets -v's words."""
    size = size_kb(entry.log) or 0
    forced = options.force or options.requestor is not None
    if entry.at is not None and not forced and not _time_is_up(entry, options, say):
        return None
    age = age_hours(entry.log, options)
    if entry.size_kb > 0:
        say(f"size (Kb): {size} [{entry.size_kb}] ")
    if entry.hours > 0:
        say(f" age (hr): {UNSET if age is None else age} [{entry.hours}] ")
    reason = _reason(entry, options, size, age)
    if reason is None or options.no_rotate:
        say("--> skipping\n")
        return None
    say("--> trimming log....\n")
    return reason


def _reason(entry: Entry, options: Options, size: int, age: int | None) -> str | None:
    if options.requestor is not None:
        return f" due to -R from {options.requestor}"
    if options.force:
        return " due to -F request"
    if 0 < entry.size_kb <= size:
        return f" due to size>{entry.size_kb}K"
    if entry.hours <= 0 and entry.at is not None:
        return ""
    return "" if entry.hours > 0 and (age is None or age >= entry.hours) else None


def _time_is_up(entry: Entry, options: Options, say: Callable[[str], None]) -> bool:
    assert entry.at is not None
    ahead = entry.at.seconds_until(options.now)
    if ahead > 0:
        say(f"--> will trim at {entry.at.text()}\n")
        return False
    if ahead <= -_HOUR:
        if options.show_at_times:
            say(f"\n\t--> prev trim at {entry.at.text()}\n\t")
        say(f"--> will trim at {entry.at.following().text()}\n")
        return False
    if options.verbose and options.dry and options.show_at_times:
        say(f"\n\t--> timematch at {entry.at.text()}\n")
        return False
    if entry.hours <= 0:
        say("--> time is up\n")
    return True


def age_hours(log: str, options: Options) -> int | None:
    """Return the age of the newest archive in hours, or None when there is none."""
    for ending in (".0", ".0.gz", ".0.bz2"):
        try:
            changed = Path(stem(log, options) + ending).stat().st_mtime
        except OSError:
            continue
        return int(options.now.timestamp() - changed + _HOUR // 2) // _HOUR
    return None
