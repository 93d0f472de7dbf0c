# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How every module talks to Ansible; nothing else in module_utils does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Work = Callable[[Mapping[str, Any], bool], dict[str, Any]]
"""Takes the options and whether this is check mode; returns the result.

`warnings`, `diff` and `failed` (with `msg`) in it are what they are in Ansible.
"""


class ModuleError(Exception):
    """A sentence for the user; `result` is what the module returns besides."""

    def __init__(self, sentence: str, **result: Any) -> None:
        super().__init__(sentence)
        self.result = result


@dataclass(frozen=True)
class Module:
    """A module: its options, and what it does with them.

    One of `errors`, or a ModuleError, fails the task with its sentence. `constraints` are those of
    AnsibleModule, such as required_if.
    """

    options: Mapping[str, Any]
    work: Work
    errors: tuple[type[Exception], ...] = ()
    constraints: Mapping[str, Any] = field(default_factory=dict)

    def result(self, options: Mapping[str, Any], check_mode: bool, diff: bool) -> dict[str, Any]:
        """What the module returns for valid options."""
        expected: tuple[type[Exception], ...] = (ModuleError, *self.errors)
        try:
            result = self.work(options, check_mode)
        except expected as error:
            return {"msg": str(error), **getattr(error, "result", {}), "failed": True}
        if not diff:
            result.pop("diff", None)
        return result


def run_module(module: Module) -> None:
    """Run it as Ansible's own modules run, and exit."""
    # Here and not above: this import takes two thirds of a short run, and light_run needs none.
    from ansible.module_utils.basic import AnsibleModule

    run = AnsibleModule(
        argument_spec=dict(module.options), supports_check_mode=True, **module.constraints
    )
    result = module.result(run.params, run.check_mode, run._diff)
    for warning in result.pop("warnings", ()):
        run.warn(warning)
    if result.get("failed"):
        run.fail_json(**result)
    run.exit_json(**result)
