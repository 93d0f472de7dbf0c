"""lab.hardware: an inventory's lab_mac becomes a description, or a sentence about what is wrong."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from lab.hardware import CHIPS, MODELS, RELEASES, describe, mac_env


def _describe(**changes: Any) -> dict[str, Any]:
    lab_mac = {"model": "Mac16,9", "macos": "26.5.1", "memory_gb": 128, **changes}
    return describe("attic", "10.77.31.10", 24, "10.77.31.1", "admin", lab_mac)


def test_a_mac_studio_is_described_completely() -> None:
    assert _describe() == {
        "hostname": "attic",
        "model": "Mac16,9",
        "model_name": "Mac Studio",
        "chip": "Apple M4 Max",
        "cores": 16,
        "performance_cores": 12,
        "efficiency_cores": 4,
        "memory_gb": 128,
        "macos": "26.5.1",
        "build": "25F80",
        "darwin": "25.5.0",
        "kernel_version": "Darwin Kernel Version 25.5.0: Mon Apr 27 20:41:26 PDT 2026; "
        "root:xnu-12377.121.6~2/RELEASE_ARM64_T6041",
        "battery": False,
        "address": "10.77.31.10",
        "prefix": 24,
        "gateway": "10.77.31.1",
        "user": "admin",
        "uuid": "A08DB346-8D0B-5AE6-81C8-AB2DD6D85546",
    }


def test_each_mac_has_a_uuid_of_its_own() -> None:
    lab_mac = {"model": "Mac16,9", "macos": "26.5.1", "memory_gb": 128}
    other = describe("air", "10.77.31.21", 24, "10.77.31.1", "admin", lab_mac)
    assert other["uuid"] != _describe()["uuid"]


@pytest.mark.parametrize(
    ("model", "name", "cores", "battery"),
    [
        ("Mac16,12", "MacBook Air", 10, True),
        ("Mac16,8", "MacBook Pro", 14, True),
        ("Mac14,3", "Mac mini", 8, False),
        ("Mac15,14", "Mac Studio", 32, False),
        ("Mac14,14", "Mac Studio", 24, False),
    ],
)
def test_models(model: str, name: str, cores: int, battery: bool) -> None:
    facts = _describe(model=model)
    assert (facts["model_name"], facts["cores"], facts["battery"]) == (name, cores, battery)


@pytest.mark.parametrize(
    ("version", "build", "darwin"),
    [("26.2", "25C56", "25.2.0"), ("26.6.2", "25G83", "25.6.0"), ("15.6", "24G84", "24.6.0")],
)
def test_releases(version: str, build: str, darwin: str) -> None:
    facts = _describe(macos=version)
    assert (facts["build"], facts["darwin"]) == (build, darwin)


def test_the_tables_fit_together() -> None:
    assert {model.chip for model in MODELS.values()} <= set(CHIPS)
    assert all(
        release.kernel_stamp.rpartition(" ")[2].startswith("202") for release in RELEASES.values()
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "Mac99,1"}, "lab_mac.model 'Mac99,1' is no Mac model the lab knows"),
        ({"macos": "26.99"}, "lab_mac.macos '26.99' is no macOS version the lab knows"),
        ({"macos": 26.2}, 'lab_mac.macos must be a string in quotes, like "26.5.1", not 26.2'),
        ({"memory_gb": "128"}, "memory_gb must be a whole number of gigabytes, not '128'"),
        ({"memory_gb": True}, "memory_gb must be a whole number of gigabytes, not True"),
        ({"memory_gb": 0}, "memory_gb must be a whole number of gigabytes, not 0"),
        ({"memory": 64}, "lab_mac has memory, but only model, macos, memory_gb mean something"),
    ],
)
def test_what_nobody_knows_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match="lab_mac") as caught:
        _describe(**changes)
    assert sentence in str(caught.value)


def test_missing_keys_are_named() -> None:
    with pytest.raises(ValueError, match="lab_mac lacks macos and memory_gb"):
        describe("a", "10.0.0.2", 24, "10.0.0.1", "admin", {"model": "Mac16,9"})


def test_the_known_versions_are_listed_in_order() -> None:
    with pytest.raises(ValueError, match=r"it knows 15\.6, .*26\.6\.2, 27\.0$"):
        _describe(macos="1")


def test_a_shell_reads_mac_env_back() -> None:
    facts = {**_describe(), "hostname": "the attic's"}
    script = mac_env(facts) + 'printf "%s|%s|%s|%s" "$MAC_HOSTNAME" "$MACOS" "$CHIP" "$BATTERY"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, timeout=10)
    assert done.stdout.decode() == "the attic's|26.5.1|Apple M4 Max|0"


def test_mac_env_leaves_the_shells_own_names_alone() -> None:
    names = {line.partition("=")[0] for line in mac_env(_describe()).splitlines()}
    assert not names & {"HOSTNAME", "USER", "PATH", "HOME"}


def test_mac_env_refuses_what_is_no_line() -> None:
    with pytest.raises(ValueError, match="hostname has more than one line"):
        mac_env({"hostname": "a\nPATH='x'"})
