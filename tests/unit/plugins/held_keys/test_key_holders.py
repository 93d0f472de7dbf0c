"""Which accounts hold the keys of a closet, and what a change of account leaves behind."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, replace

import pytest

from ansible_collections.closet.inference.plugins.filter.key_holders import key_holders
from ansible_collections.closet.inference.plugins.module_utils import key_holders as holders
from ansible_collections.closet.inference.plugins.module_utils.key_holders import Holder, plan
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    parse,
    plain,
)


def paths(account: str) -> dict[str, str]:
    return {"omlx": f"/Users/{account}/.omlx", "gateway": f"/Users/{account}/.closet-gateway"}


OLD, OLD_GATE = (Holder("old", kind, paths("old")[kind]) for kind in holders.KINDS)
NEW, NEW_GATE = (Holder("new", kind, paths("new")[kind]) for kind in holders.KINDS)


@pytest.mark.parametrize(
    ("found", "kind", "ahead", "stay", "leaving", "former"),
    [
        pytest.param([], "omlx", [NEW], [NEW], [], [], id="first run"),
        pytest.param([NEW], "omlx", [NEW], [NEW], [], [], id="nothing new"),
        pytest.param([OLD], "omlx", [OLD, NEW], [NEW], [OLD], ["old"], id="another account"),
        pytest.param(
            [OLD, NEW], "omlx", [OLD, NEW], [NEW], [OLD], ["old"], id="cut off before the end"
        ),
        pytest.param(
            [OLD, OLD_GATE], "omlx", [OLD, OLD_GATE, NEW], [NEW], [OLD, OLD_GATE], ["old"],
            id="both folders of the old account",
        ),
        pytest.param([NEW], "gateway", [NEW, NEW_GATE], [NEW, NEW_GATE], [], [], id="to a gateway"),
        pytest.param(
            [NEW, NEW_GATE], "omlx", [NEW, NEW_GATE], [NEW], [NEW_GATE], [], id="and back"
        ),
        pytest.param(
            [replace(OLD, replaced=True), NEW], "omlx", [replace(OLD, replaced=True), NEW], [NEW],
            [replace(OLD, replaced=True)], [], id="files that could not be cleared",
        ),
        pytest.param(
            [replace(NEW, replaced=True), OLD], "omlx", [OLD, NEW], [NEW], [OLD], ["old"],
            id="an account that comes back",
        ),
    ],
)  # fmt: skip
def test_plan(
    found: list[Holder],
    kind: str,
    ahead: list[Holder],
    stay: list[Holder],
    leaving: list[Holder],
    former: list[str],
) -> None:
    made = plan(found, "new", [kind], paths("new"))
    assert [*map(list, (made.ahead, made.stay, made.leaving))] == [ahead, stay, leaving]
    assert list(made.former) == former


def test_a_folder_that_both_accounts_use_is_not_cleared_though_its_keys_are_replaced() -> None:
    shared = Holder("old", "omlx", "/opt/shared/.omlx")
    made = plan([shared], "new", ["omlx"], {"omlx": shared.path, "gateway": "/g"})
    assert (made.leaving, made.shared, made.former) == ((), (shared,), ("old",))


def test_a_backend_that_was_tried_and_taken_back_stays_on_the_list() -> None:
    made = plan([OLD], "new", ["omlx", "gateway"], paths("new"))
    assert made.ahead == (OLD, NEW, NEW_GATE)
    assert made.stay == (NEW,)


def test_a_cut_at_any_point_is_finished_by_the_next_run() -> None:
    """Each prefix of the steps of a run, then a whole one: no folder with keys is off the list."""
    accounts = ("old", "new")
    for first, second in itertools.product(
        itertools.product(accounts, holders.KINDS), itertools.product(accounts, holders.KINDS)
    ):
        for cut in range(4):
            listed: tuple[Holder, ...] = (OLD,)
            live = {OLD}
            for (account, kind), end in ((first, cut), (second, 4)):
                made = plan(listed, account, [kind], paths(account))
                wanted = Holder(account, kind, paths(account)[kind])
                if end > 0:
                    listed = made.ahead
                if end > 1:
                    live.add(wanted)
                if end > 2:
                    live -= set(made.leaving)
                if end > 3:
                    listed = made.stay
                assert live <= set(listed), (first, second, cut)
            assert {one for one in listed if one not in live} <= {OLD, NEW}
            again = plan(listed, second[0], [second[1]], paths(second[0]))
            assert (again.ahead, again.leaving, again.former) == (listed, (), ())


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[]", '{"holders": 1}', '{"holders": [1, {}, {"account": "a", "kind": "x"}]}',
     '{"holders": [{"account": "a", "kind": "omlx", "path": "relative"}]}'],
)  # fmt: skip
def test_a_list_that_cannot_be_read_is_empty(text: str) -> None:
    assert holders.read(text) == ()


def test_the_look_the_facts_and_the_filter_speak_of_the_same() -> None:
    kept = holders.text(map(asdict, [OLD]))
    facts = parse("probe=begin\nholders=" + kept.replace("\n", "") + "\nprobe=end\n")
    assert facts.key_holders == (OLD,)
    told = plain(facts)["key_holders"]
    assert told == [asdict(OLD)]
    ways = paths("new")
    made = key_holders(told, "new", "ollama", ways["omlx"], ways["gateway"])
    assert made["leaving"] == [asdict(OLD)]
    assert made["ahead"] == [asdict(OLD), asdict(NEW_GATE)]
    assert json.loads(json.dumps(made)) == made
