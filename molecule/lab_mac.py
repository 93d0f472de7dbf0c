"""A Mac of the lab as the scenarios' tests see it: by ssh, as its admin user, from outside."""

from __future__ import annotations

import functools
import json
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import testinfra
import yaml

ROOT = Path(__file__).resolve().parents[1]
INVENTORY = ROOT / "inventories" / "lab"
LOOK = """
import grp, json, os, pwd, stat, sys
def look(path):
    try: found = os.lstat(path)
    except OSError: return None
    kind = {stat.S_IFDIR: "folder", stat.S_IFREG: "file", stat.S_IFLNK: "link"}
    target = os.readlink(path) if stat.S_ISLNK(found.st_mode) else ""
    return [kind.get(stat.S_IFMT(found.st_mode), "other"), pwd.getpwuid(found.st_uid).pw_name,
            grp.getgrgid(found.st_gid).gr_name, "%04o" % stat.S_IMODE(found.st_mode), target]
print(json.dumps({path: look(os.path.expanduser(path)) for path in sys.argv[1:]}))
"""


@dataclass(frozen=True)
class Entry:
    """What stands at a path; the mode is octal, as in "0644"."""

    kind: str
    owner: str
    group: str
    mode: str
    target: str = ""


@dataclass(frozen=True)
class Job:
    """A launchd job and the log that says why it fails."""

    label: str
    log: str


class Mac:
    """One host of the lab inventory; its shell is zsh, and its sudo asks for no password."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.variables: Mapping[str, Any] = inventory()["_meta"]["hostvars"][name]
        self.address = str(self.variables["ansible_host"])
        self._host = testinfra.get_host(
            f"ssh://{self.variables['ansible_user']}@{self.address}",
            ssh_identity_file=self.variables["ansible_ssh_private_key_file"],
            ssh_extra_args=str(self.variables["ansible_ssh_common_args"]).strip(),
        )

    def run(self, command: str, *, root: bool = False) -> Any:
        """Run a shell command; the result has rc, stdout and stderr."""
        return self._host.run(f"sudo -n /bin/sh -c {shlex.quote(command)}" if root else command)

    def read(self, command: str, *, root: bool = False) -> str:
        """Return what a command prints; it has to work."""
        done = self.run(command, root=root)
        assert done.rc == 0, f"{self.name}: {command}\nexit code {done.rc}\n{done.stderr}"
        return str(done.stdout).strip()

    def python(self, program: str, *words: str, root: bool = False) -> Any:
        """Run a program under the Mac's Python; it prints JSON."""
        return json.loads(
            self.read(shlex.join(["/usr/bin/python3", "-c", program, *words]), root=root)
        )

    def entries(self, *paths: str) -> dict[str, Entry | None]:
        """What stands at each path, without following links; None for nothing."""
        home = f"/Users/{self.variables['ansible_user']}"
        wanted = {path: path.replace("~", home, 1) for path in paths}
        seen = self.python(LOOK, *wanted.values(), root=True)
        return {path: Entry(*seen[real]) if seen[real] else None for path, real in wanted.items()}

    def job(self, label: str) -> str:
        """What launchd prints of a system job, whether it knows it or not."""
        done = self.run(f"launchctl print system/{label}", root=True)
        return f"{done.stdout}{done.stderr}".strip()

    def explain(self, job: Job) -> dict[str, str]:
        """What a person would look at first when a job misbehaves, by command."""
        seen = {}
        for look in (f"launchctl print system/{job.label}", f"tail -n 40 {shlex.quote(job.log)}"):
            try:
                done = self.run(look, root=True)
                seen[f"{self.name}: {look}"] = f"{done.stdout}{done.stderr}"
            except RuntimeError as err:  # testinfra's word for a Mac that does not answer
                seen[f"{self.name}: {look}"] = str(err)
        return seen


@functools.cache
def inventory() -> Any:
    """The lab inventory as Ansible reads it."""
    argv = ["ansible-inventory", "--inventory", str(INVENTORY), "--list"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60, cwd=ROOT)
    return json.loads(done.stdout)


def closet_key(closet: Mac) -> str:
    """The main key for a closet's /v1, which Ansible keeps beside the inventory."""
    return (INVENTORY / ".secrets" / f"{closet.name}.key").read_text().strip()


def laptop_key(closet: Mac, laptop: Mac) -> str:
    """The one of a laptop's own, beside it."""
    return (INVENTORY / ".secrets" / closet.name / f"{laptop.name}.key").read_text().strip()


def lineup(closet: Mac) -> dict[str, Any]:
    """The models of the closet's profile by served name, as the collection's lineup has them."""
    known = yaml.safe_load((ROOT / "roles/preflight/vars/main.yml").read_text())
    profile = known["preflight_profiles"][closet.variables.get("closet_profile", "default")]
    models = (known["preflight_models"][name] for name in profile["models"])
    return {model["name"]: model for model in models}


def eventually(question: Callable[[], bool], limit_s: float) -> bool:
    """Whether the answer becomes yes in time."""
    end = time.monotonic() + limit_s
    while not question():
        if time.monotonic() > end:
            return False
        time.sleep(0.3)
    return True
