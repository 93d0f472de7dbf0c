"""The filters that plays use: what a switch leaves behind, and why a limit must not be set."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.filter.stale_links import stale_links
from ansible_collections.closet.inference.plugins.filter.wired_limits import FilterModule

RECORD = {"serve_dir": "/served/old", "serving": {"models": [{"name": "a"}, {"name": "b"}]}}


@pytest.mark.parametrize(
    ("record", "serve_dir", "paths"),
    [
        ({}, "/served/new", []),
        (RECORD, "/served/old", []),
        (RECORD, "/served/new", ["/served/old/a", "/served/old/b"]),
        (RECORD, "/another/accounts/served/new", []),
    ],
)
def test_only_links_of_a_folder_that_serves_no_more_go(
    record: dict[str, Any], serve_dir: str, paths: list[str]
) -> None:
    assert stale_links(record, serve_dir) == [{"path": path, "state": "absent"} for path in paths]


def test_the_filter_that_objects_says_nothing_to_a_good_limit() -> None:
    objection = FilterModule().filters()["wired_limit_error"]
    assert objection("attic", 131072, 117965, False, 0, "26.5.1") == ""
    assert "lower the limit" in objection("attic", 131072, 98304, False, 0, "26.5.1")
