# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: launchd_job
short_description: Manage launchd jobs on macOS
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Manages one launchd job, or several in one call, with C(launchctl print), C(bootstrap),
    C(bootout), C(kickstart), C(enable) and C(disable). Never uses C(load) and C(unload), because
    their exit code does not report errors.
  - Manages three separate things. O(plist) is the definition of the job. O(enabled) is its entry in
    launchd's store of enabled labels. O(state) is whether the job is loaded and runs now.
  - Compares the loaded job with its definition in every run, reports the differences in RV(drift),
    and corrects them.
  - A call without changes starts at most two C(launchctl) processes per job and does not wait.
  - Refuses a job of the domain V(system) if an account other than its C(UserName) could change its
    program, the interpreter of the program, the working directory, a folder of its C(PATH), or a
    parent folder of one of these. For a job of root, this includes the paths in its arguments.
  - Creates the empty log file of a job with a C(UserName), so that the log may be in a folder that
    only root can write.
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    details:
      - A missing program, user or folder is a warning in check mode, because an earlier task of the
        same run may create it. A real run refuses the job before it changes anything.
  diff_mode:
    description: Shows the plist as text and the state in launchd, before and after. Hides the
      values of variables with the name of a secret.
options:
  label:
    description: &label
      - Label of the job. The module adds it to the plist and names the plist's file after it.
    type: str
  plist:
    description: &plist
      - Definition of the job, with the keys of V(launchd.plist(5\)), without V(Label).
      - Keys and types are checked before anything is written. The error for an unknown key suggests
        a similar known key. Dates of YAML become dates of the plist, in UTC.
      - The module adds the variable E(CLOSET_STARTED_WITH) to C(EnvironmentVariables), with
        fingerprints of the definition and of O(restart_on). C(launchctl print) shows only some keys
        of a definition, but all variables, so the fingerprints detect every difference.
      - Without O(plist) the module never changes the file of the definition.
    type: dict
  path:
    description: &path
      - Path of the plist.
      - The default is V(/Library/LaunchDaemons/LABEL.plist) in the domain V(system), and
        V(~/Library/LaunchAgents/LABEL.plist) of the user in the other domains. Without O(plist),
        the default is the path from which launchd loaded the job, if it is loaded.
      - A file in the home of the domain's user belongs to that user. Other files belong to root and
        wheel. The mode is 0644.
    type: path
  domain:
    description: &domain
      - Domain of the job, V(system), V(user/UID) or V(gui/UID). UID is the number or the name of a
        user.
      - V(gui/UID) exists only while that user is logged in at the screen. Use V(system), with
        V(UserName) in the plist, for a job that must run without a login.
    type: str
    default: system
  state:
    description: &state
      - V(started) loads the job with its current definition and makes sure that it runs. After a
        change, the new process must live for O(settle_s).
      - V(loaded) loads the job, and launchd decides when it runs. Use it for jobs with an interval
        and for jobs that run once.
      - V(stopped) removes the job from launchd and waits until its process has ended. The plist
        stays, and launchd loads it again at the next boot unless O(enabled=false).
      - V(restarted) is V(started), always with a new process.
      - V(absent) removes the job from launchd and deletes its plist. The entry of O(enabled) stays,
        because launchd has no command to delete it.
    type: str
    choices: [started, stopped, loaded, restarted, absent]
    default: started
  enabled:
    description: &enabled
      - Whether launchd may load the job, at boot or later. A job that is already loaded continues
        to run when it is disabled.
    type: bool
    default: true
  restart_on:
    description: &restart_on
      - Values on which the running process depends, such as the checksum of a configuration or the
        version of a program.
      - The module keeps their fingerprint in the variable E(CLOSET_STARTED_WITH) of the job. When
        the values differ from those of the loaded job, the module reloads the job once. An
        interrupted run does not prevent this, because launchd keeps the variable.
      - Requires O(plist).
    type: raw
  on_change:
    description: &on_change
      - Action when the definition differs from the loaded job. V(reload) reloads the job. V(defer)
        only writes the plist. It takes effect at the next boot, or at the next call with
        O(state=restarted).
    type: str
    choices: [reload, defer]
    default: reload
  completed:
    description: &completed
      - Whether the job must have run to its end, with exit code 0, since it was loaded. If it has
        not, the module starts it. For O(state=loaded) and O(state=restarted).
    type: bool
    default: false
  settle_s:
    description: &settle_s
      - Seconds that a new process must live before the job counts as started. A call without
        changes does not wait. Several jobs of one call are observed at the same time.
    type: float
    default: 3.0
  timeout_s:
    description: &timeout_s
      - Seconds to wait for launchd. The exit timeout of the job is added when a process has to end,
        and its throttle interval when a process has to start.
    type: float
    default: 30.0
  before_stop:
    description: &before_stop
      - Program and arguments to run before a running process is stopped, for example to let it
        finish its requests. The program runs at most once, and only if the job has a process.
      - It runs as the user of the job.
      - If the program fails, the module warns and stops the process all the same.
    type: list
    elements: str
    default: []
  before_stop_timeout_s:
    description: &before_stop_timeout_s
      - Seconds after which the program of O(before_stop) is killed.
    type: float
    default: 60.0
  jobs:
    description:
      - Several jobs, each with the parameters above, managed in this order. A failed job does not
        stop the others. The task fails at the end.
      - The jobs do not inherit other parameters of the task.
    type: list
    elements: dict
    suboptions:
      label:
        description: *label
        type: str
        required: true
      plist:
        description: *plist
        type: dict
      path:
        description: *path
        type: path
      domain:
        description: *domain
        type: str
        default: system
      state:
        description: *state
        type: str
        choices: [started, stopped, loaded, restarted, absent]
        default: started
      enabled:
        description: *enabled
        type: bool
        default: true
      restart_on:
        description: *restart_on
        type: raw
      on_change:
        description: *on_change
        type: str
        choices: [reload, defer]
        default: reload
      completed:
        description: *completed
        type: bool
        default: false
      settle_s:
        description: *settle_s
        type: float
        default: 3.0
      timeout_s:
        description: *timeout_s
        type: float
        default: 30.0
      before_stop:
        description: *before_stop
        type: list
        elements: str
        default: []
      before_stop_timeout_s:
        description: *before_stop_timeout_s
        type: float
        default: 60.0
