"""sysctl's double: streams, exit codes, what may be written, what a reboot forgets."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import time

import pytest

from tests.unit.lab.simulated_mac import NOBODY, PYTHON, TREE, SimulatedMac

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes files as root and as nobody")
SYSCTL = "usr/sbin/sysctl"
LIMIT = "iogpu.wired_limit_mb"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hw.memsize",), (0, "hw.memsize: 137438953472\n", "")),
        (("-n", "hw.memsize"), (0, "137438953472\n", "")),
        (("-e", "hw.ncpu"), (0, "hw.ncpu=16\n", "")),
        (("-N", "hw.ncpu"), (0, "hw.ncpu\n", "")),
        (("hw.model",), (0, "hw.model: Mac16,9\n", "")),
        ((LIMIT,), (0, f"{LIMIT}: 0\n", "")),
        (("-n", "iogpu.wired_lwm_mb"), (0, "0\n", "")),
        (("-n", "machdep.cpu.brand_string"), (0, "Apple M4 Max\n", "")),
        (("no.such.oid",), (1, "", "sysctl: unknown oid 'no.such.oid'\n")),
        (("-q", "no.such.oid"), (1, "", "")),
        (("-i", "no.such.oid"), (0, "", "")),
        (
            ("a.b", "hw.ncpu", "c.d", "-n"),
            (
                3,
                "hw.ncpu: 16\n",
                "sysctl: unknown oid 'a.b'\nsysctl: unknown oid 'c.d'\nsysctl: unknown oid '-n'\n",
            ),
        ),
        (("hw.memsize=1",), (1, "", "sysctl: oid 'hw.memsize' is read only\n")),
        (("hw=1",), (1, "", "sysctl: oid 'hw' isn't a leaf node\n")),
        ((f"{LIMIT}=abc",), (1, "", "sysctl: invalid integer 'abc'\n")),
        ((f"{LIMIT}=",), (1, "", "sysctl: empty numeric value\n")),
        (("-w", f"{LIMIT}=1.5"), (1, "", "sysctl: invalid integer '1.5'\n")),
    ],
)
def test_sysctl(studio: SimulatedMac, arguments: tuple[str, ...], said: object) -> None:
    assert studio.said(SYSCTL, *arguments) == said


def test_sysctl_has_no_reload(studio: SimulatedMac) -> None:
    said = studio.said(SYSCTL, "-p")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("usage: sysctl ")


def test_sysctl_hides_masked_names_from_their_family(studio: SimulatedMac) -> None:
    assert "hw.model" not in studio.said(SYSCTL, "hw").out
    assert "hw.perflevel0.physicalcpu: 12\n" in studio.said(SYSCTL, "hw").out
    assert studio.said(SYSCTL, "-a").out.count("\nhw.memsize: ") == 1


@as_root
def test_a_written_limit_stays_until_the_next_boot(studio: SimulatedMac) -> None:
    assert studio.said(SYSCTL, f"{LIMIT}=98304") == (0, f"{LIMIT}: 0 -> 98304\n", "")
    assert studio.said(SYSCTL, "-n", LIMIT) == (0, "98304\n", "")
    assert studio.said(SYSCTL, "-w", f"{LIMIT}=0x10") == (0, f"{LIMIT}: 98304 -> 16\n", "")
    (studio.root / "run/closet-lab/kernel.json").unlink()
    assert studio.said(SYSCTL, "-n", LIMIT) == (0, "0\n", "")


@as_root
def test_kernel_json_in_any_shape_is_read(studio: SimulatedMac) -> None:
    (studio.root / "run/closet-lab/kernel.json").write_text(json.dumps({LIMIT: 7, "hw.ncpu": 9}))
    assert studio.said(SYSCTL, "-n", LIMIT) == (0, "7\n", "")


@as_root
def test_only_root_may_write_the_limit(studio: SimulatedMac) -> None:
    refused = f"sysctl: {LIMIT}=1: Operation not permitted\n"
    assert studio.said(SYSCTL, f"{LIMIT}=1", user=NOBODY) == (1, f"{LIMIT}: 0\n", refused)
    assert studio.said(SYSCTL, "-n", LIMIT, user=NOBODY) == (0, "0\n", "")


@as_root
def test_writers_at_the_same_time_lose_nothing(studio: SimulatedMac) -> None:
    script = str(studio.root / SYSCTL)
    names = ["kern.maxfiles", "kern.maxfilesperproc", "kern.maxproc", "kern.maxvnodes", LIMIT]
    running = [
        subprocess.Popen(
            [PYTHON, "-IS", script, f"{name}=4711"],
            env={"CLOSET_LAB_ROOT": str(studio.root)},
            stdout=subprocess.DEVNULL,
        )
        for name in names
    ]
    assert [process.wait(timeout=20) for process in running] == [0] * len(names)
    state = json.loads((studio.root / "run/closet-lab/kernel.json").read_text())
    assert state == dict.fromkeys(names, 4711)


@as_root
def test_sysctl_reads_a_file(studio: SimulatedMac) -> None:
    settings = studio.root / "settings"
    settings.write_text(f"# limits\n{LIMIT} = 5\nhw.memsize=1\n")
    assert studio.said(SYSCTL, "-f", str(settings)) == (
        1,
        f"{LIMIT}: 0 -> 5\n",
        "sysctl: oid 'hw.memsize' is read only at line 3\n",
    )


def test_boottime_is_a_date_and_two_longs(studio: SimulatedMac) -> None:
    done = studio.run(SYSCTL, "-b", "kern.boottime")
    seconds, micro = struct.unpack("<qq", done.stdout)
    text = studio.said(SYSCTL, "-n", "kern.boottime").out
    date = time.asctime(time.gmtime(seconds))
    assert text == f"{{ sec = {seconds}, usec = {micro} }} {date}\n"
    assert 0 < time.time() - seconds < 10 * 365 * 86400


def test_a_mac_does_not_apply_sysctl_conf() -> None:
    files = [path for path in TREE.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in files if b"sysctl.conf" in path.read_bytes()]
