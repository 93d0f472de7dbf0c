# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a closet for the run of ansible-playbook that this task is part of.

A process of its own keeps it, since no task lasts as long as the run: run_lock/keeper.py here, and
run_holder.py on the closet. Documentation: plugins/modules/run_lock.py.
"""

from __future__ import annotations

import base64
import contextlib
import getpass
import hashlib
import json
import os
import select
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.closet.inference.plugins.module_utils import run_holder
from ansible_collections.closet.inference.plugins.plugin_utils import this_run
from ansible_collections.closet.inference.plugins.plugin_utils.run_lock import keeper as run_keeper
from ansible_collections.closet.inference.plugins.plugin_utils.run_lock import messages

PYTHON = "/usr/bin/python3"
START_S = 60  # for a connection that is made anew
display = Display()


class ActionModule(ActionBase):
    """Takes the lock, or says who has it."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset(("seen", "wait_s"))

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """`stale` says whether the probe of this closet has to be repeated."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        host = str((task_vars or {})["inventory_hostname"])
        seen = str(self._task.args.get("seen") or "").strip()
        wait_s = float(self._task.args.get("wait_s", 900))
        main = os.getppid()  # a worker of ansible-playbook, which lives for the whole run
        order = _who(main)
        result.update(changed=False, stale=False, waited_s=0)
        if self._task.check_mode:
            result.update(self._peek(host, seen, order))
            return result
        way = self._way(_command(order))
        if way is None:
            result["warnings"] = [messages.no_way(host, str(self._connection.transport))]
            return result
        argv, password = way
        began = time.monotonic()
        news = self._take(
            host,
            {
                "argv": argv,
                "password": password,
                "pid": main,
                "identity": run_keeper.identity(main),
                "host": host,
            },
            wait_s,
        )
        result["waited_s"] = round(time.monotonic() - began)
        result["stale"] = messages.is_stale(news, seen, str(order["token"]))
        return result

    def _peek(self, host: str, seen: str, order: Mapping[str, Any]) -> dict[str, Any]:
        """In check mode nothing is held; whoever holds it is told."""
        if not messages.read(seen).get("held"):
            return {}
        done = self._low_level_execute_command(_command({**order, "peek": True}), sudoable=True)
        for line in str(done["stdout"]).splitlines():
            news = messages.read(line)
            if news.get("state") == "waits":
                return {"warnings": [messages.held_by(host, news.get("holder") or {})]}
        return {}

    def _take(self, host: str, order: Mapping[str, Any], wait_s: float) -> Mapping[str, Any]:
        """Start the keeper and wait until it holds the closet."""
        keeper = subprocess.Popen(
            [sys.executable, "-I", str(Path(run_keeper.__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt at the terminal is for ansible-playbook
        )
        with cast(IO[bytes], keeper.stdin) as to_it:
            to_it.write(json.dumps(order).encode() + b"\n")
        from_it = cast(IO[bytes], keeper.stdout)
        try:
            return _until_held(host, from_it.fileno(), wait_s)
        except BaseException:
            keeper.terminate()
            raise
        finally:
            from_it.close()

    def _way(self, command: str) -> tuple[list[str], str] | None:
        """The command that runs `command` as root over there, and sudo's password; None: no way."""
        become = self._connection.become
        password = ""
        if become is not None:
            command = become.build_become_command(command, self._connection._shell)
            password = str(become.get_option("become_pass", playcontext=self._play_context) or "")
        transport = str(self._connection.transport).rpartition(".")[2]
        if transport == "local":
            return ["/bin/sh", "-c", command], password
        if transport != "ssh":
            return None
        connection = self._connection
        connection.host = connection.get_option("host") or self._play_context.remote_addr
        program = str(connection.get_option("ssh_executable"))
        arguments = [
            argument.decode("utf-8", "surrogateescape")
            for argument in connection._build_command(program, "ssh", connection.host, command)
        ]
        # the connection is up, and all that follows uses it, so ssh asks for no password
        with contextlib.suppress(AttributeError, OSError, TypeError):
            for end in connection.sshpass_pipe:
                os.close(end)
        return arguments[arguments.index(program) :], password


def _who(main: int) -> dict[str, Any]:
    """What the closet is told of this run."""
    controller = socket.gethostname()
    books = [os.path.basename(str(book)) for book in context.CLIARGS.get("args") or ()]  # noqa: PTH119
    which = f"{controller} {main} {run_keeper.identity(main)}"
    return {
        "token": hashlib.sha256(which.encode()).hexdigest()[:32],
        "controller": controller,
        "user": getpass.getuser(),
        "playbook": " ".join(books) or "ansible",
        "pid": main,
    }


def _command(order: Mapping[str, Any]) -> str:
    """In one line and without an exclamation mark, which a login shell like tcsh cannot take."""
    program = base64.b64encode(Path(run_holder.__file__).read_bytes()).decode()
    start = "import base64,sys;exec(base64.b64decode(sys.argv.pop(1)))"
    arguments = json.dumps(order).replace("!", "\\u0021")
    return shlex.join([PYTHON, "-I", "-S", "-c", start, program, arguments])


def _failed(host: str, news: Mapping[str, Any]) -> str:
    arguments = ("-b", "-m", "ansible.builtin.command", "-a", "ls -la /opt/closet/lock")
    return messages.failed(host, news, this_run.invocation().ad_hoc(host, *arguments))


def _until_held(host: str, descriptor: int, wait_s: float) -> Mapping[str, Any]:
    """Wait for the keeper's word that it holds the closet; raises AnsibleActionFail."""
    holder: Mapping[str, Any] = {}
    began = time.monotonic()
    rest = b""
    while time.monotonic() - began < (wait_s if holder else wait_s + START_S):
        if not select.select([descriptor], [], [], 1.0)[0]:
            continue
        got = os.read(descriptor, 65536)
        if not got:
            raise AnsibleActionFail(_failed(host, {}))
        *lines, rest = (rest + got).split(b"\n")
        for news in (messages.read(line.decode()) for line in lines):
            if news["state"] in ("holds", "ours"):
                return news
            if news["state"] == "failed":
                raise AnsibleActionFail(_failed(host, news))
            holder = news.get("holder") or {"held": True}
            display.display(messages.waits(host, holder, wait_s), color="purple")
    raise AnsibleActionFail(messages.too_long(host, holder, wait_s))
