"""The launchd job of a server: what all share, what its table adds, what the owner adds last."""

from __future__ import annotations

from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.launchd.keys import check_plist
from ansible_collections.closet.inference.plugins.plugin_utils.daemon import job

TABLE: dict[str, Any] = {
    "name": "llama",
    "user": "svc",
    "group": "staff",
    "paths": {
        "label": "inference.closet.llama",
        "path": "/opt/closet/llama/1",
        "log": "/var/log/closet/llama/llama.log",
        "launchd_log": "/var/log/closet/llama.launchd.log",
    },
    "argv": ["/opt/closet/llama/1/server", "--port", 8003],
    "python": "/opt/closet/gateway/1/bin/python",
    "folder": "/Users/svc",
    "environment": {"HOME": "/Users/svc", "LANG": "C"},
    "exit_timeout_s": "60",
    "files": [],
}


def made(**more: Any) -> dict[str, Any]:
    return job.job({**TABLE, **more}, 10, 2)


def test_its_output_goes_through_closet_log_which_becomes_it() -> None:
    words = made()["plist"]["ProgramArguments"]
    assert words == [
        *("/opt/closet/gateway/1/bin/python", "/opt/closet/bin/closet-log"),
        *("--file=/var/log/closet/llama/llama.log", "--bytes=10240", "--count=2"),
        *("--ends=/var/log/closet/llama.launchd.log", "--"),
        *("/opt/closet/llama/1/server", "--port", "8003"),
    ]
    waiting = made(waits=True, wired_limit_mb=4096)["plist"]["ProgramArguments"]
    assert waiting[7:9] == ["/opt/closet/bin/closet-wired-wait", "4096"]
    assert "--twin=/x" in made(log_twin="/x")["plist"]["ProgramArguments"]


def test_launchd_knows_every_key() -> None:
    assert check_plist(made()["plist"]) == []


def test_what_an_owner_adds_comes_last() -> None:
    found = made(
        owner_environment={"LANG": "de_DE.UTF-8", "DEBUG": 1},
        owner_plist={"Nice": 5, "ThrottleInterval": 60},
    )["plist"]
    assert found["EnvironmentVariables"] == {
        "HOME": "/Users/svc",
        "LANG": "de_DE.UTF-8",
        "DEBUG": "1",
    }
    assert (found["Nice"], found["ThrottleInterval"]) == (5, 60)


def test_a_change_of_the_release_or_of_what_it_names_restarts_it() -> None:
    assert made()["restart_on"] == {"program": "/opt/closet/llama/1"}
    assert made(restart_on={"other": 1})["restart_on"]["other"] == 1


def test_it_may_finish_before_it_stops() -> None:
    drain = {"drain": ["/opt/closet/bin/drain"], "drain_timeout_s": "90"}
    expected = {"before_stop": ["/opt/closet/bin/drain"], "before_stop_timeout_s": 90}
    assert expected.items() <= made(**drain).items()
    assert job.stop({**TABLE, **drain}, "absent") == {
        "label": "inference.closet.llama",
        "state": "absent",
        **expected,
    }
    assert job.stop(TABLE, "stopped") == {"label": "inference.closet.llama", "state": "stopped"}


def test_the_folder_of_its_log_is_its_own() -> None:
    own = {"path": "/opt/closet/bin/x", "content": ""}
    [folder, file] = job.files({**TABLE, "files": [own]})
    assert file == own
    assert folder == {
        "path": "/var/log/closet/llama",
        "state": "directory",
        "owner": "svc",
        "group": "staff",
        "mode": "0750",
    }
