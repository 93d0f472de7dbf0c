"""Every command of README and docs is run by a test, or a line here says why it is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("benchmarks/*.md"),
    *ROOT.glob("inventories/*/*.md"),
)
PROGRAMS = ("ansible", "ansible-playbook", "closet", "lab", "make", "molecule")
FENCE = re.compile(r"^ *```[a-z]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
#: what stands for whatever an owner calls his own
OWN = re.compile(
    r"-i inventories/home |(?<=_version=)\S+|(?<=_checksum=)\S+|=\$PWD/\S+|=COMMIT\b"
    r"|\bHOST\b|\battic\b"
)

SITE = "tests/lab/test_site.py"
HOST = "tests/lab/test_host.py"
LAB = "tests/lab/test_lab.py"
ROAM = "tests/lab/test_roam.py"
CLOSET = "tests/unit/roles/test_client_env_closet.py"

#: command, where a test runs it, and words that are in the code of that place
RUN = {
    "ansible -b -m closet.inference.launchd_job_info -a label_prefix=inference.closet.": (
        "tests/lab/test_launchd.py",
        "launchd_job_info label_prefix",
    ),
    "ansible-playbook playbooks/expose.yml -e scope=lan": (
        "tests/lab/conftest.py",
        "expose.yml scope=",
    ),
    "ansible-playbook playbooks/expose.yml -e scope=lan -e confirm=": (
        "tests/lab/conftest.py",
        "expose.yml confirm=attic",
    ),
    "ansible-playbook playbooks/models.yml": (SITE, "models.yml"),
    "ansible-playbook playbooks/models.yml --check": (SITE, "models.yml --check"),
    "ansible-playbook playbooks/models.yml --tags list": (SITE, "models.yml --tags list"),
    'ansible-playbook playbooks/models.yml -e \'{"models_remove": ["owner/name"]}\'': (
        SITE,
        "models.yml models_remove models_removal_confirmed=true",
    ),
    "ansible-playbook playbooks/models.yml -e models_exclusive=true": (
        SITE,
        "models_exclusive=true",
    ),
    "ansible-playbook playbooks/models.yml -e models_follow=true": (SITE, "models_follow=true"),
    "ansible-playbook playbooks/models.yml -e models_verify=sha256": (SITE, "models_verify=sha256"),
    "ansible-playbook playbooks/profile.yml -e profile=lean": (
        "tests/lab/test_locks.py",
        "profile.yml profile=lean",
    ),
    "ansible-playbook playbooks/start.yml": (HOST, "start.yml"),
    "ansible-playbook playbooks/stop.yml": (HOST, "stop.yml"),
    "ansible-playbook playbooks/tailnet.yml": ("tests/lab/test_tailnet.py", "tailnet.yml"),
    "ansible-playbook playbooks/upgrade.yml -e mlx_lm_requirements": (
        "tests/lab/test_backends.py",
        "mlx_lm_requirements=",
    ),
    "ansible-playbook playbooks/upgrade.yml -e ollama_version= -e ollama_checksum=": (
        "tests/lab/test_backends.py",
        "ollama_version=",
    ),
    "ansible-playbook playbooks/upgrade.yml -e omlx_pin": (HOST, "upgrade.yml omlx_pin="),
    "ansible-playbook site.yml": (SITE, "site("),
    "ansible-playbook site.yml --check --diff": (HOST, "--check --diff"),
    "ansible-playbook site.yml --flush-cache": ("tests/lab/test_drift.py", "--flush-cache"),
    "ansible-playbook site.yml --limit": ("tests/lab/test_exposure.py", "site( --limit"),
    "ansible-playbook site.yml -e rotate=air": ("tests/lab/test_backends.py", "rotate=air"),
    'closet ask "…"': (CLOSET, '"ask"'),
    "closet env": (CLOSET, '"env"'),
    "closet env | source": (CLOSET, "closet env | source"),
    "closet health": (CLOSET, '"health"'),
    "closet models": (CLOSET, '"models"'),
    "closet url": (CLOSET, '"url"'),
    "lab build": ("scripts/lab-tests", "python -m lab build"),
    "lab control WORDS": (ROAM, 'lab("control"'),
    "lab control nodes list": (ROAM, '"nodes" "list"'),
    "lab control start": (ROAM, '"start"'),
    "lab control stop": (ROAM, '"stop"'),
    "lab down": (LAB, 'lab("down")'),
    "lab home": (ROAM, 'lab("home"'),
    "lab power-cut": (LAB, 'lab("power-cut"'),
    "lab reboot": (LAB, 'lab("reboot"'),
    "lab roam": (ROAM, 'lab("roam"'),
    "lab save FOLDER": (LAB, 'lab("save"'),
    "lab shell": ("tests/lab/backends.py", '"lab" "shell"'),
    "lab shell [WORDS]": ("tests/lab/backends.py", '"lab" "shell"'),
    "lab status": (LAB, 'lab("status")'),
    "lab up": (LAB, 'lab("up")'),
    "lab up --saved FOLDER": (LAB, 'lab("up" "--saved"'),
    "lab up --inventory tests/lab/inventories/linux": (
        "tests/lab/test_linux.py",
        '"up" "--inventory" linux',
    ),
    "make environment": ("Makefile", "$(MAKE) --no-print-directory environment"),
    "make test": (".ci/run", "make test"),
    "molecule test -s omlx": ("scripts/molecule", "exec molecule test --scenario-name"),
}
#: those that no test runs, and why
EXCUSED = {
    "ansible all -m ping": "Ansible's own; benchmarks/converge.py measures against it",
    "make test-all": "it is make test with --all for scripts/lab-tests, which CI has no time for",
    "make demo": "its script provisions a lab of its own; who releases runs it from a fresh clone",
    "make lab": "make test makes the environment, and the lab's tests bring the lab up",
    "make lab-down": "it is `lab down`",
    "make lab-status": "it is `lab status`",
    "make lock": "it asks an index for the newest versions, so its result changes by the day",
    "make contract": "on Linux it is a part of make test; a Mac runs the other half",
}


def documented() -> dict[str, str]:
    """Each command without what is the reader's own, and a page that has it."""
    found: dict[str, str] = {}
    for page in PAGES:
        text = re.sub(r" *\\\n *", " ", page.read_text())
        lines = [line for block in FENCE.findall(text) for line in block.splitlines()]
        lines += [line for line in text.splitlines() if line.startswith("    ")]
        lines += re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
        for line in lines:
            for part in line.strip().removeprefix(".venv/bin/").split("&&"):
                command = re.split(r" {2,}| #", part.strip())[0]
                if command.partition(" ")[0] in PROGRAMS and " " in command:
                    found[" ".join(OWN.sub("", command).split())] = page.name
    return found


def test_the_pages_hold_commands() -> None:
    assert len(documented()) > 40, "the search finds nothing any more"


@pytest.mark.parametrize("command", sorted(documented()))
def test_a_documented_command_is_run_by_a_test(command: str) -> None:
    assert command in RUN or command in EXCUSED, (
        f"{documented()[command]} tells to run `{command}`: have a test run it, and say here which"
    )


@pytest.mark.parametrize("command", sorted(RUN))
def test_the_place_that_is_said_to_run_it_has_its_words(command: str) -> None:
    place, words = RUN[command]
    code = (ROOT / place).read_text()
    assert [word for word in words.split(" ") if word not in code] == []


def test_no_row_is_left_of_a_command_that_is_gone() -> None:
    assert {*RUN, *EXCUSED} - set(documented()) == set()
