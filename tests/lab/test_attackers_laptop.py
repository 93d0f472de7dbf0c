"""The person of a laptop is hostile, and no administrator: a run does nothing for them as root.

Three laptops are attacked at the same time, each in another way.
"""

from __future__ import annotations

import shlex
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
from tests.lab.conftest import CLIENTS, ROOT, UPPER, Done, as_root, provisioned
from tests.lab.siege import Siege

HOME = "/Users/kid"
PEOPLE = {host: Account(host, "kid", 502, HOME) for host in CLIENTS}
AIR = PEOPLE["air"]
LAPTOPS = ("--limit", "air,pro,book,localhost")
EVERYBODY = ("--limit", "attic,air,pro,book,localhost")
SUPPORT = f"{HOME}/Library/Application Support"
CLOSET = f"{HOME}/.config/closet"
PERSON: dict[str, object] = {
    **{
        f"{role}_{what}": value
        for role in ("opencode", "client_env", "mcp")
        for what, value in (("user", "kid"), ("group", "staff"), ("home", HOME))
    },
    "client_env_tools": ["aider", "continue", "llm", "vscode", "zed"],
    "mcp_clients": ["opencode", "claude", "vscode"],
    "mcp_secrets": {"TOOL": "tool-secret-0123456789"},
    "opencode_instructions": "Be kind.\n",
}
SERVERS = {
    "tool": {
        "url": "http://hub.local:8083/mcp",
        "headers": {"Authorization": {"secret": "TOOL", "prefix": "Bearer "}},
    }
}
KINDS = file_kinds(HOME)
FOLDER_KINDS = [
    ("link", "/etc/sudoers.d"),
    ("link", "/Library/LaunchDaemons"),
    ("link", f"{HOME}/nowhere"),
    ("text", "a file\n"),
]
# What of a home is somebody else's doing: ssh, a shell, our own traps.
NOT_TOUCHED = (".local", "bin", ".omlx", ".ssh", ".cache", "dotfiles")
# Files that a run looks for and most people do not have.
LOOKED_FOR = (".config/opencode/opencode.jsonc", ".config/opencode/opencode.json")
# One level of folders per laptop, so that none hides another.
LEVELS = {
    "air": (f"{HOME}/.config", f"{HOME}/Library", f"{HOME}/.continue"),
    "pro": (
        CLOSET,
        f"{HOME}/.config/opencode",
        f"{HOME}/.config/zed",
        SUPPORT,
        f"{HOME}/.continue/models",
    ),
    "book": (
        f"{CLOSET}/merged",
        f"{CLOSET}/secrets",
        f"{SUPPORT}/Code/User",
        f"{SUPPORT}/io.datasette.llm",
    ),
}
PAIRS = [
    (f"{HOME}/.config", "/etc/sudoers.d"),
    (CLOSET, "/etc/sudoers.d"),
    (f"{CLOSET}/key", f"{BAIT}/canary.txt"),
    (f"{CLOSET}/merged", f"{BAIT}/folder"),
    (f"{HOME}/.config/opencode", "/Library/LaunchDaemons"),
    (f"{HOME}/.zshenv", f"{BAIT}/profile"),
    (f"{HOME}/.claude.json", f"{BAIT}/canary.json"),
    (f"{HOME}/.config/zed/settings.json", f"{BAIT}/canary.json"),
    (f"{SUPPORT}/Code/User", f"{BAIT}/folder"),
]


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The lab's inventory, in which each laptop is kid's."""
    folder = tmp_path_factory.mktemp("attacked")
    hosts = {host: dict(PERSON) for host in CLIENTS}
    (folder / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"vars": {"mcp_servers": SERVERS}, "hosts": hosts}})
    )
    return ("-i", str(ROOT / "inventories/lab"), "-i", str(folder))


@pytest.fixture(scope="module", autouse=True)
def house(fresh_lab_with_programs: None, inventory: tuple[str, ...]) -> Iterator[Done]:
    """A house whose laptops work, with traps wherever kid may write."""
    forget_the_choice()
    for kid in PEOPLE.values():
        kid.make()
    done = provisioned(ansible("site.yml", *inventory, *EVERYBODY, limit_s=FIRST_RUN_S))
    for kid in PEOPLE.values():
        kid.lay_traps()
    yield done
    forget_the_choice()


@pytest.fixture
def siege(inventory: tuple[str, ...]) -> Iterator[Siege]:
    """Runs for the laptops, beginning with what their disks are now."""
    begun = Siege(list(PEOPLE.values()), [*inventory, *LAPTOPS])
    yield begun
    begun.mend()


def touched() -> list[str]:
    """Every file below a home that a run has made there, and those that it looks for."""
    home = UPPER / "air/upper" / HOME.lstrip("/")
    names = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    ours = [name for name in names if name.partition("/")[0] not in NOT_TOUCHED]
    return [f"{HOME}/{name}" for name in sorted({*ours, *LOOKED_FOR})]


@pytest.mark.parametrize("turn", range(3))
def test_files_that_are_something_else_before_the_run(siege: Siege, turn: int) -> None:
    """Three turns on three laptops: every file meets every kind."""
    paths = touched()
    assert len(paths) > 20
    attacks = {
        kid: rounds(paths, KINDS)[(3 * turn + number) % len(KINDS)]
        for number, kid in enumerate(PEOPLE.values())
    }
    siege.withstand(attacks, attempts=4)


@pytest.mark.parametrize("kind", FOLDER_KINDS, ids=["sudoers", "daemons", "dangling", "file"])
def test_folders_that_are_something_else_before_the_run(
    siege: Siege, kind: tuple[str, str]
) -> None:
    attacks = {
        PEOPLE[host]: [Attack(path, *kind) for path in paths] for host, paths in LEVELS.items()
    }
    siege.withstand(attacks, attempts=3)


@pytest.mark.parametrize(
    ("path", "target"),
    [(CLOSET, "/etc/sudoers.d"), (f"{HOME}/.zshenv", f"{BAIT}/profile")],
    ids=["sudoers", "zshenv"],
)
def test_a_link_of_theirs_to_what_is_roots(siege: Siege, path: str, target: str) -> None:
    """The two that were seen to win: sudo was broken for everybody, /etc/zshenv was theirs."""
    siege.withstand({AIR: [Attack(path, "link", target)]}, attempts=2)


def test_a_dotfile_in_a_repository_of_their_own_stays_a_link(siege: Siege) -> None:
    kept = f"{HOME}/dotfiles/zshenv"
    mine = [Attack(kept, "text", "# mine\n"), Attack(f"{HOME}/.zshenv", "link", kept)]
    assert AIR.plant(mine) == mine
    as_root("air", f"chmod 640 {kept}")
    provisioned(siege.play("site.yml"))
    disk = UPPER / "air/upper"
    found = disk / kept.lstrip("/")
    status, text = found.stat(), found.read_text()
    link = (disk / HOME.lstrip("/") / ".zshenv").readlink()
    AIR.heal([Attack(f"{HOME}/.zshenv", "link"), Attack(kept, "text")])
    assert str(link) == kept
    assert text.startswith("# mine\n")
    assert ".config/closet/env.sh" in text
    assert (status.st_uid, status.st_mode & 0o777) == (AIR.uid, 0o640)
    assert siege.losses() == []
    provisioned(siege.play("site.yml"))


def test_a_dotfile_that_they_cannot_write_is_left_alone_and_told(siege: Siege) -> None:
    """As of a configuration manager, whose store is root's."""
    attack = Attack(f"{HOME}/.zshenv", "link", f"{BAIT}/profile")
    assert AIR.plant([attack]) == [attack]
    done = siege.play("site.yml")
    AIR.heal([attack])
    assert siege.losses() == []
    provisioned(done)
    told = " ".join(done.output.split())
    assert ".zshenv" in told
    assert ". ~/.config/closet/env.sh" in told
    provisioned(siege.play("site.yml"))