notes:
  - A reload is C(bootout), a wait until C(launchctl print) exits with 113, and C(bootstrap).
    C(bootout) returns while the process still lives. A C(bootstrap) before its end fails with 5 or
    37, or has no effect.
  - When launchd cannot load a new definition, the module restores and loads the previous plist.
  - The module never sends SIGKILL. launchd sends it when a process does not end within
    V(ExitTimeOut) after SIGTERM, and the task then warns.
seealso:
  - module: closet.inference.launchd_job_info
"""

EXAMPLES = r"""
- name: Run the inference server at boot, without a login
  become: true
  closet.inference.launchd_job:
    label: inference.closet.omlx
    plist:
      ProgramArguments: [/opt/closet/omlx/current/bin/omlx, serve]
      UserName: admin
      KeepAlive: {SuccessfulExit: false, Crashed: true}
      ThrottleInterval: 30
      ExitTimeOut: 60
      ProcessType: Interactive
      StandardErrorPath: /var/log/closet/omlx.boot.log
      EnvironmentVariables: {HOME: /Users/admin}
    restart_on:
      settings: "{{ settings_checksum }}"
      program: 0.4.4

- name: Set the wired memory limit at every boot, and now
  become: true
  closet.inference.launchd_job:
    label: inference.closet.wired-memory
    plist:
      ProgramArguments: [/usr/sbin/sysctl, iogpu.wired_limit_mb=98304]
      RunAtLoad: true
    state: loaded
    completed: true

- name: Turn off the job of another program, now and after a reboot
  become: true
  closet.inference.launchd_job:
    label: com.example.updater
    enabled: false
    state: stopped

- name: Manage all jobs of a host in one run
  become: true
  closet.inference.launchd_job:
    jobs:
      - label: inference.closet.wired-memory
        plist: "{{ wired_memory_plist }}"
        state: loaded
        completed: true
      - label: inference.closet.omlx
        plist: "{{ omlx_plist }}"
        on_change: defer
"""

RETURN = r"""
label:
  description: Label of the job.
  returned: without O(jobs)
  type: str
  sample: inference.closet.omlx
domain:
  description: Domain of the job, with the user as a number.
  returned: without O(jobs)
  type: str
  sample: system
path:
  description: Path of the job's plist.
  returned: without O(jobs)
  type: str
  sample: /Library/LaunchDaemons/inference.closet.omlx.plist
state_before:
  description: State before the task, V(running), V(loaded) (without a process), V(absent) or
    V(unknown).
  returned: without O(jobs)
  type: str
  sample: running
state_after:
  description: State after the task. In check mode, the state that a real run would reach.
  returned: without O(jobs)
  type: str
  sample: running
