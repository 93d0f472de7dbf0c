# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: launchd_job_info
short_description: Describe launchd jobs on macOS
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Says what launchd has loaded for a label, or for all labels with a prefix. The definition as
    launchd holds it, the process, how often it was started, how its last run ended, and whether
    the label is enabled.
  - Jobs that are only on disk are named as well, with RV(jobs[].state=absent). The label in a plist
    names the job, as for launchd, whatever the file is called. A folder, a dangling link and a file
    that cannot be read have no label, so they are no jobs.
extends_documentation_fragment:
  - closet.inference.attributes.info
options:
  label:
    description:
      - Label of one job.
    type: str
  label_prefix:
    description:
      - Beginning of the labels to describe.
    type: str
  domain:
    description:
      - Where the jobs live. V(system), V(user/UID) or V(gui/UID), where UID may also be a user's
        name.
    type: str
    default: system
seealso:
  - module: closet.inference.launchd_job
"""

EXAMPLES = r"""
- name: Look at all our jobs
  closet.inference.launchd_job_info:
    label_prefix: inference.closet.
  register: ours

- name: Name the jobs that run something else than their plist says
  ansible.builtin.debug:
    msg: "{{ ours.jobs | selectattr('drift') | map(attribute='label') | list }}"
"""

RETURN = r"""
jobs:
  description: One entry for each job, in the order of their labels. Values that launchd does not
    print are null.
  returned: always
  type: list
  elements: dict
  contains:
    label:
      description: Label of the job.
      type: str
      returned: always
      sample: inference.closet.omlx
    domain:
      description: Domain of the job.
      type: str
      returned: always
      sample: system
    state:
      description: V(running), V(loaded) without a process, or V(absent).
      type: str
      returned: always
      sample: running
    launchd_state:
      description: The state in launchd's own words, such as V(spawn scheduled).
      type: str
      returned: always
      sample: running
    override:
      description: V(enabled) or V(disabled), V(unset) where launchd's store has no entry,
        V(unknown) where it could not be read.
      type: str
      returned: always
      sample: enabled
    path:
      description: The plist it was loaded from, or else the place where it would be.
      type: str
      returned: always
      sample: /Library/LaunchDaemons/inference.closet.omlx.plist
    plist_exists:
      description: Whether the job has a plist there. A file with the label of another job is not
        its plist, a file that cannot be read may be.
      type: bool
      returned: always
      sample: true
    drift:
      description: In what the loaded job differs from that file, with the names that
        M(closet.inference.launchd_job) uses.
      type: list
      elements: str
      returned: always
      sample: []
    trouble:
      description: What is wrong with it in a sentence, such as memory pressure or a crash loop.
        Null when it looks healthy.
      type: str
      returned: always
      sample: null
    type:
      description: What launchd calls it.
      type: str
      returned: always
      sample: LaunchDaemon
    program:
      description: The file that is executed.
      type: str
      returned: always
      sample: /opt/closet/omlx/current/bin/omlx
    arguments:
      description: Its arguments, itself first.
      type: list
      elements: str
      returned: always
      sample: [/opt/closet/omlx/current/bin/omlx, serve]
    environment:
      description: Its variables. The values of those whose name says that they are secret are
        hidden.
      type: dict
      returned: always
      sample: {HOME: /Users/admin}
    working_directory:
      description: Its working directory.
      type: str
      returned: always
      sample: /Users/admin
    stdout_path:
      description: Where its output goes.
      type: str
      returned: always
      sample: /var/log/closet/omlx.log
    stderr_path:
      description: Where its error output goes.
      type: str
      returned: always
      sample: /var/log/closet/omlx.log
    username:
      description: The user it runs as.
      type: str
      returned: always
      sample: admin
    exit_timeout_s:
      description: Seconds between SIGTERM and SIGKILL.
      type: int
      returned: always
      sample: 60
    throttle_s:
      description: The least number of seconds between two starts.
      type: int
      returned: always
      sample: 30
    umask:
      description: File mode creation mask, as a decimal number.
      type: int
      returned: always
      sample: 23
    properties:
      description: Further words that launchd prints about it.
      type: list
      elements: str
      returned: always
      sample: [runatload, inferred program]
    pid:
      description: Its process.
      type: int
      returned: always
      sample: 3438
    runs:
      description: How often launchd has started it since it was loaded.
      type: int
      returned: always
      sample: 1
    last_exit:
      description: How its last run ended, an exit code, or a negative signal number.
      type: int
      returned: always
      sample: 0
    last_exit_text:
      description: The same in launchd's words.
      type: str
      returned: always
      sample: "Terminated: 15"
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.entry import Module, run_module
from ansible_collections.closet.inference.plugins.module_utils.launchd.info import describe_jobs
from ansible_collections.closet.inference.plugins.module_utils.launchd.launchctl import Launchctl
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import JobError
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

OPTIONS = {
    "label": {"type": "str"},
    "label_prefix": {"type": "str"},
    "domain": {"type": "str", "default": "system"},
}


def work(options: Mapping[str, Any], _check_mode: bool) -> dict[str, Any]:
    """What launchd says of the jobs."""
    jobs = describe_jobs(
        Launchctl(Runner()), options["domain"], options["label"], options["label_prefix"]
    )
    return {"changed": False, "jobs": jobs}


EITHER = [["label", "label_prefix"]]
MODULE = Module(
    OPTIONS,
    work,
    (JobError,),
    constraints={"required_one_of": EITHER, "mutually_exclusive": EITHER},
)


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()