def test_a_file_that_cannot_be_changed_is_named(siege: Siege) -> None:
    """As with `chflags uchg`, which everybody may do to files of their own."""
    path = f"{CLOSET}/env.sh"
    as_root("air", f"echo '# mine' > {path}; chattr +i {path}")
    try:
        done = siege.play("site.yml")
    finally:
        as_root("air", f"chattr -i {path}")
    assert done.code != 0
    assert siege.losses() == []
    assert unexplained(done, AIR, [Attack(path, "text")]) == []
    provisioned(siege.play("site.yml"))


def test_programs_of_homebrew_are_not_run_as_root(siege: Siege) -> None:
    """Homebrew's folder belongs to a person; opencode is installed with its npm."""
    npm = "/opt/homebrew/bin/npm"
    aside = "/opt/homebrew/bin/npm.honest"
    trap = shlex.quote(AIR.trap)
    as_root("air", f"rm -rf /opt/closet/opencode; mv {npm} {aside}; printf %s {trap} > {npm}")
    as_root("air", f"chmod 755 {npm}; chown {AIR.uid} /opt/homebrew/bin {npm}")
    before = siege.before
    siege.before = Siege(list(PEOPLE.values()), []).before
    try:
        siege.play("site.yml", "--limit", "air,localhost")
        lost = siege.losses()
    finally:
        siege.before = before
        as_root("air", f"mv {aside} {npm}; chown root:wheel /opt/homebrew/bin")
        siege.mend()
    assert lost == []
    provisioned(siege.play("site.yml"))


# words, the part of the tasks after which they begin to swap, by laptop, since all take part
SWAPPED = {
    "rotation": ("site.yml", ("-e", "rotate=all"), (0.0, 0.6, 0.8)),
    "switch": ("playbooks/profile.yml", ("-e", "profile=lean"), (0.3, 0.7, 0.85)),
    "switch-back": ("playbooks/profile.yml", ("-e", "profile=default"), (0.65, 0.75, 0.9)),
}


@pytest.mark.parametrize("name", SWAPPED)
def test_swapped_while_it_runs(siege: Siege, house: Done, name: str) -> None:
    book, words, parts = SWAPPED[name]
    tasks = house.output.count("\nTASK [")
    swappers = [kid.swapping(PAIRS) for kid in PEOPLE.values()]
    waiting = sorted(zip(parts, swappers, strict=True), key=lambda pair: pair[0])
    try:
        begin = [(int(part * tasks), swapper.start) for part, swapper in waiting]
        done = siege.play(book, *words, *EVERYBODY, begin=begin)
    finally:
        for swapper in swappers:
            swapper.stop()
    lost = siege.losses()
    siege.mend()
    print(f"\n{name}: {[swapper.outcome for swapper in swappers]}, code {done.code}")
    assert lost == []
    assert [swapper.outcome["won"] for swapper in swappers] == [[], [], []]
    assert sum(swapper.outcome["swaps"] for swapper in swappers) > 1000
    assert crashes(done) == []
    assert not hung(done)
    provisioned(siege.play(book, *words, *EVERYBODY))
