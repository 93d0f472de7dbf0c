"""The example inventory, as an owner copies it, with nothing changed but where the Macs are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.lab.conftest import HOSTS, ROOT, site

pytestmark = pytest.mark.usefixtures("fresh_lab")


def test_a_copy_of_the_example_is_accepted_and_would_provision_every_mac(tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(ROOT / "inventories/example", home)
    lab = yaml.safe_load((ROOT / "inventories/lab/hosts.yml").read_text())
    hosts = yaml.safe_load((home / "hosts.yml").read_text())
    for group, members in hosts["all"]["children"].items():
        for name, variables in members["hosts"].items():
            there = lab["all"]["children"][group]["hosts"][name]
            variables["ansible_host"] = there["ansible_host"]
    (home / "hosts.yml").write_text(yaml.safe_dump(hosts))
    # how to reach the lab, and its hub in the place of the internet
    everywhere = yaml.safe_load((ROOT / "inventories/lab/group_vars/all.yml").read_text())
    everywhere["models_endpoint"] = "http://hub.local:8080"
    (home / "group_vars/all").mkdir()
    (home / "group_vars/all.yml").rename(home / "group_vars/all/example.yml")
    (home / "group_vars/all/lab.yml").write_text(yaml.safe_dump(everywhere))

    done = site("-i", str(home), "--check")
    assert done.code == 0, done.output[-4000:]
    changed = done.changed()
    assert all(changed[host] > 0 for host in HOSTS)
    assert not (home / ".secrets").exists()
