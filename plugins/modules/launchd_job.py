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
  - Manages one launchd job, or many in one call, through C(launchctl print), C(bootstrap),
    C(bootout), C(kickstart), C(enable) and C(disable); never through C(load) and C(unload), whose
    exit code says nothing.
  - Keeps three things apart. O(plist) is the definition, O(enabled) is the store in which launchd
    keeps which labels may be loaded, O(state) is whether the job is loaded and runs now.
  - What launchd really runs is compared with the definition in every run. What differs is
    reported by name in RV(drift) and mended.
  - A call that has nothing to change starts at most two C(launchctl) processes for each job and
    does not wait.
  - A job of the domain V(system) is refused when another account than its C(UserName) could
    change its program, the interpreter of that, the working directory, a folder of its C(PATH) or
    a folder above one of them; for a job of root's, what its arguments name as well.
  - The log of a job with a C(UserName) may lie in a folder of root's. The module makes the empty
    file for the user, who could not.
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    details:
      - A program, user or folder that does not exist yet is a warning in check mode, because an
        earlier task of the same run may make it; a real run refuses it before anything is touched.
  diff_mode:
    description: Shows the plist as text and the state in launchd, before and after. Values of
      variables whose name says that they are secret are hidden.
options:
  label:
    description: &label
      - Label of the job. It is written into the plist, whose file is named after it.
    type: str
  plist:
    description: &plist
      - The definition, with the keys of V(launchd.plist(5\)), without V(Label).
      - Keys and types are checked before anything is written. An unknown key is refused with the
        name that was probably meant. Dates of YAML become dates of the plist, in UTC.
      - The variable E(CLOSET_STARTED_WITH) is added to its C(EnvironmentVariables), with
        fingerprints of the definition and of O(restart_on). C(launchctl print) shows few of a
        definition's keys but all variables, so what launchd runs can be compared whole.
      - Without it the definition is taken to be somebody else's, and its file is never changed.
    type: dict
  path:
    description: &path
      - Path of the plist.
      - By default V(/Library/LaunchDaemons/LABEL.plist) in the domain V(system) and
        V(~/Library/LaunchAgents/LABEL.plist) of the user in the others. Without O(plist), the
        path that launchd has loaded the job from comes first.
      - A file in the home of the domain's user belongs to that user, every other one to root and
        wheel; its mode is 0644.
    type: path
  domain:
    description: &domain
      - Where the job lives. V(system), V(user/UID) or V(gui/UID), where UID may also be a user's
        name.
      - V(gui/UID) exists only while that user is logged in at the screen. A job that shall run
        with nobody logged in belongs into V(system), with V(UserName) in its plist.
    type: str
    default: system
  state:
    description: &state
      - V(started) loads the job with its current definition and makes sure that it runs. After a
        change it must still be the same process after O(settle_s).
      - V(loaded) loads it and leaves it to launchd when it runs, for jobs with an interval, and
        for those that run once.
      - V(stopped) removes it from launchd and waits until its process is gone. The plist stays,
        and unless O(enabled=false) launchd loads it again at the next boot.
      - V(restarted) is V(started) with a new process in any case.
      - V(absent) removes it from launchd and removes its plist. launchd has no command that
        forgets an entry of O(enabled).
    type: str
    choices: [started, stopped, loaded, restarted, absent]
    default: started
  enabled:
    description: &enabled
      - Whether launchd may load the job, at boot and otherwise. A disabled job that is loaded
        goes on running.
    type: bool
    default: true
  restart_on:
    description: &restart_on
      - Any values, such as the checksum of a configuration or the version of a program, that the
        running process depends on.
      - Their fingerprint is kept in the variable E(CLOSET_STARTED_WITH) of the job itself. When it
        differs from what the loaded job was started with, the job is loaded anew, once. This also
        holds when an earlier run was cut off before it came to that, because launchd remembers.
      - Needs O(plist).
    type: raw
  on_change:
    description: &on_change
      - What happens when the definition differs from what launchd runs. V(reload) loads the job
        anew. V(defer) writes the plist only; it counts from the next boot, or the next call with
        O(state=restarted).
    type: str
    choices: [reload, defer]
    default: reload
  completed:
    description: &completed
      - The job is one that runs and ends. With V(true) it must have run since it was loaded and
        must have ended with 0; if it has not, it is started. For O(state=loaded) and
        O(state=restarted).
    type: bool
    default: false
  settle_s:
    description: &settle_s
      - Seconds for which a job that was started must live before it counts as started. Nothing is
        waited for when nothing was done. Several jobs of one call settle at the same time.
    type: float
    default: 3.0
  timeout_s:
    description: &timeout_s
      - Seconds that launchd gets for what it is told, on top of the job's own exit timeout when a
        process has to end, and of its throttle when one has to start.
    type: float
    default: 30.0
  before_stop:
    description: &before_stop
      - A program and its words, run before a process that runs is told to end, in order to let it
        finish what it is doing. It is not run when there is no process, and never twice.
      - It runs with the rights of the job's own user, as root where the job does.
      - What becomes of it is a warning at most; the process is ended all the same.
    type: list
    elements: str
    default: []
  before_stop_timeout_s:
    description: &before_stop_timeout_s
      - Seconds after which that program is killed.
    type: float
    default: 60.0
  jobs:
    description:
      - Several jobs, each with the parameters above. They are managed in this order; one that
        fails does not keep the others from being managed, and makes the task fail at the end.
      - Other parameters of the task are not passed on to them.
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
  - A reload is C(bootout), waiting until C(launchctl print) says 113, and C(bootstrap).
    C(bootout) returns while the process still lives, and a C(bootstrap) in that window fails with
    5 or 37 or is lost.
  - When a new definition cannot be loaded, the previous plist is put back and loaded again.
  - SIGKILL is never sent. launchd itself sends it when a process has not ended within
    V(ExitTimeOut) after SIGTERM, and the task then warns about it.
