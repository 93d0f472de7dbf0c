# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands below a home where a run puts a folder or a file: a part of the script, and messages.

A run would meet it in the middle, when other things have changed already. The shell runs as the
user of the home, so that it sees what that user could change.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

# Of every role that keeps something in a home; what is not there is no obstacle.
FOLDERS = (
    ".config .config/closet .config/closet/merged .config/closet/secrets .config/opencode "
    ".omlx .omlx/store .omlx/served .closet-gateway .ollama"
)
FILES = (
    ".config/closet/key .config/closet/env.sh .config/closet/closet.sh "
    ".config/opencode/config.json .zshenv .bashrc .claude.json "
    ".omlx/settings.json .omlx/model_settings.json .omlx/mcp.json .omlx/store/.closet.lock "
    ".closet-gateway/Caddyfile"
)
# A mode that lets the owner write what the system does not let it write is a lock or a volume that
# is read-only; a file that its owner has closed itself is replaced all the same.
SHELL = r"""
obstacle() { set -- "$1" "$2" $(ls -ldn "$2" 2>/dev/null) - - -; echo "obstacle=$1 $3 $5 $2"; }
locked() { [ -O "$1" ] && [ ! -w "$1" ] && [ "$(ls -ld "$1" | cut -c3)" = w ]; }
for path in FOLDERS; do
  path=$HOME/$path
  if [ -L "$path" ] && [ ! -e "$path" ]; then obstacle dangling "$path"
  elif [ -e "$path" ] && [ ! -d "$path" ]; then obstacle folder "$path"
  elif locked "$path"; then obstacle locked "$path"
  elif [ -d "$path" ] && [ ! -w "$path" ]; then obstacle closed "$path"; fi
done
for path in FILES; do
  path=$HOME/$path
  if [ -e "$path" ] && [ ! -f "$path" ]; then obstacle file "$path"
  elif [ -f "$path" ] && [ ! -r "$path" ]; then obstacle closed "$path"
  elif locked "$path"; then obstacle locked "$path"; fi
done
"""
SHELL = SHELL.replace("FOLDERS", FOLDERS).replace("FILES", FILES)


@dataclass(frozen=True)
class Obstacle:
    """`kind`: dangling, folder or file (which is wanted), closed, locked. `mode` as ls has it."""

    kind: str
    mode: str
    owner: str
    path: str


def found(lines: Iterable[str]) -> tuple[Obstacle, ...]:
    """From the lines of the script; one that is cut is left out."""
    cut = [line.split(" ", 3) for line in lines]
    return tuple(Obstacle(*fields) for fields in cut if len(fields) == 4 and fields[3][:1] == "/")


def errors(name: str, user: str, obstacles: Iterable[Obstacle], is_linux: bool) -> list[str]:
    """An error for each: what is wrong, whose it is, and what that user runs on the host.

    What lies in a folder that is moved away goes with it.
    """
    moved: list[str] = []
    result = []
    for one in obstacles:
        if not one.path.startswith(tuple(moved)):
            result.append(_message(name, user, one, is_linux))
            moved += [f"{one.path}/"] if one.kind != "locked" else []
    return result


def _message(name: str, user: str, one: Obstacle, is_linux: bool) -> str:
    path = shlex.quote(one.path)
    # with the user's rights: as root it would follow what that user plants meanwhile
    aside = f"sudo -u {shlex.quote(user)} mv -n {path} {shlex.quote(one.path + '.aside')}"
    unlock = f"sudo chattr -i {path}" if is_linux else f"sudo chflags nouchg,noschg {path}"
    whose = f"(mode {one.mode}, owner uid {one.owner})"
    fields, command = {
        "dangling": ("is a link that leads nowhere", aside),
        "folder": ("is no folder, and a folder belongs there", aside),
        "file": ("is no file, and a file belongs there", aside),
        "closed": (f"is closed to {user}", aside),
        "locked": ("is locked, or its volume is read-only", unlock),
    }.get(one.kind, ("is in the way", aside))
    return f"{name}: {one.path} {whose} {fields}: on {name} run `{command}`"
