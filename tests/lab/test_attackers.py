"""The account that serves is hostile: an ordinary run must do nothing for it that it may not do.

Each test looks at the whole disk before and after. The account's own files may be lost; nothing of
root's may change hands, leak, or be changed, and no program of the account's runs as root.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from tests.lab.attackers import (
    BAIT,
    FIRST_RUN_S,
    Account,
    Attack,
    ansible,
    crashes,
    file_kinds,
    forget_the_choice,
    hung,
    rounds,
    unexplained,
)
from tests.lab.conftest import ROOT, Done, as_root, provisioned
from tests.lab.judge import look, losses
from tests.lab.siege import Siege

ACCOUNT = Account("attic", "_closet", 250, "/Users/_closet")
OMLX = f"{ACCOUNT.home}/.omlx"
SETTINGS = f"{OMLX}/settings.json"
LOGS = f"/var/log/closet/omlx-{ACCOUNT.name}"
WHO = ("--limit", "attic,localhost", "-e", "omlx_start_timeout_s=30")
LOCK = ROOT / "lab/parts/omlx.lock"

KINDS = file_kinds(ACCOUNT.home)
FOLDER_KINDS = [
    ("link", "/opt/closet/bin"),
    ("link", "/etc/sudoers.d"),
    ("link", f"{ACCOUNT.home}/nowhere"),
    ("text", "a file\n"),
    ("fifo", ""),
]
# What a run finds, reads or writes below the account's home, or makes there when it is wanted.
FILES = [
    SETTINGS,
    f"{OMLX}/model_settings.json",
    f"{OMLX}/mcp.json",
    f"{LOGS}/launchd.log",
    f"{OMLX}/before-upgrade",
]
PAIRS = [
    (SETTINGS, f"{BAIT}/canary.json"),
    (f"{OMLX}/model_settings.json", f"{BAIT}/canary.txt"),
    (OMLX, "/opt/closet/bin"),
    (f"{OMLX}/served", "/etc/sudoers.d"),
    (f"{OMLX}/before-upgrade", f"{BAIT}/folder"),
    (f"{LOGS}/launchd.log", f"{BAIT}/profile"),
]


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The lab's inventory with the account in it."""
    folder = tmp_path_factory.mktemp("attacked")
    hosts = {"attic": {"closet_service_account": ACCOUNT.name}}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    return ("-i", str(ROOT / "inventories/lab"), "-i", str(folder))


@pytest.fixture(scope="module", autouse=True)
def closet(fresh_lab_with_programs: None, inventory: tuple[str, ...]) -> Iterator[Done]:
    """A closet that serves with the account, whose traps lie wherever it may write."""
    forget_the_choice()
    ACCOUNT.make()
    done = provisioned(ansible("site.yml", *inventory, *WHO, limit_s=FIRST_RUN_S))
    ACCOUNT.lay_traps()
    yield done
    forget_the_choice()


@pytest.fixture
def siege(inventory: tuple[str, ...]) -> Iterator[Siege]:
    """Runs, beginning with what the disk is now; at the end root has what is root's."""
    begun = Siege([ACCOUNT], [*inventory, *WHO])
    yield begun
    begun.mend()


def withstand(siege: Siege, *attacks: Attack) -> None:
    siege.withstand({ACCOUNT: attacks}, attempts=2)


def test_the_judge_sees_what_the_account_may_not_do(siege: Siege) -> None:
    """Each of the judge's findings, made on purpose by root."""
    before = look(ACCOUNT.host)
    assert losses(before, ACCOUNT) == []
    owned, leaked = f"{BAIT}/folder", f"{ACCOUNT.home}/copy"
    as_root(
        ACCOUNT.host,
        f"chown {ACCOUNT.uid} {owned}; echo x >> {BAIT}/profile; cp {BAIT}/canary.txt {leaked}; "
        f"chown {ACCOUNT.uid} {leaked}; cp {ACCOUNT.home}/bin/python3 /opt/closet/bin/new; "
        f"{ACCOUNT.home}/bin/cp; chmod 666 /etc/newsyslog.d/closet.conf",
    )
    found = "\n".join(losses(before, ACCOUNT, Done(0, f"x {ACCOUNT.canary}")))
    as_root(
        ACCOUNT.host, f"rm {leaked} /opt/closet/bin/new; chmod 644 /etc/newsyslog.d/closet.conf"
    )
    for words in (
        f"{owned} is {ACCOUNT.name}'s now",
        f"{BAIT}/profile changed",
        f"{leaked} (uid {ACCOUNT.uid}, mode 600) holds root's secret",
        f"/opt/closet/bin/new (uid 0) holds what {ACCOUNT.name} wrote",
        f"uid 0 ran what {ACCOUNT.name} wrote: {ACCOUNT.home}/bin/cp",
        "/etc/newsyslog.d/closet.conf is",
        "the output shows what only root may read",
    ):
        assert words in found


# Every path meets every second kind here; the unit tests have each kind for each way to write.
@pytest.mark.parametrize("turn", range(0, len(KINDS), 2))
def test_files_that_are_something_else_before_the_run(siege: Siege, turn: int) -> None:
    withstand(siege, *rounds(FILES, KINDS)[turn])


@pytest.mark.parametrize("kind", FOLDER_KINDS[::2], ids=["bin", "dangling", "fifo"])
def test_its_folder_is_something_else_before_the_run(siege: Siege, kind: tuple[str, str]) -> None:
    withstand(siege, Attack(OMLX, *kind))


@pytest.mark.parametrize("kind", FOLDER_KINDS[1::2], ids=["sudoers", "file"])
def test_folders_within_that_are_something_else(siege: Siege, kind: tuple[str, str]) -> None:
    withstand(siege, Attack(f"{OMLX}/served", *kind), Attack(f"{OMLX}/store", *kind))


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[4]], ids=lambda kind: kind[0])
def test_the_lock_of_the_models_is_something_else(siege: Siege, kind: tuple[str, str]) -> None:
    withstand(siege, Attack(f"{OMLX}/store/.closet.lock", *kind))


