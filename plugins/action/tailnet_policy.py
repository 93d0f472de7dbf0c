# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the tailnet's policy beside the inventory, and give it to a headscale.

Documentation: plugins/modules/tailnet_policy.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.module_utils.urls import open_url
from ansible.plugins.action import ActionBase

from ansible_collections.closet.inference.plugins.module_utils.files import write_atomic
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import push as tailnet_push
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet.push import (
    CHECK_PATH,
    PATH,
    Answer,
    PushError,
)

TIMEOUT_S = 20


class ActionModule(ActionBase):
    """Runs on the controller alone; no connection to a host is made."""

    _supports_check_mode = True
    _supports_diff = True
    _requires_connection = False
    _VALID_ARGS = frozenset(("text", "file", "server", "api_key", "api_key_place", "replace"))

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Write the file, then ask the control server what it has and give it ours."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self._task.args
        file, text = Path(str(args["file"])), str(args["text"])
        diffs: list[dict[str, str]] = []
        result.update(changed=False, pushed=False, tests=True, file=str(file), diff=diffs)
        try:
            result["changed"] = self._written(file, text, diffs)
            if args.get("server") and args.get("api_key"):
                self._push(text, diffs, result)
        except OSError as error:
            result.update(failed=True, msg=f"{error}: no policy was sent to the server")
        except PushError as error:
            result.update(failed=True, msg=f"{error}. Nothing was changed there")
        return result

    def _written(self, file: Path, text: str, diffs: list[dict[str, str]]) -> bool:
        before = file.read_text() if file.is_file() else ""
        if before == text:
            return False
        diffs.append(_diff(str(file), before, text))
        if not self._task.check_mode:
            file.parent.mkdir(mode=0o755, exist_ok=True)
            write_atomic(file, text.encode(), 0o644, anywhere=True)
        return True

    def _push(self, text: str, diffs: list[dict[str, str]], result: dict[str, Any]) -> None:
        args = self._task.args
        server, place = str(args["server"]).rstrip("/"), str(args.get("api_key_place") or "")
        now = tailnet_push.current(self._asked("GET", server + PATH), server, place)
        if now == text:
            return
        refused = tailnet_push.error(now, server, result["file"])
        if refused and not boolean(args.get("replace") or False):
            raise PushError(refused)
        method, path = ("POST", CHECK_PATH) if self._task.check_mode else ("PUT", PATH)
        answer = self._asked(method, server + path, text)
        if tailnet_push.lacks_machines(answer):
            text, result["tests"] = tailnet_push.without_tests(text), False
            if now == text:
                return
            answer = self._asked(method, server + path, text)
        tailnet_push.sent(answer, server, place, result["file"])
        diffs.append(_diff(server, now, text))
        result.update(changed=True, pushed=not self._task.check_mode)

    def _asked(self, method: str, url: str, policy: str | None = None) -> Answer:
        """One request; raises PushError when there is no answer."""
        headers = {"Authorization": f"Bearer {self._task.args['api_key']}"}
        data = None
        if policy is not None:
            data = json.dumps({"policy": policy})
            headers["Content-Type"] = "application/json"
        try:
            reply = open_url(
                url, data=data, headers=headers, method=method, timeout=TIMEOUT_S, use_proxy=False
            )
            return Answer(200, _read(reply.read()))
        except HTTPError as error:
            return Answer(error.code, _read(error.read()))
        except Exception as error:  # what urllib, ssl and ansible raise has no common class
            raise PushError(f"{url} could not be asked: {error}") from error


def _read(body: bytes) -> Any:
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _diff(header: str, before: str, after: str) -> dict[str, str]:
    return {"before": before, "after": after, "before_header": header, "after_header": header}