seealso:
  - module: closet.inference.launchd_job_info
"""

EXAMPLES = r"""
- name: Run the inference server at boot, with nobody logged in
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

- name: Keep somebody else's job from running, now and after a reboot
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
  description: Domain of the job, with a user's name replaced by its number.
  returned: without O(jobs)
  type: str
  sample: system
path:
  description: Path of its plist.
  returned: without O(jobs)
  type: str
  sample: /Library/LaunchDaemons/inference.closet.omlx.plist
state_before:
  description: V(running), V(loaded) without a process, V(absent) or V(unknown).
  returned: without O(jobs)
  type: str
  sample: running
state_after:
  description: The same, afterwards; in check mode as it would be.
  returned: without O(jobs)
  type: str
  sample: running
pid:
  description: Process of the job.
  returned: without O(jobs)
  type: int
  sample: 3438
runs:
  description: How often launchd has started it since it was loaded.
  returned: without O(jobs)
  type: int
  sample: 1
last_exit:
  description: How its last run ended, an exit code, or a negative signal number; null when it has
    not ended or launchd has only words for it.
  returned: without O(jobs)
  type: int
  sample: -15
last_exit_text:
  description: The same in launchd's words.
  returned: without O(jobs)
  type: str
  sample: "Terminated: 15"
drift:
  description:
    - What differed from the wanted state before anything was done, by name.
    - V(file), V(file_owner), V(file_mode), V(file_quarantine) for the plist; V(loaded), V(running),
      V(completed) for the run state; V(override) for O(enabled).
    - For the job that launchd has loaded against its definition, as far as launchd prints it,
      V(path), V(program), V(arguments), V(environment), V(restart_on), V(working_directory),
      V(stdin_path), V(stdout_path), V(stderr_path), V(username), V(groupname), V(exit_timeout),
      V(minimum_runtime), V(umask), V(keep_alive), V(process_type), V(start_interval),
      V(run_at_load); V(definition) for keys that launchd does not print.
  returned: without O(jobs)
  type: list
  elements: str
  sample: [file, arguments]
steps:
  description: What was done, or would be, in this order.
  returned: without O(jobs)
  type: list
  elements: str
  sample: [bootout, write, bootstrap, settle]
jobs:
  description: One result for each job, in the order given, with the keys above,
    RV(jobs[].changed), and RV(jobs[].failed) and RV(jobs[].msg) where it failed.
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
      returned: when it did
      sample: true
    msg:
      description: What was tried, what was seen, what to run next.
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
