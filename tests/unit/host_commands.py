# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each shell command of a message is run from the state that gave it, or why it is not.

A row is the file, and how the command begins there; `{x}` is a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Row = tuple[str, str]

UNIT = "tests/unit/plugins/"
HOMES = f"{UNIT}advice/test_homes_advice.py::"
OBSTACLES = f"{UNIT}advice/test_obstacles_advice.py::"
SECRETS = f"{UNIT}advice/test_secrets_advice.py::"
PATHS = f"{UNIT}advice/test_paths_advice.py::"
MACHINES = f"{UNIT}advice/test_machines_advice.py::"
SSH = f"{UNIT}advice/test_ssh_advice.py::"
SERVER = f"{UNIT}connection/test_unreachable.py::"
SUDO = f"{UNIT}connection/test_sudo.py::"

MAC = "a program, or an option, that only macOS has"
LAUNCHCTL = "only macOS has launchctl; the lab's own is run by tests/lab/test_launchd.py"
EDITOR = "opens an editor"
ACCOUNTS = "changes the accounts of this machine"
PACKAGES = "installs packages on this machine"
CONTROL = "is run on the control server, which is the owner's own machine"
LOG = "shows a log that a provisioned host has; the lab's tests read it in this way"
TAILNET = "of a node in a tailnet, which only the lab has; not run there"
NAMES_IT = "tells which command failed, and suggests none"
OURS = "we run it ourselves"
PART = "the rest is a text of its own"

HOME = f"{HOMES}test_the_commands_of_the_sentence_make_a_home_that_is_right"
OWNERS = f"{SECRETS}test_the_commands_of_the_sentences_leave_nothing_to_say"
LOCKED = f"{PATHS}test_what_is_locked_is_shown_and_unlocked"
FOREIGN = f"{MACHINES}test_what_was_not_built_or_installed_here_is_shown"
CONTROL_SERVER = f"{MACHINES}test_the_question_to_a_control_server_is_one_for_each_shell"
LINE = f"{OBSTACLES}test_the_line_for_a_shell_lets_it_find_our_folder"
NUMBER = f"{MACHINES}test_the_number_of_an_account_is_asked_for_by_its_whole_name"
KEY = f"{SSH}test_the_key_is_put_there"

