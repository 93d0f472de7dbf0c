"""sysctl(8) of a recent macOS, over the simulated kernel of doubles.oids.

Messages, streams and exit codes: system_cmds' sysctl.c. The exit code is the number of
arguments that failed; -w is accepted and ignored; there is no -p and no --system.
"""

from __future__ import annotations

import os
import sys

import mac

from doubles.oids import Oid, tree, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doubles.oids import Value

_USAGE = (
    "usage: sysctl [-bdehiNnoqx] [ -B <bufsize> ] [-f filename] name[=value] ...\n"
    "       sysctl [-bdehNnoqx] [ -B <bufsize> ] -a\n"
)
_FLAGS = "AabdehiNnoqwxX"
_INVALID = {"int": "integer", "quad": "int64_t"}


class Sysctl:
    """One run: the flags of its command line, the kernel it asks, what has failed so far."""

    def __init__(self, flags: set[str], leaves: dict[str, Oid]) -> None:
        self.flags = flags
        self.leaves = leaves
        self.failed = 0

    def argument(self, text: str, where: str = "") -> None:
        """Show or set what one `name[=value]` says; `where` goes to the end of a message."""
        name, mark, value = text.partition("=")
        name = name.strip() if where else name
        below = [leaf for leaf in self.leaves if leaf.startswith(f"{name}.")]
        if name not in self.leaves and not below:
            self._unknown(name, where)
        elif not mark or "d" in self.flags:
            self._show_all([name] if name in self.leaves else below, name)
        elif name not in self.leaves:
            self._complain(f"oid '{name}' isn't a leaf node{where}")
        elif not self.leaves[name].writable:
            self._complain(f"oid '{name}' is read only{where}")
        else:
            self._set(name, value.strip() if where else value.lstrip(), text, where)

    def everything(self) -> None:
        """Show every oid that is not masked."""
        self._show_all(list(self.leaves), "")

    def _unknown(self, name: str, where: str) -> None:
        if "i" in self.flags:
            return
        if "q" in self.flags:
            self.failed += 1
        else:
            self._complain(f"unknown oid '{name}'{where}")

    def _complain(self, message: str) -> None:
        mac.warn(message)
        self.failed += 1

    def _show_all(self, names: list[str], asked: str) -> None:
        for name in names:
            if self.leaves[name].masked and name != asked:
                continue
            self._print(self._shown(name))

    def _shown(self, name: str) -> str:
        if "N" in self.flags:
            return name
        leaf = self.leaves[name]
        label = "" if "n" in self.flags else name + ("=" if "e" in self.flags else ": ")
        return label + ("" if "d" in self.flags else _text(leaf.kind, leaf.read(), self.flags))

    def _print(self, text: str) -> None:
        sys.stdout.write(text + "\n")

    def _set(self, name: str, value: str, text: str, where: str) -> None:
        kind = self.leaves[name].kind
        if not value:
            self._complain(f"empty numeric value{where}")
            return
        number = _number(value)
        if number is None:
            self._complain(f"invalid {_INVALID[kind]} '{value}'{where}")
            return
        before = self._shown(name)
        if not mac.is_root():
            self._print(before)
            self._complain(f"{text}{where}: Operation not permitted")
            return
        stored = _wrapped(number, 32 if kind == "int" else 64)
        write(name, stored)
        self.leaves[name] = Oid(kind, lambda: stored, writable=True)
        after = self._shown(name) if "N" in self.flags else _text(kind, stored, self.flags)
        self._print(f"{before} -> {after}")


def main(arguments: list[str]) -> int:
    """Run sysctl with `arguments` (without its name); return its exit code."""
    flags, names, file = _parse(arguments)
    leaves = tree(mac.env())
    if "b" in flags:
        return _raw(names, leaves, flags)
    run = Sysctl(flags, leaves)
    if file is not None:
        _from_file(run, file)
    if flags & {"a", "A", "X"} and not names:
        run.everything()
    for name in names:
        run.argument(name)
    sys.stdout.flush()
    return run.failed


def _parse(arguments: list[str]) -> tuple[set[str], list[str], str | None]:
    flags: set[str] = set()
    file = None
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in "fB":
                value = letters or (rest.pop(0) if rest else "")
                letters = ""
                file = value if letter == "f" else file
                if value:
                    continue
            if letter not in _FLAGS:
                _usage()
            flags.add(letter)
    if {"N", "n"} <= flags or (not rest and file is None and not flags & {"a", "A", "X"}):
        _usage()
    return flags, rest, file


def _usage() -> None:
    sys.stderr.write(_USAGE)
    sys.exit(1)


def _from_file(run: Sysctl, file: str) -> None:
    try:
        with open(file, encoding="utf-8") as handle:  # noqa: PTH123  (pathlib is slow to import)
            lines = handle.readlines()
    except OSError as err:
        mac.fail(f"{file}: {os.strerror(err.errno or 0)}")
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if text:
            run.argument(text, f" at line {number}")


def _raw(names: list[str], leaves: dict[str, Oid], flags: set[str]) -> int:
    failed = 0
    for name in names:
        leaf = leaves.get(name)
        if leaf is None:
            failed += "i" not in flags
            if not flags & {"i", "q"}:
                mac.warn(f"unknown oid '{name}'")
            continue
        sys.stdout.buffer.write(_bytes(leaf.kind, leaf.read()))
    sys.stdout.flush()
    return failed


def _bytes(kind: str, value: Value) -> bytes:
    """Return the value as the kernel's memory on arm64 holds it (little endian)."""
    if kind == "timeval":
        seconds, micro = divmod(int(value), 1_000_000)
        return seconds.to_bytes(8, "little") + micro.to_bytes(8, "little")
    if kind == "int":
        return int(value).to_bytes(4, "little", signed=True)
    if kind == "quad":
        return int(value).to_bytes(8, "little", signed=True)
    return str(value).encode() + b"\0"


def _text(kind: str, value: Value, flags: set[str]) -> str:
    if kind == "timeval":
        import time

        seconds, micro = divmod(int(value), 1_000_000)
        return f"{{ sec = {seconds}, usec = {micro} }} {time.ctime(seconds)}"
    if kind == "loadavg":
        return f"{{ {value} }}"
    if kind == "swap":
        return "total = 0.00M  used = 0.00M  free = 0.00M  (encrypted)"
    if "x" in flags and kind in _INVALID:
        digits, bits = (8, 32) if kind == "int" else (16, 64)
        return f"0x{int(value) % (1 << bits):0{digits}x}"
    return str(value)


def _number(text: str) -> int | None:
    """Read what strtol(3) with base 0 reads as a whole: 12, -3, 0x1f, 017; else None."""
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    base = 10
    if digits[:2].lower() == "0x":
        base, digits = 16, digits[2:]
    elif digits.startswith("0") and len(digits) > 1:
        base, digits = 8, digits[1:]
    try:
        return int(sign + digits, base) if digits.isalnum() else None
    except ValueError:
        return None


def _wrapped(number: int, bits: int) -> int:
    """Cut to a signed integer of `bits` bits, as C's cast does."""
    half = 1 << (bits - 1)
    return (number + half) % (1 << bits) - half
