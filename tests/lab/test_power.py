"""The power fails, a run is cut off: what the next run finds, and what it still owes."""

from __future__ import annotations

import re

import pytest

from tests.lab import conftest
from tests.lab.conftest import Done, cut_the_power_at, lab, on, provisioned

pytestmark = pytest.mark.usefixtures("fresh_lab")

# the closet is what loses its power; localhost checks the inventory
CLOSET = ("--limit", "attic,localhost")


def site(*words: str) -> Done:
    """Run site.yml for the closet."""
    return conftest.site(*CLOSET, *words)


def omlx_pid() -> str:
    done = on("attic", "sudo launchctl print system/inference.closet.omlx")
    found = re.search(r"^\tpid = (\d+)$", done.output, re.MULTILINE)
    assert found, done.output
    return found[1]


# in the middle of the installation, of a pull, of the settings, and of the start of the server
CUTS = [
    ("Build the virtual environment of omlx", 2.0),
    ("Pull or remove the models", 0.4),
    ("Update the settings of omlx", 0.2),
    ("Run the servers at boot and now", 0.5),
]


@pytest.mark.parametrize(("task", "after_s"), CUTS, ids=[task for task, _ in CUTS])
def test_the_power_fails_in_the_middle_of_a_first_run(task: str, after_s: float) -> None:
    cut_the_power_at(task, after_s, "site.yml", *CLOSET)


def test_the_run_after_the_power_cuts_is_clean_and_the_next_one_has_nothing_to_do() -> None:
    provisioned(site())
    assert provisioned(site()).changed()["attic"] == 0


def test_a_restart_that_a_failed_run_owed_is_done_by_the_next_one() -> None:
    before = omlx_pid()
    edit = ("-e", "omlx_max_concurrent_requests=4")
    # the run dies after it has written the settings and before it looks at the job
    died = site(*edit, "-e", '{"omlx_restart_on": "{{ no_such_variable }}"}')
    assert died.code != 0
    assert "no_such_variable" in died.output
    assert "4" in on("attic", "grep max_concurrent ~/.omlx/settings.json").output
    assert omlx_pid() == before

    done = provisioned(site(*edit))
    assert done.changed()["attic"] == 1, done.output
    assert omlx_pid() != before
    assert provisioned(site(*edit)).changed()["attic"] == 0


def test_a_closet_that_loses_its_power_serves_again_by_itself() -> None:
    lab("power-cut", "attic")
    ask = (
        "for i in $(seq 60); do curl -sf -m 5 http://attic.local:8000/health && exit 0; "
        "sleep 1; done; exit 1"
    )
    assert on("air", ask, limit_s=90).code == 0