def test_a_file_that_cannot_be_changed_is_named(siege: Siege) -> None:
    """As with `chflags uchg`, which everybody may do to files of their own."""
    as_root(ACCOUNT.host, f"cp -p {SETTINGS} {SETTINGS}.kept; echo '{{}}' > {SETTINGS}")
    as_root(ACCOUNT.host, f"chattr +i {SETTINGS}")
    try:
        done = siege.play("site.yml")
    finally:
        as_root(ACCOUNT.host, f"chattr -i {SETTINGS}; mv {SETTINGS}.kept {SETTINGS}")
    assert done.code != 0
    assert siege.losses() + unexplained(done, ACCOUNT, [Attack(SETTINGS, "text")]) == []
    provisioned(siege.play("site.yml"))


def test_its_folder_moves_to_where_programs_of_root_are(siege: Siege) -> None:
    """~/.omlx is /opt/closet/bin for as long as it takes; then the drain of the job is a trap."""
    swapper = ACCOUNT.swapping([(OMLX, "/opt/closet/bin")], hold=True)
    try:
        # its own pull of the models needs the honest one; a change of the job stops it, and before
        # that lets it drain
        begin = [("closet.inference.models :", swapper.start)]
        siege.play("site.yml", "-e", "omlx_exit_timeout_s=61", begin=begin)
    finally:
        swapper.stop()
    assert swapper.outcome["swaps"] == 1
    assert siege.losses() == []
    assert swapper.outcome["won"] == []
    provisioned(siege.play("site.yml"))


def test_a_rotation_of_its_logs_touches_nothing_else(siege: Siege) -> None:
    """Newsyslog runs as root every hour, over a folder of the account's."""
    attacks = [Attack(f"{LOGS}/launchd.log", "link", f"{BAIT}/profile")]
    attacks = ACCOUNT.plant(attacks)
    as_root(ACCOUNT.host, "/usr/sbin/newsyslog -F || true")
    # a log of root's own gets the mode that the rotation has for all of them
    lost = [one for one in siege.losses() if "/var/log/closet/wired-memory.log " not in one]
    as_root(ACCOUNT.host, f"rm -f {LOGS}/launchd.log.*")
    ACCOUNT.heal(attacks)
    assert lost == []


@pytest.fixture(scope="module")
def dies(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A pin that builds and does not serve: `omlx --help` does without uvicorn."""
    text = re.sub(r"(?m)^uvicorn==.*\n(?:    --hash.*\n)+", "", LOCK.read_text())
    path = tmp_path_factory.mktemp("pins") / "dies.txt"
    path.write_text(text)
    return str(path)


def test_an_upgrade_that_is_taken_back_puts_nothing_of_its_into_files_of_root(
    siege: Siege, dies: str
) -> None:
    """It waits for the copy of its settings, changes it, and links the settings to a file."""
    copy = f"{OMLX}/before-upgrade/settings.json"
    attacks = [
        Attack(copy, "text", json.dumps({"mine": ACCOUNT.mark})),
        Attack(SETTINGS, "link", f"{BAIT}/profile"),
    ]
    with ACCOUNT.insisting(copy, attacks):
        done = siege.play("playbooks/upgrade.yml", "-e", f"omlx_requirements={dies}")
    assert done.code != 0
    assert not hung(done)
    lost = siege.losses()
    as_root(ACCOUNT.host, f"rm -rf {OMLX}/before-upgrade {SETTINGS}")
    assert lost == []
    provisioned(siege.play("site.yml"))


# book, words, and the part of the tasks after which the account begins to swap
SWAPPED = {
    "rotation": ("site.yml", ("-e", "rotate=all"), 0.0),
    "switch": ("playbooks/profile.yml", ("-e", "profile=lean"), 0.5),
    "switch-back": ("playbooks/profile.yml", ("-e", "profile=default"), 0.7),
    "hidden": ("playbooks/expose.yml", ("-e", "scope=local"), 0.4),
    "exposed": ("playbooks/expose.yml", ("-e", "scope=lan", "-e", "confirm=attic"), 0.4),
    "upgrade": ("playbooks/upgrade.yml", (), 0.5),
}


# A run that rotates and one that is taken back write most; the others are variants of them.
SHORT = ("rotation", "upgrade")


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one in SHORT else pytest.mark.long) for one in SWAPPED]
)
def test_swapped_while_it_runs(siege: Siege, closet: Done, dies: str, name: str) -> None:
    book, words, part = SWAPPED[name]
    if name == "upgrade":
        words = ("-e", f"omlx_requirements={dies}")
    tasks = closet.output.count("\nTASK [")
    swapper = ACCOUNT.swapping(PAIRS)
    try:
        done = siege.play(book, *words, begin=[(int(tasks * part), swapper.start)])
        # a run that refuses early has not been swapped under for long
        while part == 0 and done.code != 0 and len(siege.done) < 3:
            done = siege.play(book, *words)
    finally:
        swapper.stop()
    lost = siege.losses()
    siege.mend()
    as_root(ACCOUNT.host, f"rm -rf {OMLX}/before-upgrade")
    print(f"\n{name}: {swapper.outcome}, {len(siege.done)} runs, code {done.code}")
    assert lost == []
    assert swapper.outcome["won"] == []
    assert swapper.outcome["swaps"] > 1000
    assert [crash for run in siege.done for crash in crashes(run)] == []
    assert not hung(done)
    provisioned(siege.play(book, *words) if name != "upgrade" else siege.play("site.yml"))
