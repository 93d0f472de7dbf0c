# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How every module talks to Ansible; nothing else in module_utils does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

Work = Callable[[Mapping[str, Any], bool], dict[str, Any]]
"""Takes the options and whether this is check mode; returns the result.

`warnings`, `diff` and `failed` (with `msg`) in it are what they are in Ansible.
"""


class ModuleError(Exception):
    """A sentence for the user; `result` is what the module returns besides."""

    def __init__(self, sentence: str, **result: Any) -> None:
        super().__init__(sentence)
        self.result = result


def run_module(
    options: Mapping[str, Any], work: Work, *errors: type[Exception], **constraints: Any
) -> None:
    """Run `work` and exit; one of `errors`, or a ModuleError, fails the task with its sentence.

    `constraints` are those of AnsibleModule, such as required_if.
    """
    expected: tuple[type[Exception], ...] = (ModuleError, *errors)
    module = AnsibleModule(argument_spec=dict(options), supports_check_mode=True, **constraints)
    try:
        result = work(module.params, module.check_mode)
    except expected as error:
        module.fail_json(msg=str(error), **getattr(error, "result", {}))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    if not module._diff:
        result.pop("diff", None)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)
