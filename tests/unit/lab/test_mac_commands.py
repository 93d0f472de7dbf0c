"""The doubles of the Mac commands: what they print, where, and with which exit code."""

from __future__ import annotations

import importlib
import os
import plistlib
import re
import runpy
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.lab.simulated_mac import LIBRARY, NOBODY, PYTHON, TREE, SimulatedMac

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes files as root and as nobody")
FIREWALL = "usr/libexec/ApplicationFirewall/socketfilterfw"


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        ((), "ProductName:\t\tmacOS\nProductVersion:\t\t26.5.1\nBuildVersion:\t\t25F80\n"),
        (("-productVersion",), "26.5.1\n"),
        (("--buildVersion",), "25F80\n"),
    ],
)
def test_sw_vers(studio: SimulatedMac, arguments: tuple[str, ...], out: str) -> None:
    assert studio.said("usr/bin/sw_vers", *arguments) == (0, out, "")


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        ((), "Darwin\n"),
        (("-m",), "arm64\n"),
        (("-p",), "arm\n"),
        (("-sr",), "Darwin 25.5.0\n"),
        (("-r", "-s"), "Darwin 25.5.0\n"),
    ],
)
def test_uname(studio: SimulatedMac, arguments: tuple[str, ...], out: str) -> None:
    assert studio.said("usr/bin/uname", *arguments) == (0, out, "")


def test_uname_says_everything_in_the_usual_order(studio: SimulatedMac) -> None:
    words = studio.said("usr/bin/uname", "-a").out
    assert re.fullmatch(r"Darwin \S+ 25\.5\.0 Darwin Kernel .*RELEASE_ARM64_T6041 arm64\n", words)


def test_vm_stat_has_the_columns_of_macos_and_sums_up(studio: SimulatedMac) -> None:
    lines = studio.said("usr/bin/vm_stat").out.splitlines()
    assert lines[0] == "Mach Virtual Memory Statistics: (page size of 16384 bytes)"
    assert {len(line) for line in lines[1:]} == {53}
    pages = {line.partition(":")[0]: int(line.rstrip(".").split()[-1]) for line in lines[1:]}
    parts = ("free", "active", "inactive", "speculative", "wired down", "occupied by compressor")
    assert sum(pages[f"Pages {part}"] for part in parts) == 128 * 65536


def test_the_kernels_interfaces_get_their_mac_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(LIBRARY))
    network: Any = importlib.import_module("doubles.network")
    kernel = [
        {"ifname": "sit0", "flags": [], "link_type": "sit", "addr_info": []},
        _kernel_interface("eth0", ["BROADCAST", "UP"], "ether", "10.77.31.10", 24),
        _kernel_interface("tailscale0", ["UP", "LOWER_UP"], "none", "100.64.0.1", 32),
        _kernel_interface("lo", ["LOOPBACK", "UP", "LOWER_UP"], "loopback", "127.0.0.1", 8),
    ]
    monkeypatch.setattr(network, "_ip", lambda *words: kernel)
    found = network.interfaces()
    assert [one.name for one in found] == ["lo0", "en0", "utun4"]
    assert [(one.up, one.carrier) for one in found] == [(True, True), (True, False), (True, True)]
    assert found[1].ipv4 == ("10.77.31.10/24",)


def _kernel_interface(
    name: str, flags: list[str], kind: str, address: str, prefix: int
) -> dict[str, Any]:
    return {
        "ifname": name,
        "flags": flags,
        "mtu": 1500,
        "link_type": kind,
        "address": "02:00:00:00:00:01",
        "addr_info": [{"family": "inet", "local": address, "prefixlen": prefix}],
    }


def test_route_without_ipv6(studio: SimulatedMac) -> None:
    said = studio.said("usr/sbin/route", "-n", "get", "-inet6", "default")
    assert said == (1, "", "route: writing to routing socket: not in table\n")


def test_ifconfig_of_an_interface_that_is_not_there(studio: SimulatedMac) -> None:
    said = studio.said("usr/sbin/ifconfig", "en9")
    assert said == (1, "", "ifconfig: interface en9 does not exist\n")


