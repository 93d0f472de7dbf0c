"""Ansible's own fact code over the doubles: it must take the simulated Mac for a Mac."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.facts.hardware.darwin import DarwinHardware
from ansible.module_utils.facts.network.darwin import DarwinNetwork

from tests.unit.lab.simulated_mac import SimulatedMac


class FakeModule:
    """What ansible's fact code uses of a module, with the doubles in place of the commands."""

    def __init__(self, mac: SimulatedMac) -> None:
        self.mac = mac

    def get_bin_path(self, name: str) -> str | None:
        """Return the double's path below the Mac's root."""
        found = [f"usr/{folder}/{name}" for folder in ("bin", "sbin")]
        return next((path for path in found if (self.mac.root / path).exists()), None)

    def run_command(self, command: str | list[str], encoding: str | None = "utf-8") -> Any:
        """Run a double the way ansible's run_command does."""
        words = [command] if isinstance(command, str) else command
        done = self.mac.run(words[0].lstrip("/"), *words[1:])
        if encoding is None:
            return done.returncode, done.stdout, done.stderr
        return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


def test_ansible_takes_the_studio_for_a_mac(studio: SimulatedMac) -> None:
    facts = DarwinHardware(FakeModule(studio)).populate()
    uptime = facts.pop("uptime_seconds")
    assert uptime >= 0
    assert facts == {
        "model": "Mac16,9",
        "product_name": "Mac16,9",
        "osversion": "25F80",
        "osrevision": "199506",
        "processor": "Apple M4 Max",
        "processor_cores": "16",
        "processor_vcpus": "16",
        "memtotal_mb": 131072,
        "memfree_mb": 53740,
    }


def test_ansible_finds_the_network_of_the_air(air: SimulatedMac) -> None:
    facts = DarwinNetwork(FakeModule(air)).populate()
    assert facts["interfaces"] == ["en0", "lo0"]
    assert facts["all_ipv4_addresses"] == ["10.77.31.10"]
    default = facts["default_ipv4"]
    wanted = {"gateway": "10.77.31.1", "interface": "en0", "address": "10.77.31.10"}
    assert {key: default[key] for key in wanted} == wanted
    assert (default["netmask"], default["network"]) == ("255.255.255.0", "10.77.31.0")
    assert facts["default_ipv6"] == {}
    assert facts["lo0"]["type"] == "loopback"
