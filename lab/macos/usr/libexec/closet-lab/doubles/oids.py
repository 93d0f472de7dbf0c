"""The simulated kernel's sysctl tree: names, types, values, and what may be written.

Order and names follow captures of `sysctl hw` on M1, M3 Max and M4 Pro; `hw.model` and
`hw.machine` are masked there: shown when named, left out of `sysctl hw`.
"""

# ruff: noqa: PTH123
# Importing pathlib takes as long as a whole sysctl call.

from __future__ import annotations

import os

import mac

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing these would double what a sysctl call costs
    from collections.abc import Callable

    Value = int | str


class Oid:
    """One leaf. kind: int (32 bit), quad (64 bit), string, timeval (µs), loadavg, swap.

    A plain class, since importing dataclasses takes longer than all else here.
    """

    __slots__ = ("kind", "masked", "read", "writable")

    def __init__(
        self, kind: str, read: Callable[[], Value], writable: bool = False, masked: bool = False
    ) -> None:
        self.kind = kind
        self.read = read
        self.writable = writable
        self.masked = masked


def boot_time() -> int:
    """Return when this Mac's pid 1 started, in microseconds since 1970."""
    with open("/proc/stat", encoding="ascii") as lines:
        booted = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    with open("/proc/1/stat", encoding="utf-8") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    return booted * 1_000_000 + ticks * 1_000_000 // os.sysconf("SC_CLK_TCK")


def tree(facts: dict[str, str]) -> dict[str, Oid]:
    """Return every oid of the Mac that `facts` (mac.env) describes, in the kernel's order."""
    leaves = {**_kern(facts), **_vm(), **_hw(facts), **_machdep(facts), **_iogpu()}
    values = written()
    for name, value in values.items():
        if name in leaves:
            leaves[name] = _fixed(leaves[name].kind, value)
    return leaves


def written() -> dict[str, Value]:
    """Return the values written since boot, by oid.

    kernel.json is one pair on a line as we write it, so the usual case needs no JSON parser,
    which would cost more than all the rest of a sysctl call.
    """
    values: dict[str, Value] = {}
    try:
        with open(mac.path("/run/closet-lab/kernel.json"), encoding="utf-8") as lines:
            for line in lines:
                name, mark, number = line.strip(' \n,"').partition('": ')
                if mark and number.lstrip("-").isdigit():
                    values[name] = int(number)
                elif line.strip() not in ("{", "}", "{}"):
                    return mac.since_boot("kernel")
    except FileNotFoundError:
        pass
    return values


def write(name: str, value: int) -> None:
    """Record `value` for `name` until the next boot."""
    mac.lock("kernel")
    mac.keep_until_reboot("kernel", {**mac.since_boot("kernel"), name: value})


def _fixed(kind: str, value: Value) -> Oid:
    return Oid(kind, lambda: value, writable=True)


def _int(value: int, writable: bool = False) -> Oid:
    return Oid("int", lambda: value, writable)


def _quad(value: int) -> Oid:
    return Oid("quad", lambda: value)


def _text(value: str, masked: bool = False) -> Oid:
    return Oid("string", lambda: value, masked=masked)


def _kern(facts: dict[str, str]) -> dict[str, Oid]:
    with open("/proc/sys/kernel/hostname", encoding="utf-8") as file:
        host = file.read().strip()
    return {
        "kern.ostype": _text("Darwin"),
        "kern.osrelease": _text(facts["DARWIN"]),
        "kern.osrevision": _int(199506),
        "kern.version": _text(facts["KERNEL_VERSION"]),
        "kern.maxvnodes": _int(263168, writable=True),
        "kern.maxproc": _int(12000, writable=True),
        "kern.maxfiles": _int(491520, writable=True),
        "kern.argmax": _int(1048576),
        "kern.securelevel": _int(0),
        "kern.hostname": _text(host),
        "kern.hostid": _int(0),
        "kern.ngroups": _int(16),
        "kern.job_control": _int(1),
        "kern.saved_ids": _int(1),
        "kern.boottime": Oid("timeval", boot_time),
        "kern.maxfilesperproc": _int(245760, writable=True),
        "kern.maxprocperuid": _int(8000, writable=True),
        "kern.ipc.somaxconn": _int(128, writable=True),
        "kern.osversion": _text(facts["BUILD"]),
        "kern.osproductversion": _text(facts["MACOS"]),
    }