def test_system_profiler(studio: SimulatedMac) -> None:
    out = studio.said("usr/sbin/system_profiler", "SPHardwareDataType").out
    assert out.startswith("Hardware:\n\n    Hardware Overview:\n\n      Model Name: Mac Studio\n")
    assert "      Total Number of Cores: 16 (12 performance and 4 efficiency)\n" in out
    assert "      Memory: 128 GB\n" in out
    assert f"      Hardware UUID: {studio.facts['uuid']}\n" in out


def test_ioreg_tells_the_uuid_of_the_hardware(studio: SimulatedMac) -> None:
    said = studio.said("usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice")
    assert said.code == 0
    assert f'      "IOPlatformUUID" = "{studio.facts["uuid"]}"\n' in said.out
    assert studio.said("usr/sbin/ioreg", "-l").code == 64


@as_root
def test_the_firewall_remembers(studio: SimulatedMac) -> None:
    def said(*words: str) -> str:
        return studio.said(FIREWALL, *words).out.strip()

    program = studio.root / "bin/serve"
    program.parent.mkdir()
    program.touch()
    link = studio.root / "bin/link"
    link.symlink_to(program)
    assert said("--getglobalstate") == "Firewall is disabled. (State = 0)"
    assert said("--setglobalstate", "on") == "Firewall is enabled. (State = 1)"
    assert said("--getglobalstate") == "Firewall is enabled. (State = 1)"
    assert said("--getappblocked", str(link)) == "The application is not part of the firewall"
    assert said("--unblockapp", str(link)) == "The application is not part of the firewall"
    said("--add", str(link))
    assert said("--add", str(program)) == "The application is already a part of the firewall"
    assert said("--getappblocked", str(link)) == f"Incoming connection to {program} is permitted."
    said("--blockapp", str(program))
    assert said("--listapps").splitlines() == [
        "Total number of apps = 1 ",
        f"1 : {program} ",
        "             (Block incoming connections)",
    ]
    said("--remove", str(program))
    assert said("--listapps") == "Total number of apps = 0"
    assert said("--setblockall", "on", "--getglobalstate").endswith("(State = 2)")


@as_root
def test_only_root_changes_the_firewall(studio: SimulatedMac) -> None:
    said = studio.said(FIREWALL, "--setglobalstate", "on", user=NOBODY)
    assert said == (255, "Must be root to change settings.\n", "")
    assert studio.said(FIREWALL, "--getglobalstate", user=NOBODY).out.endswith("(State = 0)\n")


def test_filevault_is_off_until_told(studio: SimulatedMac) -> None:
    assert studio.said("usr/bin/fdesetup", "status") == (0, "FileVault is Off.\n", "")
    assert studio.said("usr/bin/fdesetup", "isactive") == (1, "false\n", "")
    (studio.root / "var/db/closet-lab/filevault").write_text("on\n")
    assert studio.said("usr/bin/fdesetup", "status") == (0, "FileVault is On.\n", "")
    assert studio.said("usr/bin/fdesetup", "isactive") == (0, "true\n", "")


def test_xcode_select_finds_the_tools_when_they_are_there(studio: SimulatedMac) -> None:
    said = studio.said("usr/bin/xcode-select", "-p")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("xcode-select: error: unable to get active developer directory")
    (studio.root / "Library/Developer/CommandLineTools").mkdir(parents=True)
    said = studio.said("usr/bin/xcode-select", "-p")
    assert said == (0, "/Library/Developer/CommandLineTools\n", "")


def test_dscacheutil(studio: SimulatedMac) -> None:
    words = ("-q", "host", "-a", "name")
    said = studio.said("usr/bin/dscacheutil", *words, "127.0.0.1")
    assert said == (0, "name: 127.0.0.1\nip_address: 127.0.0.1\n\n", "")
    assert studio.said("usr/bin/dscacheutil", *words, "no such name") == (0, "", "")


def test_scutil(studio: SimulatedMac) -> None:
    assert studio.said("usr/sbin/scutil", "--get", "ComputerName") == (0, "attic\n", "")
    assert studio.said("usr/sbin/scutil", "--get", "HostName") == (1, "", "HostName: not set\n")


