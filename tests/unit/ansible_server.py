# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook, loaded once: each line of the input becomes a run, in a fork of this process.

A line is JSON: `cwd`, `argv` from the program on, and `output`, a file to append to. The answer is
the exit code. All runs have the environment of this process, and with it Ansible's configuration.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any, NoReturn

from ansible.cli.playbook import main
from ansible.plugins import loader

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


def prepare() -> None:
    """Load the plugins that each run loads; Ansible compiles those of a collection every time."""
    warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")
    loader.init_plugin_loader()
    for kind in ("callback", "filter", "inventory", "strategy", "test"):
        list(getattr(loader, f"{kind}_loader").all(class_only=True))
    for kind in ("action", "filter", "lookup"):
        for path in PLUGINS.glob(f"{kind}/[!_]*.py"):
            importlib.import_module(
                f"ansible_collections.closet.inference.plugins.{kind}.{path.stem}"
            )
    gc.freeze()


def run(order: dict[str, Any]) -> NoReturn:
    """Become one run of ansible-playbook."""
    code: Any = 250
    try:
        os.chdir(order["cwd"])
        sys.argv = order["argv"]
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number in (1, 2):
            os.dup2(os.open(order["output"], os.O_WRONLY | os.O_APPEND), number)
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    prepare()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