def _vm() -> dict[str, Oid]:
    return {"vm.loadavg": Oid("loadavg", _load), "vm.swapusage": Oid("swap", lambda: 0)}


def _load() -> str:
    with open("/proc/loadavg", encoding="ascii") as file:
        return " ".join(file.read().split()[:3])


def _hw(facts: dict[str, str]) -> dict[str, Oid]:
    cores, memory = int(facts["CORES"]), int(facts["MEMORY_GB"]) << 30
    fast, slow = int(facts["PERFORMANCE_CORES"]), int(facts["EFFICIENCY_CORES"])
    fast_name = "Super" if facts["CHIP"].startswith("Apple M5") else "Performance"
    leaves = {
        "hw.ncpu": _int(cores),
        "hw.byteorder": _int(1234),
        "hw.memsize": _quad(memory),
        "hw.activecpu": _int(cores),
        "hw.optional.arm64": _int(1),
        "hw.optional.floatingpoint": _int(1),
        "hw.optional.neon": _int(1),
        "hw.optional.AdvSIMD": _int(1),
    }
    for level, count, name in ((0, fast, fast_name), (1, slow, "Efficiency")):
        for key in ("physicalcpu", "physicalcpu_max", "logicalcpu", "logicalcpu_max"):
            leaves[f"hw.perflevel{level}.{key}"] = _int(count)
        leaves[f"hw.perflevel{level}.name"] = _text(name)
    for key in ("physicalcpu", "physicalcpu_max", "logicalcpu", "logicalcpu_max"):
        leaves[f"hw.{key}"] = _int(cores)
    return {
        **leaves,
        "hw.cputype": _int(16777228),
        "hw.cpusubtype": _int(2),
        "hw.cpu64bit_capable": _int(1),
        "hw.pagesize": _quad(16384),
        "hw.pagesize32": _quad(16384),
        "hw.cachelinesize": _quad(128),
        "hw.l1icachesize": _quad(131072),
        "hw.l1dcachesize": _quad(65536),
        "hw.l2cachesize": _quad(4194304),
        "hw.tbfrequency": _quad(24000000),
        "hw.packages": _int(1),
        "hw.osenvironment": _text(""),
        "hw.ephemeral_storage": _int(0),
        "hw.use_recovery_securityd": _int(0),
        "hw.use_kernelmanagerd": _int(1),
        "hw.serialdebugmode": _int(0),
        "hw.nperflevels": _int(2),
        "hw.model": _text(facts["MODEL"], masked=True),
        "hw.machine": _text("arm64", masked=True),
    }


def _machdep(facts: dict[str, str]) -> dict[str, Oid]:
    cores = int(facts["CORES"])
    return {
        "machdep.cpu.cores_per_package": _int(cores),
        "machdep.cpu.core_count": _int(cores),
        "machdep.cpu.logical_per_package": _int(cores),
        "machdep.cpu.thread_count": _int(cores),
        "machdep.cpu.brand_string": _text(facts["CHIP"]),
    }


def _iogpu() -> dict[str, Oid]:
    """All 0 at boot except dynamic_lwm: 0 means the system's own limit, not "no limit"."""
    return {
        "iogpu.wired_lwm_mb": _int(0, writable=True),
        "iogpu.dynamic_lwm": _int(1, writable=True),
        "iogpu.wired_limit_mb": _int(0, writable=True),
        "iogpu.debug_flags": _int(0, writable=True),
    }