def test_dscl(studio: SimulatedMac) -> None:
    line = "admin:x:501:20:The Admin,,,:/Users/admin:/bin/zsh\n"
    (studio.root / "etc/passwd").write_text(f"root:x:0:0:root:/var/root:/bin/sh\n{line}")
    (studio.root / "etc/group").write_text("wheel:x:0:\nadmin:x:80:root,admin\n")

    def said(*words: str) -> tuple[int, str, str]:
        return studio.said("usr/bin/dscl", ".", *words)

    home = (0, "NFSHomeDirectory: /Users/admin\n", "")
    assert said("-read", "/Users/admin", "NFSHomeDirectory") == home
    both = (0, "UniqueID: 501\nRealName:\n The Admin\n", "")
    assert said("-read", "/Users/admin", "UniqueID", "RealName") == both
    assert said("-read", "/Users/admin", "Picture") == (0, "No such key: Picture\n", "")
    absent = (56, "", "<dscl_cmd> DS Error: -14136 (eDSRecordNotFound)\n")
    assert said("-read", "/Users/nobody") == absent
    assert said("-list", "/Users") == (0, "admin\nroot\n", "")
    members = (0, "GroupMembership: root admin\n", "")
    assert said("-read", "/Groups/admin", "GroupMembership") == members


def test_plutil(studio: SimulatedMac) -> None:
    good, bad = studio.root / "good.plist", studio.root / "bad.plist"
    good.write_bytes(plistlib.dumps({"Label": "a.b", "N": [1, 2]}, fmt=plistlib.FMT_BINARY))
    bad.write_text("<plist><dict>")
    assert studio.said("usr/bin/plutil", "-lint", str(good)) == (0, f"{good}: OK\n", "")
    said = studio.said("usr/bin/plutil", "-lint", str(good), str(bad))
    assert (said.code, said.out) == (1, f"{good}: OK\n")
    assert said.err.startswith(f"{bad}: ")
    for words in (("-o", "-", str(good)), (str(good), "-o", "-")):
        xml = studio.run("usr/bin/plutil", "-convert", "xml1", *words).stdout
        assert xml == plistlib.dumps({"Label": "a.b", "N": [1, 2]})
    raw = ("-extract", "Label", "raw", "-o", "-", str(good))
    assert studio.said("usr/bin/plutil", *raw) == (0, "a.b\n", "")
    assert studio.said("usr/bin/plutil", "-lint", str(studio.root / "none")).code == 1


@as_root
def test_systemsetup(studio: SimulatedMac) -> None:
    said = studio.said("usr/sbin/systemsetup", "-getremotelogin")
    assert said == (0, "Remote Login: On\n", "")
    said = studio.said("usr/sbin/systemsetup", "-getremotelogin", user=NOBODY)
    assert said.out == "You need administrator access to run this tool... exiting!\n"


@as_root
def test_brew_does_not_run_as_root(studio: SimulatedMac) -> None:
    brew = "opt/homebrew/bin/brew"
    said = studio.said(brew, "list")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: Running Homebrew as root is extremely dangerous and no")
    assert studio.said(brew, "--prefix") == (0, "/opt/homebrew\n", "")
    assert studio.said(brew, "--version", user=NOBODY).out.startswith("Homebrew ")
    assert studio.said(brew, "install", "wget", user=NOBODY).code == 1


def test_private_is_the_same_as_the_root() -> None:
    for name in ("etc", "var", "tmp"):
        assert (TREE / "private" / name).readlink() == Path("..", name)


