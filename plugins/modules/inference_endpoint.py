# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: inference_endpoint
short_description: Run the health checks of an OpenAI-compatible /v1
version_added: "0.1.0"
description:
  - Checks from the host on which it runs whether a C(/v1) accepts connections, lists its models
    and answers a request. It can also measure the speed of the answer.
  - Waits for a server that is still starting. Stops early when waiting cannot help, for example
    when the server refuses the key.
  - Ignores proxies of the environment.
author:
  - closet.inference contributors (@closet-inference)
extends_documentation_fragment:
  - closet.inference.attributes.info
options:
  url:
    description: Address of the C(/v1), such as V(http://attic.local:8000/v1).
    type: str
    required: true
  api_key:
    description: API key to send.
    type: str
  refused_keys:
    description: Keys that the server has to refuse with 401, such as revoked keys.
    type: list
    elements: str
    default: []
  resolves_to:
    description:
      - Addresses and networks. The system's resolver has to resolve the name in O(url) to these,
        and to nothing else. If empty, the name is not checked.
    type: list
    elements: str
    default: []
  models:
    description: Model ids that the server has to list.
    type: list
    elements: str
    default: []
  exact:
    description: Whether the server must list no other model.
    type: bool
    default: false
  answer:
    description: Id of the model that has to answer one short chat request. The request loads the
      model if necessary.
    type: str
  measure:
    description: Stream one more answer of the model O(answer), and return RV(ttft_s) and
      RV(decode_tps).
    type: bool
    default: false
  prompt_words:
    description: Length of the prompt for O(measure), in words of about two to three tokens.
    type: int
    default: 40
  expect:
    description:
      - V(ok) succeeds when all checks pass.
      - V(refused) succeeds when no server can be reached at the port.
      - V(unauthorized) succeeds when the server refuses the key, or the lack of one.
    type: str
    choices: [ok, refused, unauthorized]
    default: ok
  timeout_s:
    description: Total number of seconds to wait, including the time to load models.
    type: float
    default: 60
  hint:
    description: Command to run after a failure. The message ends with it.
    type: str
notes:
  - Never reports a change.
"""

EXAMPLES = r"""
- name: Wait until the closet answers
  closet.inference.inference_endpoint:
    url: http://10.77.31.10:8000/v1
    api_key: "{{ closet_api_key }}"
    models: [qwen3-coder]
    answer: qwen3-coder
    timeout_s: 300
    hint: sudo launchctl print system/inference.closet.omlx

- name: Check that the server refuses requests without a key
  closet.inference.inference_endpoint:
    url: http://10.77.31.10:8000/v1
    expect: unauthorized
"""

RETURN = r"""
steps:
  description: Checks of the last attempt, in order. After a failure the last entry is the check
    that failed.
  returned: always
  type: list
  elements: dict
  sample:
    - step: connect
      ok: true
      ms: 2
      detail: connected
    - step: models
      ok: true
      ms: 14
      detail: 2 listed
models:
  description: Ids of the models that the server lists.
  returned: always
  type: list
  elements: str
  sample: [qwen3-coder, qwen3-embedding]
ttft_s:
  description: Seconds from the request to the first token with content. Null if not measured.
  returned: always
  type: float
  sample: 0.42
decode_tps:
  description: Tokens per second after the first token. Null if not measured.
  returned: always
  type: float
  sample: 61.3
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.endpoint.checks import Checks
from ansible_collections.closet.inference.plugins.module_utils.endpoint.model import Want
from ansible_collections.closet.inference.plugins.module_utils.endpoint.resolver import networks
from ansible_collections.closet.inference.plugins.module_utils.endpoint.wire import (
    BadUrlError,
    parse_base,
)
from ansible_collections.closet.inference.plugins.module_utils.entry import (
    Module,
    ModuleError,
    run_module,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

OPTIONS = {
    "url": {"type": "str", "required": True},
    "api_key": {"type": "str", "no_log": True},
    "refused_keys": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "resolves_to": {"type": "list", "elements": "str", "default": []},
    "models": {"type": "list", "elements": "str", "default": []},
    "exact": {"type": "bool", "default": False},
    "answer": {"type": "str"},
    "measure": {"type": "bool", "default": False},
    "prompt_words": {"type": "int", "default": 40},
    "expect": {
        "type": "str",
        "choices": ["ok", "refused", "unauthorized"],
        "default": "ok",
    },
    "timeout_s": {"type": "float", "default": 60},
    "hint": {"type": "str"},
}


def work(options: Mapping[str, Any], _check_mode: bool) -> dict[str, Any]:
    """What the endpoint answers; it changes nothing, in check mode or not."""
    report = asdict(Checks(_want(options), Runner()).run())
    failure, hint = report.pop("failure"), options["hint"]
    if failure:
        report.update(failed=True, msg=f"{failure}. Next: `{hint}`" if hint else failure)
    return {"changed": False, **report}


def _want(options: Mapping[str, Any]) -> Want:
    if options["measure"] and not options["answer"]:
        raise ModuleError("measure needs answer, the id of the model to measure")
    if options["timeout_s"] <= 0:
        raise ModuleError("timeout_s has to be above 0")
    try:
        resolves_to = networks(options["resolves_to"])
    except ValueError as error:
        raise ModuleError(f"resolves_to: {error}") from error
    return Want(
        base=parse_base(options["url"]),
        api_key=options["api_key"],
        refused_keys=tuple(options["refused_keys"]),
        resolves_to=resolves_to,
        models=tuple(options["models"]),
        exact=options["exact"],
        answer=options["answer"],
        measure=options["measure"],
        prompt_words=options["prompt_words"],
        expect=options["expect"],
        timeout_s=options["timeout_s"],
    )


MODULE = Module(OPTIONS, work, (BadUrlError,))


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()
