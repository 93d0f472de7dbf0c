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
  - Returns what launchd has loaded for a label, or for all labels with a prefix. This is the loaded
    definition, the process, the number of starts, the end of the last run, and whether the label is
    enabled.
  - Includes jobs that are only on disk, with RV(jobs[].state=absent). As for launchd, the label in
    the plist identifies a job, not the name of the file. Folders, dangling links and unreadable
    files have no label and are ignored.
extends_documentation_fragment:
  - closet.inference.attributes.info
options:
  label:
    description:
      - Label of one job.
    type: str
  label_prefix:
    description:
      - Prefix of the labels to describe.
    type: str
  domain:
    description:
      - Domain of the jobs, V(system), V(user/UID) or V(gui/UID). UID is the number or the name of a
        user.
    type: str
    default: system
seealso:
  - module: closet.inference.launchd_job
"""

EXAMPLES = r"""
- name: Read all jobs of this collection
  closet.inference.launchd_job_info:
    label_prefix: inference.closet.
  register: closet_jobs

- name: List the jobs that differ from their plist
  ansible.builtin.debug:
    msg: "{{ closet_jobs.jobs | selectattr('drift') | map(attribute='label') | list }}"
"""

RETURN = r"""
jobs:
  description: One entry for each job, sorted by label. Values that launchd does not print are null.
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
      description: V(running), V(loaded) (without a process), or V(absent).
      type: str
      returned: always
      sample: running
    launchd_state:
      description: The state in launchd's own words, such as V(spawn scheduled).
      type: str
      returned: always
      sample: running
    override:
      description: V(enabled) or V(disabled). V(unset) if launchd's store has no entry, V(unknown)
        if it could not be read.
      type: str
      returned: always
      sample: enabled
    path:
      description: Plist from which the job was loaded, or its default path.
      type: str
      returned: always
      sample: /Library/LaunchDaemons/inference.closet.omlx.plist
    plist_exists:
      description: Whether RV(jobs[].path) is a plist of the job. A file with another label is not.
        An unreadable file counts as one.
      type: bool
      returned: always
      sample: true
    drift:
      description: Differences between the loaded job and its plist, with the names of
        RV(closet.inference.launchd_job#module:drift).
      type: list
      elements: str
      returned: always
      sample: []
    trouble:
      description: One sentence about a problem of the job, such as memory pressure or a crash loop.
        Null if the job is healthy.
      type: str
      returned: always
      sample: null
    type:
      description: Type of the job in launchd's words.
      type: str
      returned: always
      sample: LaunchDaemon
    program:
      description: Executable file of the job.
      type: str
      returned: always
      sample: /opt/closet/omlx/current/bin/omlx
    arguments:
      description: Arguments of the job, the program first.
      type: list
      elements: str
      returned: always
      sample: [/opt/closet/omlx/current/bin/omlx, serve]
    environment:
      description: Environment variables of the job. The values of variables with the name of a
        secret are hidden.
      type: dict
      returned: always
      sample: {HOME: /Users/admin}
    working_directory:
      description: Working directory.
      type: str
      returned: always
      sample: /Users/admin
    stdout_path:
      description: File of the standard output.
      type: str
      returned: always
      sample: /var/log/closet/omlx.log
    stderr_path:
      description: File of the standard error.
      type: str
      returned: always
      sample: /var/log/closet/omlx.log
    username:
      description: User of the process.
      type: str
      returned: always
      sample: admin
    exit_timeout_s:
      description: Seconds between SIGTERM and SIGKILL.
      type: int
      returned: always
      sample: 60
    throttle_s:
      description: Minimum number of seconds between two starts.
      type: int
      returned: always
      sample: 30
    umask:
      description: File mode creation mask, as a decimal number.
      type: int
      returned: always
      sample: 23
    properties:
      description: Properties of the job that launchd prints.
      type: list
      elements: str
      returned: always
      sample: [runatload, inferred program]
    pid:
      description: Process id.
      type: int
      returned: always
      sample: 3438
    runs:
      description: Number of starts since the job was loaded.
      type: int
      returned: always
      sample: 1
    last_exit:
      description: Exit code of the last run, or the negative number of the signal that ended it.
      type: int
      returned: always
      sample: 0
    last_exit_text:
      description: End of the last run in launchd's words.
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
