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

    def command(self, *words: str) -> str:
        """What a person types to go the same way and run `words` there."""
        if not self.is_ssh:
            return shlex.join(words) or "sh"
        argv = ["ssh"]
        argv += ["-p", str(self.port)] if self.port not in (0, 22) else []
        argv += ["-i", self.key] if self.key else []
        target = f"{self.user}@{self.address}" if self.user else self.address
        before = " ".join(part for part in (shlex.join(argv), self.options) if part)
        return " ".join([before, shlex.join([target, *words])])


def cut_off(name: str, way: Way, rc: int, stdout: str, stderr: str) -> str:
    """Return the sentence for a look that did not come to its end."""
    how = f"(exit code {rc}{_last_words(stdout, stderr)})"
    if "look=begin" in stdout.splitlines():
        return (
            f"{name}: the look at it was cut off {how}: run it again. When it ends there again, "
            f"something on {name} ends it: {way.command('uptime')}"
        )
    return (
        f"{name}: the login shell ended before the look began {how}. Try `{way.command('true')}`, "
        "which must print nothing; what shells read first is ~/.zshenv (zsh), ~/.bashrc (bash), "
        "~/.tcshrc or ~/.cshrc (tcsh), ~/.config/fish/config.fish (fish)"
    )


def _last_words(stdout: str, stderr: str) -> str:
    """The last line that is the host's own, and not ssh's or the look's."""
    for text in (stderr, stdout):
        lines = [line.strip() for line in text.splitlines()]
        said = [line for line in lines if line and not line.startswith(_NOISE)]
        if said and (text is stderr or "look=begin" not in lines):
            return f", its last words: {said[-1][:200]}"
    return ", and not a word"
