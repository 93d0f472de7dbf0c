"""The hostile account of test_attackers.py, with a gateway in front of what it serves.

Caddy's own command reads the configuration again, and that may say `import` and any path.
"""

from __future__ import annotations

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
)
from tests.lab.conftest import ROOT, Done, provisioned
from tests.lab.siege import Siege

ACCOUNT = Account("attic", "_closet", 250, "/Users/_closet")
GATEWAY = f"{ACCOUNT.home}/.closet-gateway"
CADDYFILE = f"{GATEWAY}/Caddyfile"
LOGS = "/var/log/closet"
WHO = ("--limit", "attic,localhost", "-e", "gateway_start_timeout_s=60")
KINDS = file_kinds(ACCOUNT.home)
FILES = [
    CADDYFILE,
    f"{LOGS}/gateway-{ACCOUNT.name}/launchd.log",
    f"{LOGS}/mlx_lm-{ACCOUNT.name}/launchd.log",
]
FOLDER_KINDS = [("link", "/opt/closet/bin"), ("link", "/etc/sudoers.d"), ("text", "a file\n")]
PAIRS = [
    (CADDYFILE, f"{BAIT}/canary.txt"),
    (GATEWAY, "/opt/closet/bin"),
    (f"{LOGS}/gateway-{ACCOUNT.name}/launchd.log", f"{BAIT}/profile"),
]
# What only root can read becomes a site's name, and so a part of the running configuration.
IMPORTS = f"""\
# {ACCOUNT.mark}
{{
	admin "unix/{GATEWAY}/admin.sock|0600"
	auto_https off
	http_port 8897
	https_port 8898
}}
import {BAIT}/canary.txt
"""


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The lab's inventory with the account in it, and mlx_lm behind the gateway."""
    folder = tmp_path_factory.mktemp("attacked")
    attic = {"closet_service_account": ACCOUNT.name, "closet_profile": "coding-mlx-lm"}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"attic": attic}}}))
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


@pytest.mark.parametrize("turn", range(0, len(KINDS), 2))
def test_files_that_are_something_else_before_the_run(siege: Siege, turn: int) -> None:
    siege.withstand({ACCOUNT: rounds(FILES, KINDS)[turn]}, attempts=2)


@pytest.mark.parametrize("kind", FOLDER_KINDS, ids=["bin", "sudoers", "file"])
def test_its_folder_is_something_else_before_the_run(siege: Siege, kind: tuple[str, str]) -> None:
    siege.withstand({ACCOUNT: [Attack(GATEWAY, *kind)]}, attempts=2)


def test_a_configuration_that_imports_a_file_of_root(siege: Siege) -> None:
    """It is written by the run, replaced by the account, and then read again by a command."""
    with ACCOUNT.insisting(CADDYFILE, [Attack(CADDYFILE, "text", IMPORTS)]) as insisting:
        siege.play("site.yml", "-e", "rotate=all")
    assert insisting.outcome["count"] > 0
    assert siege.losses() == []
    provisioned(siege.play("site.yml"))


@pytest.mark.parametrize("part", [0.3, 0.7])
def test_swapped_while_keys_rotate(siege: Siege, closet: Done, part: float) -> None:
    tasks = closet.output.count("\nTASK [")
    swapper = ACCOUNT.swapping(PAIRS)
    try:
        begin = [(int(tasks * part), swapper.start)]
        done = siege.play("site.yml", "-e", "rotate=all", begin=begin)
    finally:
        swapper.stop()
    lost = siege.losses()
    siege.mend()
    print(f"\n{swapper.outcome}, code {done.code}")
    assert lost == []
    assert swapper.outcome["won"] == []
    assert swapper.outcome["swaps"] > 1000
    assert crashes(done) == []
    assert not hung(done)
    provisioned(siege.play("site.yml"))
