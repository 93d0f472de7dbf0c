"""newsyslog.conf: lines into entries. One bad line ends the run before anything is rotated."""

from __future__ import annotations

import grp
import os
import pwd
import re
import sys
from dataclasses import replace
from pathlib import Path

import mac

from newsyslog.entry import ADMIN, UNSET, Config, Entry, Options
from newsyslog.when import WhenError, parse_dwm, parse_iso

_DEFAULT = "<default>"
_DEBUG = "<debug>"
_LONGEST = 1023  # fgets with BUFSIZ; the rest of a longer line is read as a line of its own
_SIGNALS = 32
_KNOWN_FLAGS = "bcdgjnuwz-"


def read(options: Options) -> Config:
    """Read the files a run with `options` reads: -f's alone, or the system's and its folder's."""
    config = Config()
    name = options.config or mac.path("/etc/newsyslog.conf")
    if name == "-":
        _parse_all(sys.stdin.read(), "<stdin>", config, options)
        return config
    files = [name]
    if options.config is None:
        files += sorted(str(path) for path in Path(mac.path("/etc/newsyslog.d")).glob("*.conf"))
    for file in files:
        try:
            text = Path(file).read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as err:
            mac.fail(f"{file}: {os.strerror(err.errno or 0)}")
        _parse_all(text, file, config, options)
    return config


def _parse_all(text: str, file: str, config: Config, options: Options) -> None:
    for whole in text.splitlines(keepends=True):
        for start in range(0, len(whole), _LONGEST):
            line = whole[start : start + _LONGEST]
            if line[0] not in "\n#":
                _Line(line, config, options).parse()


class _Line:
    """One line while it is read: the words not yet taken, and the text for a message."""

    def __init__(self, line: str, config: Config, options: Options) -> None:
        self.original = line
        self.no_signal = False
        self.config = config
        self.options = options
        code = line[0] + re.sub(r"(?<!\\)#.*", "", line[1:], flags=re.DOTALL)
        code = code.replace("\\#", "#")
        self.ended_by_blank = code[-1:].isspace()
        self.words = code.split()
        if line[0].isspace() and self.words:
            # the original takes all of an indented line for the log's name, then starts over
            self.words.insert(0, code.strip())

    def parse(self) -> None:
        """Add the line's entry to the configuration, or end the run."""
        log = self._word()
        if log.lower() == _DEBUG:
            return
        default = log.lower() == _DEFAULT
        if default and self.config.default is not None:
            mac.warn(f"Ignoring duplicate entry for {log}!")
            return
        entry = self._with_flags(self._with_numbers(Entry(self._placed(log))))
        entry = self._with_process(entry)
        if default:
            self.config.default = entry
        elif entry.glob:
            self.config.globs.append(entry)
        else:
            self.config.logs.append(entry)

    def _placed(self, log: str) -> str:
        return self.options.destination + log if log.startswith("/") else log

    def _word(self, last: bool = False) -> str:
        """Take a required word; all but the `last` need something after them."""
        if not self.words:
            self._fail("missing field in config file:")
        word = self.words.pop(0)
        if not last and not self.words and not self.ended_by_blank:
            self._fail("malformed line (missing fields):")
        return word

    def _fail(self, message: str) -> None:
        mac.fail(f"{message}\n{self.original}")

    def _with_numbers(self, entry: Entry) -> Entry:
        uid, gid, word = UNSET, UNSET, self._word()
        if ":" in word or "." in word:
            owner, _, group = word.partition(":") if ":" in word else word.rpartition(".")
            uid, gid = self._uid(owner), self._gid(group)
            word = self._word()
        mode = re.match(r"[0-7]+", word)
        if mode is None:
            self._fail("error in config file; bad permissions:")
        count = re.match(r"[+-]?\d+", self._word())
        if count is None or int(count[0]) < 0:
            self._fail("error in config file; bad value for count of logs to save:")
        assert mode and count
        entry = replace(
            entry,
            uid=uid,
            gid=ADMIN if gid == UNSET else gid,
            mode=int(mode[0], 8),
            count=int(count[0]),
            size_kb=self._size(self._word()),
        )
        return self._with_when(entry, self._word(last=True))

    def _uid(self, owner: str) -> int:
        if not owner or owner.isdigit():
            return int(owner or UNSET)
        try:
            return pwd.getpwnam(owner).pw_uid
        except KeyError:
            self._fail("error in config file; unknown user:")
            raise

    def _gid(self, group: str) -> int:
        if not group or group.isdigit():
            return int(group or UNSET)
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            self._fail("error in config file; unknown group:")
            raise

    def _size(self, word: str) -> int:
        digits = re.match(r"\d+", word)
        if digits:
            return int(digits[0])
        if word != "*":
            mac.warn(f"Invalid value of '{word}' for 'size' in line:\n{self.original}")
        return UNSET

    def _with_when(self, entry: Entry, word: str) -> Entry:
        digits = re.match(r"\d+", word)
        tail = word[digits.end() :] if digits else word
        if tail.startswith("*"):
            hours = 0 if digits is None else UNSET
        else:
            hours = int(digits[0]) if digits else 0
        if hours > 2147483647:
            self._fail("interval is too large:")
        if tail in ("", "*"):
            return replace(entry, hours=hours)
        if tail[0] not in "@$":
            self._fail("malformed interval/at:")
        parser = parse_iso if tail[0] == "@" else parse_dwm
        try:
            return replace(entry, hours=hours, at=parser(tail[1:], self.options.now))
        except WhenError:
            self._fail("malformed 'at' value:")
            raise

    def _with_flags(self, entry: Entry) -> Entry:
        word = self.words.pop(0) if self.words else ""
        for letter in word:
            if letter.lower() not in _KNOWN_FLAGS:
                mac.fail(f"illegal flag in config file -- {letter}")
            if letter == "c":  # once a misspelt g, and still taken for it
                mac.warn(f"Assuming 'g' for 'c' in flags for line:\n{self.original}")
                mac.warn("The 'c' flag will eventually mean 'CREATE'")
        flags = word.lower()
        self.no_signal = "n" in flags
        return replace(
            entry,
            binary="b" in flags,
            bzip2="j" in flags,
            create="C" in word,
            glob="g" in flags or "c" in word,
            group="u" in flags,
            gzip="z" in flags,
            nodump="d" in flags,
        )

    def _with_process(self, entry: Entry) -> Entry:
        word = self.words.pop(0) if self.words else ""
        if word.startswith("/"):
            entry = replace(entry, pid_file=word)
            word = self.words.pop(0) if self.words else ""
            message = "illegal signal number in config file:"
        else:
            message = "illegal pid file or signal number in config file:"
        if word:
            digits = re.match(r"\d+", word)
            if digits is None:
                self._fail(message)
            assert digits
            entry = replace(entry, signal=int(digits[0]))
            if not 1 <= entry.signal < _SIGNALS:
                self._fail("illegal signal number in config file:")
        return self._with_notice(entry)

    def _with_notice(self, entry: Entry) -> Entry:
        if self.no_signal:
            if entry.pid_file is not None:
                mac.warn(
                    f"Ignoring '{entry.pid_file}' because flag 'n' was specified in line:\n"
                    f"{self.original}"
                )
            return replace(entry, pid_file=None)
        if entry.pid_file is not None:
            return entry
        if entry.group:
            mac.warn(f"Ignoring flag 'U' in line:\n{self.original}")
        syslogd = mac.path("/var/run/syslog.pid") if self.options.needs_root else None
        return replace(entry, pid_file=syslogd, group=False)
