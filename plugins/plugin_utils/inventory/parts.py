# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts of a run can be asked for with --tags, and what cannot be left out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import PurePath

from ansible_collections.closet.inference.plugins.plugin_utils.inventory.names import suggestion

# Steps of the closet's play; those of one line are one step, since each needs the others.
CLOSET = (
    ("wired_memory",),
    ("power",),
    ("log_rotation",),
    ("serve", "models", "omlx", "mlx_lm", "ollama", "gateway", "firewall"),
    ("tailscale",),
)
CLIENTS = (("opencode", "mcp"), ("client_env",), ("tailscale",))
TAGS = {
    "site": (
        *("closet", "clients"),
        *dict.fromkeys(tag for step in (*CLOSET, *CLIENTS) for tag in step),
    ),
    "models": ("list",),
}
"""By playbook; those that are not here run as a whole."""
ANY = ("all", "always", "never")
PLAYS = {
    "closet": ("closet", *(tag for step in CLOSET for tag in step)),
    "clients": ("clients", *(tag for step in CLIENTS for tag in step)),
}


def errors(books: Collection[str], asked: Collection[str], left_out: Collection[str]) -> list[str]:
    """An error when --tags or --skip-tags names what no task has: it would do nothing, silently.

    Args:
        books: the playbooks of this run that are ours, as they were given.
        asked: the words of --tags; left_out: those of --skip-tags.
    """
    if len(books) != 1:
        return []  # an owner's own playbook has tags of its own
    book = name_of(next(iter(books)))
    known = TAGS.get(book, ())
    found = []
    for option, words in (("--tags", asked), ("--skip-tags", left_out)):
        strange = sorted(set(words) - {*known, *ANY})
        if strange and known:
            found.append(
                f"{option} {','.join(strange)}: no task of {book} has this tag"
                f"{suggestion(strange[0], known) or '.'} It can be {', '.join(known)}"
            )
        elif strange:
            found.append(
                f"{option} {','.join(strange)}: {book} has no parts and runs as a whole; leave "
                f"{option} out"
            )
    return found


def name_of(book: str) -> str:
    """The name of a playbook of ours, given as a file or by the collection's name."""
    return PurePath(book).name.removeprefix("closet.inference.").removesuffix(".yml")


def leaves_out(play: str, asked: Collection[str], left_out: Collection[str]) -> bool:
    """Whether the words of --tags and --skip-tags leave nothing to do of a whole play."""
    wanted = {*asked} or {"all"}
    return play in left_out or not wanted & {"all", "tagged", *PLAYS[play]}


def from_the_middle(command: Callable[..., str]) -> str:
    """Why a run must not begin after preflight; `command` makes one of playbook and words."""
    return (
        "This run would begin in the middle (--start-at-task, --skip-tags always, a --limit that "
        "leaves out the closet, or a playbook that is a part of another one), without what "
        "preflight finds on every host. Nothing was changed. Run all of it, since what is done "
        f"already is not done again: `{command('site')}`; or one part of it: "
        f"`{command('site', '--tags', 'power')}` (tags: {', '.join(TAGS['site'])})"
    )