BY_FILE: Mapping[str, Mapping[str, str]] = {
    "plugins/plugin_utils/probe/homes.py": {
        "sudo ": HOME,
        "df ": HOME,
        "mount": HOME,
        "lsattr ": HOME,
        "ls -ldO ": MAC,
        "sudo chflags ": MAC,
    },
    "plugins/plugin_utils/probe/obstacles.py": {
        "sudo -u {x} mv ": (
            f"{OBSTACLES}test_the_commands_of_the_sentences_leave_nothing_in_the_way"
        ),
        "sudo chattr ": f"{OBSTACLES}test_the_commands_of_the_sentences_leave_nothing_in_the_way",
        "sudo chflags ": MAC,
    },
    "plugins/plugin_utils/probe/person.py": {
        "{x}mv -n ": f"{OBSTACLES}test_the_other_opencode_is_moved_away",
        "echo 'setenv ": LINE,
        "fish_add_path ": LINE,
        "closet env": "named, not suggested; tests/unit/roles/test_client_env_closet.py runs it",
    },
    "plugins/plugin_utils/probe/rivals.py": {
        "sudo mv -n ": (
            f"{UNIT}probe/test_rivals.py::test_a_file_of_another_name_with_a_label_of_ours"
        ),
        "{x}launchctl disable ": (
            "tests/lab/test_host.py::"
            "test_a_job_of_another_tool_is_named_and_the_advice_turns_it_off"
        ),
        "sudo vi ": EDITOR,
    },
    "plugins/plugin_utils/probe/macos.py": {
        "ls -l /etc/sysctl.conf": (
            f"{MACHINES}test_what_is_no_sysctl_conf_is_shown_and_moved_away"
        ),
        "sudo mv -n /etc/sysctl.conf": (
            f"{MACHINES}test_what_is_no_sysctl_conf_is_shown_and_moved_away"
        ),
        "sudo lsof ": f"{MACHINES}test_who_has_the_port_is_shown",
        "sudo fdesetup ": MAC,
        "xcode-select ": MAC,
    },
    "plugins/plugin_utils/probe/linux.py": {
        "adduser ": ACCOUNTS,
        "apt-get ": PACKAGES,
        "sudo apt-get ": PACKAGES,
    },
    "plugins/plugin_utils/probe/accounts.py": {
        "id -u": NUMBER,
        "dscacheutil -q group -a name": NUMBER,
    },
    "plugins/plugin_utils/probe/space.py": {
        "sudo du ": f"{MACHINES}test_what_fills_a_disk_is_shown",
    },
    "plugins/plugin_utils/probe/verdict.py": {
        "sudo rm -f /etc/machine-id": "gives this machine another number",
    },
    "plugins/plugin_utils/connection/reach.py": {
        "way.command('": f"{SSH}test_what_a_host_says_that_ended_a_look",
    },
    "plugins/plugin_utils/connection/unreachable.py": {
        "_asking(way)": f"{SERVER}test_the_command_for_an_unknown_host_key_works",
        "_first_asking(way)": "a Mac before its disk is unlocked, which asks for a password",
        "shlex.join(forget)": f"{SERVER}test_the_command_for_another_host_key_works",
        "only.command('true')": f"{SERVER}test_the_command_for_too_many_keys_works",
        "way.command('true')": KEY,
        "way.command(there)": KEY,
        "way.command(program='ssh-copy-id')": KEY,
        "umask 077; mkdir -p .ssh; ": KEY,
        "chmod 600 ": f"{SERVER}test_the_command_for_a_key_that_others_may_read_works",
        "chmod go-w ~ ": f"{SSH}test_the_folders_that_sshd_distrusts_are_closed",
        "ssh-keygen -lf ": (
            f"{SSH}test_the_fingerprint_that_the_machine_shows_is_the_one_that_ssh_asks_about"
        ),
        "ssh-keygen -t ": f"{SSH}test_the_key_that_is_not_there_is_made",
        "ping ": "asks a name that no machine here has",
        "sudo apt-get ": PACKAGES,
    },
    "plugins/plugin_utils/connection/sudo.py": {
        "printf ": f"{SUDO}test_the_rule_that_we_advise_is_one_that_sudo_reads",
        "umask 337; ": f"{SUDO}test_the_rule_that_we_advise_is_one_that_sudo_reads",
        "sudo chmod 0440 ": f"{SUDO}test_a_file_with_the_wrong_mode_or_owner_is_mended",
        "sudo chown 0:0 ": f"{SUDO}test_a_file_with_the_wrong_mode_or_owner_is_mended",
        "sudo visudo": EDITOR,
        "sudo -k true": f"{MACHINES}test_why_sudo_does_not_work_is_shown",
        "adduser ": ACCOUNTS,
        "dseditgroup ": MAC,
        "sudo {x}": PART,
    },
    "plugins/plugin_utils/sudo_password.py": {
        "(mkdir -p ": (
            f"{UNIT}connection/test_sudo_password.py::"
            "test_the_advised_command_keeps_a_password_where_ansible_reads_it"
        ),
    },
    "plugins/plugin_utils/run_lock/messages.py": {
        "kill ": f"{MACHINES}test_the_run_that_holds_a_closet_is_ended",
    },
    "plugins/plugin_utils/secrets/private_plan.py": {
        "rm ": OWNERS,
        "cp -RL ": OWNERS,
        "mv -n ": OWNERS,
        "sudo chown ": OWNERS,
        "{x}chmod ": OWNERS,
        "git -C ": (
            f"{UNIT}secrets/test_private_files.py::test_a_key_that_git_keeps_is_told_with_the_commands"
        ),
    },
    "plugins/plugin_utils/secrets/private_files.py": {
        "ls -ld ": f"{SECRETS}test_a_secret_that_cannot_be_read_is_shown",
        "mv -n ": f"{SECRETS}test_a_secret_that_is_no_file_is_moved_away",
        "chattr -i": f"{SECRETS}test_a_mode_that_is_locked_is_unlocked",
        "chflags ": MAC,
        "sudo {x} ": PART,
    },
    "plugins/plugin_utils/secrets/keys.py": {
        "rm ": f"{SECRETS}test_a_key_of_ours_that_is_bad_is_removed_and_another_made",
        "openssl rand ": f"{SECRETS}test_a_key_of_the_owners_that_is_bad_gets_a_good_one",
    },
    "plugins/plugin_utils/secrets/keystore.py": {
        "rm ": f"{SECRETS}test_a_key_that_leads_nowhere_is_removed",
        "mv -n ": f"{SECRETS}test_what_is_no_folder_of_keys_is_moved_away",
    },
    "plugins/action/api_keys.py": {
        "sudo chown -R ": f"{SECRETS}test_keys_of_another_account_are_taken_over",
    },
    "plugins/lookup/api_keys.py": {
        "sudo chown -R ": f"{SECRETS}test_keys_of_another_account_are_taken_over",
    },
    "plugins/plugin_utils/inventory/profile_choice.py": {
        "rm ": f"{SECRETS}test_a_choice_that_cannot_be_read_is_removed",
    },
    "plugins/plugin_utils/tailnet/push.py": {"headscale ": CONTROL},
    "plugins/module_utils/accounts.py": {
        "sudo chown root ": (
            f"{PATHS}test_a_folder_above_a_file_of_root_s_gets_an_owner_that_is_there"
        ),
    },
    "plugins/module_utils/acting.py": {
        "ps ": f"{PATHS}test_what_an_account_runs_is_shown",
    },
    "plugins/module_utils/trusted.py": {
        "sudo ": f"{PATHS}test_a_folder_that_root_does_not_trust_becomes_one",
    },
    "plugins/module_utils/build_lock.py": {
        "sudo lsof ": (
            f"{UNIT}python_environment/test_build_lock.py::"
            "test_a_second_builder_is_told_who_holds_it"
        ),
    },
    "plugins/module_utils/managed_files/apply.py": {
        "df ": f"{PATHS}test_what_is_full_is_shown",
        "sudo ls -ld": LOCKED,
        "chattr -i": LOCKED,
        "chflags ": MAC,
        "sudo {x} ": PART,
    },
    "plugins/module_utils/managed_files/host.py": {
        "sudo ls -ld ": f"{PATHS}test_a_file_that_leads_to_one_of_root_s_is_shown",
    },
    "plugins/module_utils/managed_files/rights.py": {
        "{x}mv -n ": f"{PATHS}test_what_is_in_place_of_a_file_is_moved_away",
    },
    "plugins/module_utils/models/disk.py": {
        "mv -n ": f"{UNIT}models/test_models_os_errors.py::test_a_folder_where_a_file_belongs",
        "ls -lde ": MAC,
    },
    "plugins/module_utils/models/store.py": {
        "ls -ld ": f"{PATHS}test_a_lock_of_another_s_is_shown",
        "rm ": f"{PATHS}test_a_lock_that_is_no_file_is_removed",
    },
    "plugins/module_utils/omlx_settings/found.py": {
        "sudo ls -l ": f"{PATHS}test_settings_that_cannot_be_read_are_shown",
    },
    "plugins/module_utils/omlx_settings/run.py": {
        "sudo ls -la ": f"{PATHS}test_settings_that_cannot_be_written_are_shown",
    },
    "plugins/module_utils/omlx_settings/live.py": {"sudo launchctl ": LAUNCHCTL},
    "plugins/module_utils/environment_build.py": {"df ": FOREIGN, "xcode-select ": MAC},
    "plugins/module_utils/python_environment.py": {"ls -la ": FOREIGN},
    "plugins/module_utils/release/run.py": {
        "ls -la ": FOREIGN,
        "df ": f"{MACHINES}test_the_room_for_a_release_is_shown",
    },
    "plugins/module_utils/release/fetch.py": {
        "curl ": f"{MACHINES}test_what_a_registry_has_is_shown",
    },
    "plugins/module_utils/power/pmset.py": {"pmset ": MAC, "sudo pmset ": MAC},
    "plugins/module_utils/power/run.py": {"pmset ": MAC},
    "plugins/module_utils/launchd/service.py": {"launchctl ": LAUNCHCTL},
    "plugins/module_utils/launchd/plan.py": {"launchctl ": LAUNCHCTL},
    "plugins/module_utils/launchd/verify.py": {
        "launchctl ": LAUNCHCTL,
        "sudo launchctl ": LAUNCHCTL,
    },
    "plugins/module_utils/launchd/explain.py": {
        "chown 0:0 ": f"{MACHINES}test_a_plist_that_launchd_refuses_gets_owner_and_mode",
        "launchctl ": LAUNCHCTL,
        "sudo launchctl ": LAUNCHCTL,
        "plutil ": MAC,
        "xattr ": MAC,
        "sudo {x}": PART,
    },
    "plugins/module_utils/launchd/preflight.py": {
        "sudo chown 0:0 ": (
            f"{UNIT}launchd/test_job_call.py::"
            "test_a_foreign_plist_that_others_can_write_is_refused_with_the_command"
        ),
        "plutil ": MAC,
        "sudo xattr ": MAC,
    },
    "plugins/module_utils/tailscale/apply.py": {"tailscale status": TAILNET},
    "plugins/module_utils/tailscale/explain.py": {
        "curl ": CONTROL_SERVER,
        "headscale ": CONTROL,
        "tailscale {x}": NAMES_IT,
    },
    "plugins/module_utils/tailscale/observe.py": {"tailscale {x}": NAMES_IT},
    "plugins/module_utils/tailscale/probe.py": {"curl ": CONTROL_SERVER},
    "plugins/module_utils/tailscale/refusals.py": {
        "headscale ": CONTROL,
        "tailscale serve ": TAILNET,
        "sudo tail ": LOG,
    },
    "plugins/module_utils/tailscale/run.py": {"sudo launchctl ": LAUNCHCTL},
    "playbooks/tasks/rollback.yml": {"sudo sh -c 'tail ": LOG},
    "playbooks/tasks/upgrade_rollback.yml": {"sudo tail ": LOG},
    "playbooks/tasks/take_keys.yml": {
        "sudo rm -rf ": f"{SECRETS}test_the_keys_of_an_account_that_is_gone_are_removed",
    },
    "roles/omlx/tasks/again.yml": {"sudo launchctl ": LAUNCHCTL},
    "roles/omlx/tasks/serve.yml": {"sudo launchctl ": LAUNCHCTL},
    "roles/opencode/vars/main.yml": {
        "opencode models ": "opencode is not on this machine; the role runs this very command",
    },
    "roles/tailscale/tasks/refuse.yml": {
        "brew ": "of a Mac with Homebrew's Tailscale",
        "sudo tailscaled ": "of a Mac with a tailscaled of its own",
    },
}

