# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""managed_files as a task: rendered by its action plugin, run by ansible-playbook here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.ansible_runs import ansible_playbook

KEY = "sk-very-secret-0123456789"
ROLE_TASK = """
- name: Place files
  closet.inference.managed_files:
    files:
      - path: "{{ root }}/conf"
        state: directory
      - path: "{{ root }}/conf/app.conf"
        template: app.conf.j2
      - path: "{{ root }}/conf/app.key"
        template: app.key.j2
        secret: true
      - path: "{{ root }}/conf/text"
        content: "{{ app_words }}"
        mode: "0640"
  register: placed

- name: Render the same with Ansible's own module
  ansible.builtin.template:
    src: app.conf.j2
    dest: "{{ root }}/app.conf"
    mode: "0644"
  check_mode: false
  diff: false

- name: Tell what was registered
  ansible.builtin.copy:
    content: "{{ placed | to_json }}"
    dest: "{{ root }}.json"
    mode: "0600"
  check_mode: false
  diff: false
"""
TEMPLATES = {
    "app.conf.j2": (
        "# {{ ansible_managed }}\n"
        "{% for word in app_list %}\n"
        "  {{ word }}\n"
        "{% endfor %}\n"
        "{% include 'part.j2' %}\n"
        "for {{ template_destpath | basename }} on {{ inventory_hostname }}\n"
    ),
    "part.j2": "part {{ app_list | length }}\n",
    "app.key.j2": "key = {{ app_key }}\n",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    role = tmp_path / "roles/app"
    for name, text in TEMPLATES.items():
        path = role / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (role / "tasks").mkdir()
    (role / "tasks/main.yml").write_text(ROLE_TASK)
    (role / "defaults").mkdir()
    (role / "defaults/main.yml").write_text(
        "app_list: [one, two]\napp_words: '{{ app_list[0] }}'\n"
    )
    (tmp_path / "root").mkdir()
    return tmp_path


def play(site: Path, *words: str, tasks: str = "", **variables: Any) -> tuple[int, str]:
    body = f"  tasks:{tasks}" if tasks else "  roles: [app]\n"
    head = "- name: Test\n  hosts: localhost\n  gather_facts: false\n  connection: local\n"
    (site / "play.yml").write_text(head + body)
    known = {"root": f"{site}/root", "app_key": KEY, **variables}
    known["ansible_python_interpreter"] = sys.executable
    given = ("-i", "localhost,", "play.yml", "-e", json.dumps(known))
    return ansible_playbook(site, *given, *words)


def test_a_role_places_its_files(site: Path) -> None:
    rc, output = play(site, "--check", "--diff", "-vvv")
    assert rc == 0, output
    assert not (site / "root/conf").exists()
    assert "+  one" in output
    assert "+changed, not shown" in output
    assert KEY not in output
    assert KEY not in (site / "root.json").read_text()

    rc, output = play(site, "--diff", "-vvv")
    assert rc == 0, output
    assert KEY not in output
    registered = (site / "root.json").read_text()
    assert KEY not in registered
    assert [each["changed"] for each in json.loads(registered)["files"]] == [True] * 4
    made = (site / "root/conf/app.conf").read_bytes()
    assert made == (site / "root/app.conf").read_bytes()
    assert made.startswith(b"# Ansible managed\n  one\n  two\npart 2")
    assert (site / "root/conf/app.key").read_text() == f"key = {KEY}\n"
    assert (site / "root/conf/app.key").stat().st_mode & 0o777 == 0o600

    rc, output = play(site)
    assert rc == 0, output
    assert json.loads((site / "root.json").read_text())["changed"] is False


def test_values_are_text_and_not_templates_again(site: Path) -> None:
    # a value that came from a file is not trusted, so braces in it stay what they are
    (site / "untrusted").write_text("{{ 1 + 1 }}")
    tasks = """
    - name: Place
      closet.inference.managed_files:
        files:
          - {path: "{{ root }}/x", content: "{{ lookup('ansible.builtin.file', 'untrusted') }}"}
"""
    rc, output = play(site, tasks=tasks)
    assert rc == 0, output
    assert (site / "root/x").read_text() == "{{ 1 + 1 }}"


REFUSED = {
    "no template": ("template: nothing.j2", "nothing.j2"),
    "undefined": ("template: broken.j2", "no_such_word"),
    "two contents": ("{template: broken.j2, content: x}", "give template or content"),
    "mode unquoted": ("{content: x, mode: 0644}", "is not a quoted octal number"),
    "not text": ("content: {a: 1}", "use to_nice_json"),
    "unknown option": ("{content: x, modus: '0644'}", "modus"),
}


@pytest.mark.parametrize(("entry", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(site: Path, entry: str, words: str) -> None:
    (site / "templates").mkdir()
    (site / "templates/broken.j2").write_text("{{ no_such_word }}\n")
    inner = entry.strip("{}") if entry.startswith("{") else entry
    given = ", ".join([f"path: '{site}/root/x'", inner])
    tasks = f"""
    - name: Place
      closet.inference.managed_files:
        files: [{{{given}}}]
"""
    rc, output = play(site, tasks=tasks)
    assert rc == 2, output
    assert words in output.replace("\n", " ")
    assert not (site / "root/x").exists()