pid:
  description: Process id of the job.
  returned: without O(jobs)
  type: int
  sample: 3438
runs:
  description: Number of starts since the job was loaded.
  returned: without O(jobs)
  type: int
  sample: 1
last_exit:
  description: Exit code of the last run, or the negative number of the signal that ended it. Null
    if the run has not ended, or if launchd prints only text.
  returned: without O(jobs)
  type: int
  sample: -15
last_exit_text:
  description: End of the last run in launchd's words.
  returned: without O(jobs)
  type: str
  sample: "Terminated: 15"
drift:
  description:
    - Names of the differences from the wanted state before the task.
    - V(file), V(file_owner), V(file_mode) and V(file_quarantine) are about the plist, V(loaded),
      V(running) and V(completed) about the state, and V(override) about O(enabled).
    - The others are differences between the loaded job and its definition, V(path), V(program),
      V(arguments), V(environment), V(restart_on), V(working_directory), V(stdin_path),
      V(stdout_path), V(stderr_path), V(username), V(groupname), V(exit_timeout),
      V(minimum_runtime), V(umask), V(keep_alive), V(process_type), V(start_interval) and
      V(run_at_load). V(definition) stands for the keys that launchd does not print.
  returned: without O(jobs)
  type: list
  elements: str
  sample: [file, arguments]
steps:
  description: Steps that the task ran, or would run in check mode, in order.
  returned: without O(jobs)
  type: list
  elements: str
  sample: [bootout, write, bootstrap, settle]
jobs:
  description: One result for each job, in the order of O(jobs), with the keys above and
    RV(jobs[].changed). A failed job also has RV(jobs[].failed) and RV(jobs[].msg).
  returned: with O(jobs)
  type: list
  elements: dict
  contains:
    changed:
      description: Whether this job was changed.
      type: bool
      returned: always
      sample: false
    failed:
      description: Whether this job failed.
      type: bool
      returned: when it failed
      sample: true
    msg:
      description: Action that failed, reason, and command to run next.
      type: str
      returned: when it failed
      sample: "the plist of inference.closet.omlx is wrong: ThrottleIntervall is not a key"
  sample:
    - label: inference.closet.omlx
      domain: system
      changed: false
      state_before: running
      state_after: running
      drift: []
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.entry import Module, run_module
from ansible_collections.closet.inference.plugins.module_utils.launchd.manage import Manager
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

JOB = {
    "label": {"type": "str"},
    "plist": {"type": "dict"},
    "path": {"type": "path"},
    "domain": {"type": "str", "default": "system"},
    "state": {
        "type": "str",
        "choices": ["started", "stopped", "loaded", "restarted", "absent"],
        "default": "started",
    },
    "enabled": {"type": "bool", "default": True},
    "restart_on": {"type": "raw"},
    "on_change": {"type": "str", "choices": ["reload", "defer"], "default": "reload"},
    "completed": {"type": "bool", "default": False},
    "settle_s": {"type": "float", "default": 3.0},
    "timeout_s": {"type": "float", "default": 30.0},
    "before_stop": {"type": "list", "elements": "str", "default": []},
    "before_stop_timeout_s": {"type": "float", "default": 60.0},
}
EACH = {**JOB, "label": {"type": "str", "required": True}}
OPTIONS = {**JOB, "jobs": {"type": "list", "elements": "dict", "options": EACH}}


def work(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """One job, or all of `jobs`, each with its own result."""
    many = options["jobs"]
    results = Manager(Runner(), check_mode).manage([options] if many is None else many)
    warnings = [warning for result in results for warning in result.pop("warnings")]
    diff = [entry for result in results for entry in result.pop("diff", [])]
    answer = results[0] if many is None else _together(results)
    return {**answer, "warnings": warnings, "diff": diff}


def _together(results: list[dict[str, Any]]) -> dict[str, Any]:
    answer = {"changed": any(result["changed"] for result in results), "jobs": results}
    failed = [result for result in results if result.get("failed")]
    if failed:
        sentences = "; ".join(f"{result['label']}: {result['msg']}" for result in failed)
        answer["failed"] = True
        answer["msg"] = f"{len(failed)} of {len(results)} jobs failed: {sentences}"
    return answer


MODULE = Module(
    OPTIONS,
    work,
    constraints={
        "required_one_of": [["label", "jobs"]],
        "mutually_exclusive": [["jobs", name] for name in ("label", "plist", "path", "restart_on")],
    },
)


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()
