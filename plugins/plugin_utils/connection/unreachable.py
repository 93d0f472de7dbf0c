# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why ssh does not reach a host, from ssh's message, and the command that helps. Pure.

The words are those of OpenSSH 9.2 and 10, which do not depend on the locale; the banner is that of
macOS 26 before the first login after a boot (apple_ssh_and_filevault(7)).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace

from ansible_collections.closet.inference.plugins.plugin_utils.connection.reach import (
    Way,
    last_line,
)

_FINGERPRINT = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
_ASK = "-o StrictHostKeyChecking=ask"


def error(name: str, way: Way, message: str) -> str:
    """Return what is wrong and what to do; `message` is Ansible's, with all that ssh printed."""
    message = message.replace("Failed to connect to the host via ssh:", "")
    message = "\n".join(line for line in message.splitlines() if "debug" not in line[:6])
    words = " ".join(message.split())
    tell = next(
        (tell for pattern, tell in _CAUSES if re.search(pattern, words, re.IGNORECASE)), _silent
    )
    return tell(name, way, message)


def _locked(name: str, way: Way, _message: str) -> str:
    return (
        f"{name} has restarted, and FileVault waits for a password before anything starts on it. "
        f"Unlock it with the password of an account there, `{_first_asking(way)}`; it hangs up "
        "then, and half a minute later this run works. The screen of the Mac does as well"
    )


def _changed(name: str, way: Way, message: str) -> str:
    file = re.search(r"Offending \S+ key in (.+):\d+", message)
    host = re.search(r"Host key for (\S+) has changed", message)
    known = host[1] if host else _known_as(way)
    forget = ["ssh-keygen", *(["-f", file[1].strip()] if file else []), "-R", known]
    return (
        f"{name} has another host key at {way.address} than before: it was installed anew or "
        "replaced, or another machine has that address. See which by the fingerprint, on the "
        f"machine itself: `{_FINGERPRINT}`. When it is {name}: `{shlex.join(forget)} && "
        f"{_asking(way)}`"
    )


def _unknown(name: str, way: Way, _message: str) -> str:
    return (
        f"{name}: first connection to {way.address}, so its host key is unknown. "
        f"Log in once and compare the fingerprint, `{_asking(way)}`; the machine itself shows "
        f"its own with `{_FINGERPRINT}`"
    )


def _too_many(name: str, way: Way, message: str) -> str:
    key = way.key or "~/.ssh/id_ed25519"
    only = replace(way, key=key, options=f"{way.options} -o IdentitiesOnly=yes".strip())
    return (
        f"{name} at {way.address} has hung up ({last_line(message, 'Too many')}): ssh offered it "
        "all keys of your agent before the right one. Offer that one alone, "
        f"`{only.command('true')}`; when that works, set for {name} "
        f"ansible_ssh_private_key_file: {json.dumps(key)} and "
        f"ansible_ssh_common_args: {json.dumps(only.options)}"
    )


def _no_key(name: str, way: Way, message: str) -> str:
    path = re.search(r"Identity file (.+) not accessible", message)
    return (
        f"{name} refuses the ssh login at {way.address}: there is no key "
        f"{path[1] if path else way.key} on this machine, which ansible_ssh_private_key_file or "
        f"--private-key names. Correct it, or make one: `ssh-keygen -t ed25519 -f "
        f"{way.quoted_key() or '~/.ssh/id_ed25519'}`"
    )


def _open_key(name: str, way: Way, message: str) -> str:
    path = re.search(r"Permissions \d+ for '(.+)' are too open", message)
    key = shlex.quote(path[1]) if path else way.quoted_key()
    return (
        f"{name} refuses the ssh login at {way.address}: others may read the key {key}, so ssh "
        f"does not use it: run `chmod 600 {key}`"
    )


def _wrong_password(name: str, way: Way, _message: str) -> str:
    return (
        f"{name} refuses the password of {way.user or 'your account'} by ssh at {way.address}. "
        f"Try it with `{way.command('true')}`, then run with --ask-pass, or set ansible_password "
        f"for {name} in a file that ansible-vault has encrypted"
    )


def _denied(name: str, way: Way, message: str) -> str:
    reason = last_line(message, "Permission denied") or last_line(message, "")
    whose = f"as {way.user}" if way.user else "as who you are here, since ansible_user is not set"
    return (
        f"{name} refuses the ssh login at {way.address} {whose} ({reason}). {_give_key(way)}. When "
        "your key is in ~/.ssh/authorized_keys there, sshd ignores it as long as others may write "
        "the home or ~/.ssh: run `chmod go-w ~ ~/.ssh ~/.ssh/authorized_keys` at the machine. "
        f"Then try `{way.command('true')}`"
    )


def _no_name(name: str, way: Way, message: str) -> str:
    return (
        f"{name}: this machine knows no address for {way.address} "
        f"({last_line(message, 'Could not resolve')}). Set ansible_host for {name} to its address, "
        "or to the name under System Settings > General > Sharing > Local hostname; "
        f"`ping -c 1 {shlex.quote(way.address)}` has to answer"
    )


def _hung_up(name: str, way: Way, message: str) -> str:
    return (
        f"{name} does not answer by ssh at {way.address}, it hangs up ({last_line(message, '')}): "
        "something listens there that accepts no login, or the Mac is still starting. Wait a "
        f"minute, then try `{way.command('true')}`; check who may log in under System Settings "
        "> General > Sharing > Remote Login, and whether port and address are right"
    )


def _silent(name: str, way: Way, message: str) -> str:
    said = last_line(message, "") or "no answer"
    return (
        f"{name} does not answer by ssh at {way.address} ({said}): "
        "wake it, check System Settings > General > Sharing > Remote Login (on Linux: `sudo "
        f"apt-get install openssh-server`), then try `{way.command('true')}`. A Mac with FileVault "
        "that has restarted may wait for a password at its screen"
    )


# In this order: a refusal often comes with a warning that says why.
_CAUSES: tuple[tuple[str, Callable[[str, Way, str], str]], ...] = (
    (r"This system is locked", _locked),
    (r"HOST IDENTIFICATION HAS CHANGED|Host key for \S+ has changed", _changed),
    (r"Host key verification failed|host key is known for", _unknown),
    (r"Too many authentication failures", _too_many),
    (r"Invalid/incorrect (username/)?password", _wrong_password),
    (r"are too open", _open_key),
    (r"Identity file .+ not accessible.+Permission denied", _no_key),
    (r"Permission denied|No more authentication methods", _denied),
    (r"Could not resolve hostname", _no_name),
    (r"kex_exchange_identification|Connection (closed|reset) by|banner exchange", _hung_up),
)


def _give_key(way: Way) -> str:
    """How the key gets there; ssh-copy-id does not know every option of ssh."""
    if way.options:
        key = f"{way.quoted_key() or '~/.ssh/id_ed25519'}.pub"
        there = "umask 077; mkdir -p .ssh; cat >> .ssh/authorized_keys"
        return f"Put your key there with its password: `{way.command(there)} < {key}`"
    return f"Put your key there with its password: `{way.command(program='ssh-copy-id')}`"


def _first_asking(way: Way) -> str:
    """By password alone; a key cannot open the disk."""
    options = f"{way.options} -o PreferredAuthentications=keyboard-interactive,password".strip()
    return replace(way, key="", options=options).command()


def _asking(way: Way) -> str:
    """ssh takes the first value of an option, so this one counts whatever the inventory says."""
    return replace(way, options=f"{_ASK} {way.options}".strip()).command("true")


def _known_as(way: Way) -> str:
    return way.address if way.port in (0, 22) else f"[{way.address}]:{way.port}"
