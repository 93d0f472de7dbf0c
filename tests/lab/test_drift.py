"""Drift: whatever differs on a host is found by the next run, and that run repairs it alone.

A run without changes leaves records of its hosts on the controller, and later runs leave out the
tasks of a host that is as its record says. So each case here changes one thing by hand, and shows
that the probe sees this one thing, that the run repairs it, and that the run after has nothing to
do again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from tests.ansible_runs import owners_run
from tests.lab.conftest import ENVIRONMENT, HOSTS, ROOT, Done, on, provisioned

pytestmark = pytest.mark.usefixtures("converged_lab")

ALL = f"Nothing to do on {', '.join(sorted(HOSTS))}."
SUDOERS = "/etc/sudoers.d/closet-wired-memory"
NEWSYSLOG = "/etc/newsyslog.d/closet.conf"
PLISTS = "/Library/LaunchDaemons/inference.closet"
SETTINGS = "/Users/admin/.omlx/settings.json"
OPENCODE = "/Library/Application Support/opencode/opencode.json"
STORE = "/Users/admin/.omlx/store"
MODEL = f"{STORE}/mlx-community/Qwen3-Reranker-0.6B-mxfp8"
KEY = "/Users/admin/.config/closet/key"


#: as an owner's, with the callback plugin of ansible.cfg
RECORDING = {name: text for name, text in ENVIRONMENT.items() if "CALLBACKS" not in name}


def site(*words: str) -> Done:
    """Run site.yml as an owner does."""
    return Done(*owners_run(("site.yml", *words), RECORDING, 600))


@dataclass(frozen=True)
class Drift:
    """One thing that was changed by hand.

    `how` changes it and `see` prints it. `part` is the tag of the tasks that repair it; `found` is
    what the probe reports as different. A job that is started again has another pid, so its host
    has not converged until a run has changed nothing: `settles` runs one.
    """

    name: str
    host: str
    how: str
    see: str
    part: str
    found: list[str]
    settles: bool = False


def changed_file(
    name: str, host: str, path: str, how: str, part: str, settles: bool = False
) -> Drift:
    """A file whose content, mode, owner or kind was changed; {} is its path in quotes."""
    quoted = f"'{path}'"
    see = f"sudo ls -ldn {quoted} | cut -c1-10; sudo stat -c '%u %g' {quoted}; sudo cat {quoted}"
    return Drift(name, host, how.replace("{}", quoted), see, part, [f"path {path}"], settles)


DRIFTS = [
    changed_file("content", "attic", NEWSYSLOG, "sudo sh -c \"echo '#' >> {}\"", "log_rotation"),
    changed_file("mode", "attic", NEWSYSLOG, "sudo chmod 666 {}", "log_rotation"),
    changed_file("owner", "attic", NEWSYSLOG, "sudo chown admin {}", "log_rotation"),
    changed_file(
        "link",
        "attic",
        NEWSYSLOG,
        "sudo mv {} /etc/kept && sudo ln -s /etc/kept {}",
        "log_rotation",
    ),
    changed_file("gone", "attic", NEWSYSLOG, "sudo rm {}", "log_rotation"),
    changed_file("sysctl-line", "attic", "/etc/sysctl.conf", "sudo sh -c ': > {}'", "wired_memory"),
    Drift(
        "sudoers",
        "attic",
        f"sudo chmod 400 {SUDOERS}",
        f"sudo ls -l {SUDOERS} | cut -c1-10",
        "wired_memory",
        ["fact sudoers", f"path {SUDOERS}"],
    ),
    Drift(
        "sysctl",
        "attic",
        "sudo sysctl iogpu.wired_limit_mb=90000",
        "sysctl -n iogpu.wired_limit_mb",
        "wired_memory",
        ["fact sysctl"],
    ),
    Drift(
        "pmset", "attic", "sudo pmset -a disksleep 7", "pmset -g custom", "power", ["pmset pmset"]
    ),
    changed_file(
        "plist",
        "attic",
        f"{PLISTS}.wired-memory.plist",
        "sudo sed -i 's#^</dict>#<key>Nice</key><integer>5</integer></dict>#' {}",
        "wired_memory",
        settles=True,
    ),
    Drift(
        "job-gone",
        "attic",
        "sudo launchctl bootout system/inference.closet.wired-memory",
        "sudo launchctl print system/inference.closet.wired-memory | grep -c '^.state ='",
        "wired_memory",
        ["job inference.closet.wired-memory"],
        settles=True,
    ),
    Drift(
        "job-disabled",
        "attic",
        "sudo launchctl disable system/inference.closet.wired-memory",
        "sudo launchctl print-disabled system | grep wired-memory | grep -c disabled",
        "wired_memory",
        ["job disabled"],
        settles=True,
    ),
    Drift(
        "job-from-elsewhere",
        "attic",
        f"sudo cp {PLISTS}.wired-memory.plist /tmp/other.plist;"
        " sudo launchctl bootout system/inference.closet.wired-memory;"
        " sudo launchctl bootstrap system /tmp/other.plist",
        "sudo launchctl print system/inference.closet.wired-memory | grep 'path ='",
        "wired_memory",
        ["job inference.closet.wired-memory"],
        settles=True,
    ),
    # omlx writes this file too, so its text may be another one with the same meaning
    Drift(
        "settings-mode",
        "attic",
        f"chmod 644 {SETTINGS}",
        f"ls -l {SETTINGS} | cut -c1-10",
        "serve",
        [f"path {SETTINGS}"],
        settles=True,
    ),
    Drift(
        "setting",
        "attic",
        f'sed -i \'s/"max_concurrent_requests": 8/"max_concurrent_requests": 3/\' {SETTINGS}',
        f"grep -c '\"max_concurrent_requests\": 8' {SETTINGS}",
        "serve",
        [f"path {SETTINGS}"],
        settles=True,
    ),
    Drift(
        "model-file",
        "attic",
        f"truncate -s 100 {MODEL}/config.json",
        f"cat {MODEL}/config.json",
        "serve",
        [f"tree {STORE}"],
        settles=True,
    ),
    Drift(
        "state-file",
        "attic",
        "sudo sh -c \"sed -i 's/omlx/mlx_lm/' /opt/closet/state/serving.json\"",
        "cat /opt/closet/state/serving.json",
        "serve",
        ["fact record"],
    ),
    changed_file("opencode-lock", "air", OPENCODE, "sudo sh -c \"echo '{{}}' > {}\"", "opencode"),
    changed_file("wrapper", "air", "/usr/local/bin/opencode", "sudo chmod 775 {}", "opencode"),
    changed_file("key", "air", KEY, "echo another-key-than-that > {}", "opencode"),
    changed_file("key-mode", "air", KEY, "chmod 644 {}", "opencode"),
    changed_file("shell", "air", "/Users/admin/.zshenv", "sed -i '/closet/d' {}", "client_env"),
    Drift(
        "folder-mode",
        "air",
        "chmod 755 ~/.config/closet",
        "ls -ld ~/.config/closet | cut -c1-10",
        "opencode",
        ["entry /Users/admin/.config/closet", "path /Users/admin/.config/closet"],
    ),
]


@pytest.fixture
def converged_lab(provisioned_lab: None) -> None:
    """A LAN whose last run had nothing to do; a test that fails leaves another one."""
    if not last.nothing_to_do:
        settle()


class Last:
    """Whether the last run had nothing to do on any host."""

    nothing_to_do = False


last = Last()


def settle() -> None:
    """Run until a run has changed nothing and the next one has nothing to do."""
    for _each in range(4):
        done = provisioned(site())
        last.nothing_to_do = ALL in done.output
        if last.nothing_to_do:
            return
    raise AssertionError(done.output)


def differences(done: Done) -> dict[str, list[str]]:
    """What the probe of a run with -v found different, by host."""
    task = done.output.partition("Gather the host facts]")[2].partition("\nTASK [")[0]
    found = {}
    for part in re.split(r"^ok: ", task, flags=re.MULTILINE)[1:]:
        listed = re.search(r"^ +differences:\n((?: +- .*\n(?:     +\S.*\n)*)+)", part, re.MULTILINE)
        lines = re.findall(r"^ +- '?(.*?)'?$", listed[1], re.MULTILINE) if listed else []
        found[part[1 : part.index("]")]] = lines
    return found


# another kind of change to a file that has a case, or another way for a job to be wrong
VARIANTS = (
    *("owner", "gone", "sysctl-line", "settings-mode", "wrapper", "key-mode", "folder-mode"),
    *("job-disabled", "job-from-elsewhere"),
)


@pytest.mark.parametrize(
    "drift",
    [
        pytest.param(one, id=one.name, marks=pytest.mark.long if one.name in VARIANTS else ())
        for one in DRIFTS
    ],
)
def test_drift_is_found_and_repaired(drift: Drift) -> None:
    before = on(drift.host, drift.see).output
    last.nothing_to_do = False
    changed = on(drift.host, drift.how)
    assert changed.code == 0, changed.output
    assert on(drift.host, drift.see).output != before

    done = provisioned(site("--tags", drift.part, "-v"))
    assert differences(done) == {host: drift.found if host == drift.host else [] for host in HOSTS}
    assert done.changed()[drift.host] > 0, done.output
    assert all(done.changed()[host] == 0 for host in HOSTS if host != drift.host)
    assert on(drift.host, drift.see).output == before

    if drift.settles:
        settle()
    else:
        assert ALL in provisioned(site()).output
        last.nothing_to_do = True


def test_an_edit_for_one_laptop_leaves_the_other_hosts_alone() -> None:
    last.nothing_to_do = False
    variables = ROOT / "inventories/lab/host_vars/air.yml"
    variables.parent.mkdir(exist_ok=True)
    variables.write_text("---\nopencode_timeout_s: 901\n")
    try:
        done = provisioned(site())
        assert "Nothing to do on attic, book, pro." in done.output
        assert done.changed() == {"air": 1, "attic": 0, "book": 0, "localhost": 0, "pro": 0}
    finally:
        variables.unlink()
    settle()


def test_a_run_is_complete_without_the_records() -> None:
    last.nothing_to_do = False
    done = provisioned(site("--flush-cache"))
    assert "Nothing to do" not in done.output
    assert "Check that omlx answers" in done.output
    assert set(done.changed().values()) == {0}
    settle()


def test_a_server_that_does_not_answer_is_no_converged_one() -> None:
    last.nothing_to_do = False
    on("attic", "sudo pkill -STOP -f 'bin/[o]mlx'")
    try:
        done = site("--tags", "power", "-v")
    finally:
        on("attic", "sudo pkill -CONT -f 'bin/[o]mlx'")
    assert differences(done)["attic"] == ["http://127.0.0.1:8000/v1 does not answer"]
    assert "Nothing to do" not in done.output
    settle()