# What no person is told to run.
NOT_TOLD: Mapping[str, Mapping[str, str]] = {
    "plugins/action/omlx_model.py": {
        "cat ": OURS,
        "echo ": OURS,
        "rm -f ": OURS,
    },
    "plugins/action/run_lock.py": {"ls -la ": "a part of a command of Ansible; test_advice.py"},
    "playbooks/expose.yml": {"lsof ": "a part of a command of Ansible; test_advice.py"},
    "plugins/plugin_utils/converged/observation.py": {
        "pmset ": OURS,
        "printf ": OURS,
    },
    "plugins/plugin_utils/mcp/open_webui.py": {"id {x}": "a word, and no command"},
    "plugins/plugin_utils/probe/person.py": {'echo "': OURS, "id -un)": OURS},
    "plugins/plugin_utils/probe/rivals.py": {"id -u)": "a part of a command"},
    "roles/gateway/tasks/serve.yml": {
        "sudo launchctl ": "made into a hint, which the module puts into backticks",
        "sudo tail ": "made into a hint, which the module puts into backticks",
    },
}


def rows(by_file: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[Row, str]]:
    for file, commands in by_file.items():
        for begin, told in commands.items():
            yield (file, begin), told


TRIED = dict(rows(BY_FILE))
IN_NO_MESSAGE = dict(rows(NOT_TOLD))
