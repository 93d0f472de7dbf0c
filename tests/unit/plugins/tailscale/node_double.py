# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that can be told what to be: the Runner of the module, with a tailscaled behind it.

What it prints is what the real one printed (fixtures/), with the few keys changed that a test is
about. What it was asked is in `asked`, and what was in standard input in `keys`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner

CURL = "/usr/bin/curl"
FIXTURES = Path(__file__).parent / "fixtures"
LOOKS = (["status", "--json"], ["debug", "prefs"], ["serve", "status"])
FLAGS = {
    "hostname": "Hostname",
    "accept-dns": "CorpDNS",
    "accept-routes": "RouteAll",
    "ssh": "RunSSH",
    "shields-up": "ShieldsUp",
}


def fixture(name: str) -> Any:
    """A recorded answer."""
    return json.loads((FIXTURES / name).read_text())


class Node(Runner):
    """One host's tailscale, in the state of a fixture: fresh, running, stopped, expired …"""

    def __init__(self, state: str = "running") -> None:
        self.status: dict[str, Any] = fixture(f"status-{state}.json")
        self.prefs: dict[str, Any] = fixture(f"prefs-{state}.json")
        self.status["Self"].pop("Tags", None)
        self.status["Self"]["Online"] = state == "running"  # recorded before its server saw it
        self.served: dict[str, Any] = {}
        self.asked: list[list[str]] = []
        self.keys: list[str] = []
        self.no_daemon = ""  # what the command says when no daemon answers
        self.missing = False
        self.up_says = ""  # the error that a login ends with
        self.login_error = ""  # what the daemon says of it in its health
        self.gives_tags: Sequence[str] | None = None
        self.ignores_set = False
        self.curl_ends, self.curl_says = 0, ""
        self.asked_server: list[str] = []
        self.clock = 0.0

    def sleep(self, seconds: float) -> None:
        self.clock += seconds

    def now(self) -> float:
        return self.clock

    @property
    def changes(self) -> list[list[str]]:
        """What it was asked that does something."""
        return [words for words in self.asked if words[:2] not in LOOKS]

    def run(
        self,
        argv: Sequence[str],
        timeout_s: float = 30,
        input: str | None = None,  # noqa: A002 - the Runner's word
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        if argv[0] == CURL:
            self.asked_server.append(str(argv[-1]))
            return Completed(tuple(argv), self.curl_ends, "", self.curl_says)
        if self.missing:
            return Completed(tuple(argv), 127, "", f"{argv[0]}: No such file or directory")
        words = [word for word in argv[1:] if not word.startswith("--socket=")]
        self.asked.append(words)
        if input is not None:
            self.keys.append(input)
        if self.no_daemon:
            return Completed(tuple(argv), 1, "", self.no_daemon)
        rc, out, err = self._answer(words, input)
        return Completed(tuple(argv), rc, out, err)

    def _answer(self, words: list[str], key: str | None) -> tuple[int, str, str]:
        if words[:2] == ["status", "--json"]:
            return 0, json.dumps(self.status), ""
        if words[:2] == ["debug", "prefs"]:
            return 0, json.dumps(self.prefs), ""
        if words[:2] == ["serve", "status"]:
            return 0, json.dumps(self.served), ""
        verb = words[0]
        does = {
            "up": self._up,
            "down": self._down,
            "set": self._set,
            "serve": self._serve,
            "logout": self._logout,
        }
        return does[verb](words[1:])

    def _up(self, words: list[str]) -> tuple[int, str, str]:
        flags = dict(word.lstrip("-").partition("=")[::2] for word in words)
        if self.up_says:
            self.prefs["ControlURL"] = flags["login-server"]  # kept, as the real one does
            if self.login_error:
                said = f"You are logged out. The last login error was: {self.login_error}"
                self.status["Health"] = [said]
            return 1, "", self.up_says
        if "auth-key" in flags:
            self._logged_in(flags)
        self.status["BackendState"] = "Running"
        self.prefs["WantRunning"] = True
        return 0, "", ""

    def _down(self, _words: list[str]) -> tuple[int, str, str]:
        self.prefs["WantRunning"] = False
        return 0, "", ""

    def _logged_in(self, flags: Mapping[str, str]) -> None:
        """As the real one: what is not named is as by default afterwards."""
        running = fixture("status-running.json")
        own, tags = running["Self"], self.status["Self"].get("Tags")
        self.status = copy.deepcopy(running)
        name = flags.get("hostname") or "mac"
        own["Online"] = True
        own["DNSName"] = f"{name}.tailnet.test."
        self.status["Self"] = own
        self._tag(self.gives_tags if self.gives_tags is not None else tags or ())
        server = flags.get("login-server", "https://controlplane.tailscale.com")
        defaults = {"Hostname": "", "CorpDNS": True, "RouteAll": False, "RunSSH": False}
        self.prefs.update({**defaults, "ShieldsUp": False, "ControlURL": server})
        for flag, pref in FLAGS.items():
            if flag in flags:
                self.prefs[pref] = _value(flags[flag])

    def _tag(self, tags: Sequence[str]) -> None:
        self.status["Self"].pop("Tags", None)
        if tags:
            self.status["Self"]["Tags"] = list(tags)

    def _set(self, words: list[str]) -> tuple[int, str, str]:
        for word in words:
            flag, _sign, value = word.lstrip("-").partition("=")
            if flag in FLAGS and not self.ignores_set:
                self.prefs[FLAGS[flag]] = _value(value)
        return 0, "", ""

    def _serve(self, words: list[str]) -> tuple[int, str, str]:
        kind, port = next(
            word.lstrip("-").split("=") for word in words if word[2:].startswith(("tcp", "http"))
        )
        name = f"{self.status['Self']['DNSName'].rstrip('.')}:{port}"
        tcp, web = self.served.setdefault("TCP", {}), self.served.setdefault("Web", {})
        if words[-1] == "off":
            tcp.pop(port, None)
            for key in [key for key in web if key.endswith(f":{port}")]:
                del web[key]
        elif kind == "tcp":
            tcp[port] = {"TCPForward": words[-1].removeprefix("tcp://")}
        else:
            tcp[port] = {kind.upper(): True}
            web[name] = {"Handlers": {"/": {"Proxy": words[-1]}}}
        return 0, "", ""

    def _logout(self, _words: list[str]) -> tuple[int, str, str]:
        self.status, self.prefs = fixture("status-fresh.json"), fixture("prefs-loggedout.json")
        self.served = {}
        return 0, "", ""


def _value(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text)
