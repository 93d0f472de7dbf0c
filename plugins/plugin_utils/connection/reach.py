# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a host by ssh, and what it means when it ends early. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

# What ssh itself adds to the words of a host.
_NOISE = ("Warning: Permanently added", "Shared connection to", "Connection to", "** WARNING:")


@dataclass(frozen=True)
class Way:
    """How the inventory leads to a host; what it leaves to ssh's own configuration is empty."""

    address: str
    user: str = ""
    port: int = 0
    key: str = ""
    options: str = ""
    """ansible_ssh_common_args and ansible_ssh_extra_args, such as a jump host."""
    is_ssh: bool = True

    def command(self, *words: str, program: str = "ssh") -> str:
        """What a person types to go the same way and run `words` there."""
        if not self.is_ssh:
            return shlex.join(words) or "sh"
        parts = [program]
        parts += [f"-p {self.port}"] if self.port not in (0, 22) else []
        parts += [f"-i {self.quoted_key()}"] if self.key else []
        parts += [self.options] if self.options else []
        target = f"{self.user}@{self.address}" if self.user else self.address
        return " ".join([*parts, shlex.join([target, *words])])

    def quoted_key(self) -> str:
        """The key for a shell, which has to expand the tilde that it may begin with."""
        if self.key.startswith("~/"):
            return f"~/{shlex.quote(self.key[2:])}"
        return shlex.quote(self.key) if self.key else ""


def cut_off(name: str, way: Way, rc: int, stdout: str, stderr: str) -> str:
    """Return the error for a script that did not come to its end."""
    how = f"(exit code {rc}{_last_words(stdout, stderr)})"
    if "probe=begin" in stdout.splitlines():
        return (
            f"{name}: the probe was cut off {how}: run it again. When it ends there again, "
            f"something on {name} ends it: `{way.command('uptime')}`"
        )
    return (
        f"{name}: the login shell ended before the probe began {how}. Try `{way.command('true')}`, "
        "which must print nothing; what shells read first is ~/.zshenv (zsh), ~/.bashrc (bash), "
        "~/.tcshrc or ~/.cshrc (tcsh), ~/.config/fish/config.fish (fish)"
    )


def last_line(text: str, part: str) -> str:
    """The last line that has `part` and says something."""
    lines = [line.strip() for line in text.splitlines() if part in line]
    return next((line for line in reversed(lines) if line), "")


def _last_words(stdout: str, stderr: str) -> str:
    """The last line that is the host's own, and not ssh's or the script's."""
    for text in (stderr, stdout):
        lines = [line.strip() for line in text.splitlines()]
        said = [line for line in lines if line and not line.startswith(_NOISE)]
        if said and (text is stderr or "probe=begin" not in lines):
            return f", its last words: {said[-1][:200]}"
    return ", no output"
