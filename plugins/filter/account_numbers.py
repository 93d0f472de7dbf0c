# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and groups in newsyslog's and sudo's files, for templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.closet.inference.plugins.plugin_utils.probe import accounts


def newsyslog_log(log: Mapping[str, str], facts: Mapping[str, Any]) -> str:
    """Path and owner of a log; `facts` are those of host_facts."""
    try:
        return accounts.newsyslog_fields(
            str(log["path"]), str(log["owner"]), str(log["group"]), facts
        )
    except accounts.AccountNameError as error:
        raise AnsibleFilterError(str(error)) from error


def sudoers_user(name: str, facts: Mapping[str, Any]) -> str:
    """The user of a sudo rule; `facts` are those of host_facts."""
    try:
        return accounts.sudoers_user(str(name), facts)
    except accounts.AccountNameError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible asks a filter plugin for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"newsyslog_log": newsyslog_log, "sudoers_user": sudoers_user}
