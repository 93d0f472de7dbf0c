# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: inference_endpoint
short_description: Check the health of an OpenAI-compatible /v1
version_added: "0.1.0"
description:
  - Asks, from the host it runs on, whether a C(/v1) connects, lists its models, answers, and
    how fast.
  - Waits for a server that is still starting. Stops waiting when it cannot help, such as after
    a refused key.
  - Proxies named in the environment are not used.
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
    description: Key to show to the server.
    type: str
  refused_keys:
    description: Keys that the server has to refuse with 401, such as those of who left.
    type: list
    elements: str
    default: []
  resolves_to:
    description:
      - Addresses and networks. The resolver of the system has to know the name in O(url), and to
        lead to one of these and nowhere else. Not looked at when it is empty.
    type: list
    elements: str
    default: []
  models:
    description: Model ids that have to be listed.
    type: list
    elements: str
    default: []
  exact:
    description: No other model may be listed.
    type: bool
    default: false
  answer:
    description: Id of a model that has to answer one short chat request. This loads the model
      when it is not loaded.
    type: str
  measure:
    description: Also stream one answer of O(answer) and report RV(ttft_s) and RV(decode_tps).
    type: bool
    default: false
  prompt_words:
    description: Length of the prompt of O(measure) in words; one is about two to three tokens.
    type: int
    default: 40
  expect:
    description:
      - V(ok) is all checks.
      - V(refused) succeeds when nothing can be reached at the port.
      - V(unauthorized) succeeds when the server refuses the key, or the lack of one.
    type: str
    choices: [ok, refused, unauthorized]
    default: ok
  timeout_s:
    description: Seconds to wait in all, loading of models included.
    type: float
    default: 60
  hint:
    description: What to run next when it fails; added to the message.
    type: str
notes:
  - It never reports a change.
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

- name: Prove that nobody gets in without a key
  closet.inference.inference_endpoint:
    url: http://10.77.31.10:8000/v1
    expect: unauthorized
"""

RETURN = r"""
steps:
  description: The checks in order, of the last try; the last one is the one that failed, if one
    did.
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
  description: Ids of the models the server lists.
  returned: always
  type: list
  elements: str
  sample: [qwen3-coder, qwen3-embedding]
ttft_s:
  description: Seconds from the request to the first token that says something; null when not
    measured.
  returned: always
  type: float
  sample: 0.42
decode_tps:
  description: Tokens per second after the first; null when not measured.
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