@pytest.mark.skipif(not Path("/usr/sbin/visudo").exists(), reason="needs visudo")
def test_visudo_accepts_the_macs_sudoers() -> None:
    command = ["/usr/sbin/visudo", "-cf", str(TREE / "etc" / "sudoers")]
    done = subprocess.run(command, capture_output=True, timeout=10, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_every_double_is_executable_and_starts_with_an_interpreter() -> None:
    folders = ("usr/bin", "usr/sbin", "usr/libexec/ApplicationFirewall", "opt/homebrew/bin")
    scripts = [path for folder in folders for path in (TREE / folder).iterdir()]
    assert len(scripts) >= 20
    for script in scripts:
        first = script.read_text(encoding="utf-8").partition("\n")[0]
        assert first in ("#!/bin/sh", "#!/usr/libexec/lab-python -IS"), script
        assert stat.S_IMODE(script.stat().st_mode) & 0o111 == 0o111, script


def test_the_macs_python_says_darwin(studio: SimulatedMac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOSET_LAB_ROOT", str(studio.root))
    shim = runpy.run_path(str(LIBRARY / "shim" / "darwin_shim.py"))
    system = shim["uname"]()
    assert (system.sysname, system.release, system.machine) == ("Darwin", "25.5.0", "arm64")
    assert system.nodename == os.uname().nodename
    monkeypatch.setenv("CLOSET_LAB_ROOT", str(studio.root / "nowhere"))
    assert shim["uname"]() == os.uname()


@pytest.mark.parametrize(
    ("executable", "home", "wanted"),
    [
        ("/usr/bin/python3", "/usr/lib/python3/dist-packages/darwin_shim.py", True),
        ("/usr/bin/python3.11", "/usr/lib/python3/dist-packages/darwin_shim.py", False),
        ("/opt/closet/omlx/1/bin/python", "/usr/lib/python3/dist-packages/darwin_shim.py", False),
        (
            "/Library/Developer/CommandLineTools/usr/bin/python3",
            "/Library/Developer/CommandLineTools/usr/lib/python3.9/site-packages/darwin_shim.py",
            True,
        ),
    ],
)
def test_which_python_says_darwin(executable: str, home: str, wanted: bool) -> None:
    shim = runpy.run_path(str(LIBRARY / "shim" / "darwin_shim.py"))
    assert shim["wanted"](executable, home) is wanted


def test_the_pth_starts_the_shim_in_a_real_interpreter(
    studio: SimulatedMac, tmp_path: Path
) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    for name in ("zz_darwin.pth", "darwin_shim.py"):
        (packages / name).write_bytes((LIBRARY / "shim" / name).read_bytes())
    show = "import platform, sys; print(platform.system(), platform.machine(), sys.platform)"
    pretend = "import sys, site; sys.executable = '/usr/bin/python3'"
    start = f"{pretend}; site.addsitedir({str(packages)!r}); {show}"
    done = subprocess.run(
        [PYTHON, "-c", start],
        env={"PATH": "/usr/bin:/bin", "CLOSET_LAB_ROOT": str(studio.root)},
        capture_output=True,
        timeout=10,
        check=True,
    )
    assert done.stdout.decode() == "Darwin arm64 linux\n"


def test_xattr(studio: SimulatedMac) -> None:
    file = studio.root / "a.plist"
    file.touch()
    mark = "com.apple.quarantine"
    missing = f"xattr: {file}: No such xattr: {mark}\n"
    assert studio.said("usr/bin/xattr", "-p", mark, str(file)) == (1, "", missing)
    assert studio.said("usr/bin/xattr", "-w", mark, "0083;0;Safari;", str(file)) == (0, "", "")
    assert studio.said("usr/bin/xattr", "-p", mark, str(file)) == (0, "0083;0;Safari;\n", "")
    assert studio.said("usr/bin/xattr", "-d", mark, str(file)) == (0, "", "")
    assert studio.said("usr/bin/xattr", "-d", mark, str(file)).code == 1


def test_defaults_reads_a_key_and_says_that_there_is_none(studio: SimulatedMac) -> None:
    domain = "/Library/Preferences/com.apple.loginwindow"
    missing = studio.said("usr/bin/defaults", "read", domain, "autoLoginUser")
    assert missing.code == 1
    assert f"The domain/default pair of ({domain}, autoLoginUser) does not exist" in missing.err
    file = studio.root / f"{domain[1:]}.plist"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(plistlib.dumps({"autoLoginUser": "admin"}))
    assert studio.said("usr/bin/defaults", "read", domain, "autoLoginUser") == (0, "admin\n", "")


@as_root
def test_sfltool_lists_the_daemons_and_which_of_them_were_turned_off(studio: SimulatedMac) -> None:
    folder = studio.root / "Library/LaunchDaemons"
    folder.mkdir(parents=True, exist_ok=True)
    for label in ("a.on", "b.off"):
        (folder / f"{label}.plist").write_bytes(plistlib.dumps({"Label": label}))
    (studio.root / "var/db/closet-lab").mkdir(parents=True, exist_ok=True)
    (studio.root / "var/db/closet-lab/turned-off").write_text("b.off\n")
    listed = studio.said("usr/bin/sfltool", "dumpbtm").out
    found = re.findall(r"Disposition: (\[.*?\]).*\n +Identifier: 16\.(.*)", listed)
    assert found == [
        ("[enabled, allowed, notified]", "a.on"),
        ("[enabled, disallowed, notified]", "b.off"),
    ]
