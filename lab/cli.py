"""The words people type at the lab: build, up, down, save, status, reboot, power-cut, roam …"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from lab import control, disk, host, image, network, roaming, saved, state
from lab.find import LabError, away_addresses, expect_ssh, find, running_lan
from lab.host import Process
from lab.hub.models import build as build_models
from lab.inventory import InventoryError, Lan, Machine, read
from lab.linux import disk as linux
from lab.parts import gobuild
from lab.parts.cache import PartsError
from lab.parts.fetch import fetch as fetch_parts
from lab.paths import CHECKOUT, INVENTORY, STATE, cache

NEEDED = {
    "bzip2": "bzip2",
    "ip": "iproute2",
    "unshare": "util-linux",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "sudo": "sudo",
    "zsh": "zsh",
}
"""Programs of this machine that the lab runs on, and the Debian package of each."""

HUB_PORTS = (8080, 8081, 8082, 8083)


def main(argv: Sequence[str]) -> int:
    """Run one command; returns the process' exit code."""
    arguments = _parser().parse_args(argv)
    try:
        _check_machine()
        if arguments.command in (status, shell, control.words):
            return int(arguments.command(arguments))
        with state.locked():
            arguments.command(arguments)
            return 0
    except (
        LabError,
        InventoryError,
        PartsError,
        image.ImageError,
        network.NetworkError,
        RuntimeError,
    ) as err:
        print(f"lab: {err}", file=sys.stderr)
        return 1


def up(arguments: argparse.Namespace) -> None:
    """Bring the LAN up, or switch on what is off of a LAN that is up."""
    folder = Path(arguments.inventory).resolve()
    lan = read(folder)
    running = state.load()
    if running is not None and not _is_alive(running):
        print(
            "The last lab ended without `lab down`, as when this machine restarts: starting anew."
        )
        _remove_everything(running)
        running = None
    if running is not None:
        _check_same_lab(running, folder)
        _switch_on(running, lan)
        return
    _check_free(lan)
    layer = _built()
    started = time.monotonic()
    STATE.mkdir(mode=0o755, exist_ok=True)
    try:
        running = _build(lan, folder, layer, arguments.saved)
    except BaseException:
        _remove_everything(state.load())
        raise
    print(f"The lab is up: {len(lan.machines)} machines in {time.monotonic() - started:.1f} s.")
    if lan.control is not None and running.control is None:
        print(f"It has no tailnet: {gobuild.why_not()}.")
    _table(running, lan)


def build(_: argparse.Namespace) -> None:
    """Fetch and build what a lab is made of, and bring nothing up."""
    _built()
    print(f"tailnet: {gobuild.build(cache())}")


def down(_: argparse.Namespace) -> None:
    """Take the lab down; nothing of it stays."""
    running = state.load()
    if running is not None and running.checkout != str(CHECKOUT) and _is_alive(running):
        raise LabError(f"the lab that is up belongs to {running.checkout}: take it down there")
    was_up = running is not None or STATE.exists()
    _remove_everything(running)
    print("The lab is down." if was_up else "The lab was not up.")


def status(_: argparse.Namespace) -> int:
    """Print what is up; exit code 3 when nothing is."""
    running = state.load()
    if running is None:
        print("The lab is down. `make lab` brings it up.")
        return 3
    _table(running, read(Path(running.inventory)))
    return 0


def reboot(arguments: argparse.Namespace) -> None:
    """Restart one Mac in an orderly way."""
    running, mac = find(arguments.host)
    started = time.monotonic()
    host.reboot(running.machines[mac.name])
    expect_ssh([mac], away_addresses(running))
    print(f"{mac.name} restarted in {time.monotonic() - started:.1f} s.")


def power_cut(arguments: argparse.Namespace) -> None:
    """Cut one Mac's power; it comes back at once unless --off says otherwise."""
    running, mac = find(arguments.host)
    lan = read(Path(running.inventory))
    network.unplug(lan, mac.name)
    host.cut_power(running.machines[mac.name])
    network.plug(lan, mac.name, away=mac.name in running.away)
    if arguments.off:
        print(f"{mac.name} lost its power and is off; `lab up` switches it on.")
        return
    _power_on_all(running, [mac])
    print(f"{mac.name} lost its power and is up again.")


def shell(arguments: argparse.Namespace) -> int:
    """Open a shell (or run a command) on one Mac, by ssh as its admin user."""
    running, mac = find(arguments.host)
    away = away_addresses(running).get(mac.name)
    return subprocess.run(host.ssh_argv(mac, away, *arguments.words), check=False).returncode


def _built() -> Path:
    """Everything that is made once and cached; returns the Mac layer."""
    fetch_parts(cache())
    build_models(cache())
    return image.ensure()


def save(arguments: argparse.Namespace) -> None:
    """Switch every machine off and keep all disks and keys in a folder, for `lab up --saved`."""
    running, lan = running_lan()
    for server in filter(None, (running.hub, running.control)):
        host.cut_power(server)
    state.save(replace(running, hub=None, control=None))
    saved.save(running, lan, Path(arguments.folder))
    print(f"The LAN is in {arguments.folder}, and its machines are off; `lab up` switches them on.")


def _build(lan: Lan, folder: Path, layer: Path, saved_in: str | None) -> state.Running:
    network.build(lan)
    if saved_in:
        saved.restore(lan, folder, Path(saved_in))
    else:
        disk.make_keys()
        control.prepare(lan)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda mac: disk.write_disk(mac, lan), lan.macs))
            list(pool.map(lambda laptop: linux.write_disk(laptop, lan), lan.linux))
    disk.write_known_hosts(lan.machines)
    machines = {mac.name: host.power_on(mac, layer) for mac in lan.machines}
    running = state.Running(
        checkout=str(CHECKOUT),
        inventory=str(folder),
        layer=str(layer),
        machines=machines,
        hub=_start_hub(lan),
    )
    state.save(running)
    running = _with_control(running, lan)
    expect_ssh(lan.machines, {})
    _expect_hub(lan)
    return running


def _start_hub(lan: Lan) -> Process:
    argv = [
        *("ip", "netns", "exec", network.namespace("hub")),
        *(sys.executable, "-m", "lab.hub.server"),
        *("--bind", lan.hub, "--cache", str(cache()), "--log", str(STATE / "hub.jsonl")),
    ]
    with (STATE / "hub.log").open("ab") as log:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=CHECKOUT,
            start_new_session=True,
        )
    return Process.of(process.pid)


def _with_control(running: state.Running, lan: Lan) -> state.Running:
    """Start the control server, where its program is there and it does not run."""
    is_up = running.control is not None and running.control.alive
    if is_up or lan.control is None or gobuild.built(cache()) is None:
        return running
    running = replace(running, control=control.start(lan))
    state.save(running)
    return running


def _switch_on(running: state.Running, lan: Lan) -> None:
    off = [mac for mac in lan.machines if not running.machines[mac.name].alive]
    if running.hub is None or not running.hub.alive:
        running = replace(running, hub=_start_hub(lan))
        state.save(running)
    running = _with_control(running, lan)
    if off:
        running = _power_on_all(running, off)
        print(f"Switched on: {', '.join(mac.name for mac in off)}.")
    else:
        print("The lab is up already.")
    _table(running, lan)


def _power_on_all(running: state.Running, macs: Sequence[Machine]) -> state.Running:
    machines = dict(running.machines)
    for mac in macs:
        machines[mac.name] = host.power_on(mac, Path(running.layer))
    running = replace(running, machines=machines)
    state.save(running)
    expect_ssh(macs, away_addresses(running))
    return running


def _expect_hub(lan: Lan) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if all(host.answers(lan.hub, port) for port in HUB_PORTS):
            return
        time.sleep(0.05)
    tail = "\n".join((STATE / "hub.log").read_text(errors="replace").splitlines()[-10:])
    raise LabError(f"the model hub did not come up within 15 s. Its log says:\n{tail}")


def _remove_everything(running: state.Running | None) -> None:
    known = [] if running is None else [*running.machines.values(), running.hub, running.control]
    for machine in filter(None, [*known, *host.strays()]):
        if machine.alive:
            host.cut_power(machine)
    network.remove()
    shutil.rmtree(STATE, ignore_errors=True)
    state.LOCK.unlink(missing_ok=True)


def _table(running: state.Running, lan: Lan) -> None:
    away = away_addresses(running)
    for mac in lan.machines:
        machine = running.machines.get(mac.name)
        up_now = machine is not None and machine.alive
        elsewhere = away.get(mac.name)
        ssh = "ssh answers" if up_now and host.greets(mac, elsewhere) else "no ssh"
        ssh += ", away" if elsewhere else ""
        where = elsewhere or mac.address
        print(f"  {mac.name:<8} {where:<14} {mac.title}: {ssh if up_now else 'off'}")
    hub = "serves" if running.hub is not None and running.hub.alive else "is down"
    ports = "models on :8080 (big files :8082), packages on :8081, tools on :8083"
    print(f"  {'hub':<8} {lan.hub:<14} {hub} {ports}")
    if lan.control is not None:
        answers = "answers" if running.control is not None and running.control.alive else "is down"
        print(f"  {'control':<8} {lan.control:<14} the tailnet's control server {answers}")


def _check_machine() -> None:
    if platform.system() != "Linux":
        raise LabError(
            "the lab simulates Macs with Linux namespaces, so it needs Linux; on this machine "
            "provision real Macs instead: cp -r inventories/example inventories/home && "
            "ansible-playbook -i inventories/home site.yml"
        )
    if platform.machine() != "x86_64":
        raise LabError(
            f"the lab's omlx and opencode are locked for x86-64, and this is {platform.machine()}"
        )
    if os.geteuid() != 0:
        raise LabError("the lab makes network and mount namespaces: run it as root")
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = sorted({NEEDED[name] for name in NEEDED if shutil.which(name, path=path) is None})
    if missing:
        raise LabError(f"this machine lacks {', '.join(missing)}: run `make packages`")


def _check_same_lab(running: state.Running, folder: Path) -> None:
    if running.checkout != str(CHECKOUT):
        raise LabError(f"a lab of another checkout is up ({running.checkout}): take it down there")
    if running.inventory != str(folder):
        raise LabError(f"a lab of {running.inventory} is up: `lab down` first")


def _check_free(lan: Lan) -> None:
    if network.leftovers():
        network.remove()
    taken = network.route_taken(lan)
    if taken is not None:
        raise LabError(f"{lan.network} is already reached through {taken} on this machine")


def _is_alive(running: state.Running) -> bool:
    known = [*running.machines.values(), running.hub]
    return any(machine.alive for machine in filter(None, known))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("up", help=up.__doc__)
    command.add_argument("--inventory", default=str(INVENTORY), help="folder with a hosts.yml")
    command.add_argument("--saved", metavar="FOLDER", help="start from what `lab save` kept there")
    command.set_defaults(command=up)
    for name, function in (("build", build), ("down", down), ("status", status)):
        commands.add_parser(name, help=function.__doc__).set_defaults(command=function)
    command = commands.add_parser("save", help=save.__doc__)
    command.add_argument("folder", help="a folder that does not exist yet")
    command.set_defaults(command=save)
    command = commands.add_parser("reboot", help=reboot.__doc__)
    command.add_argument("host")
    command.set_defaults(command=reboot)
    command = commands.add_parser("power-cut", help=power_cut.__doc__)
    command.add_argument("host")
    command.add_argument("--off", action="store_true", help="leave it without power")
    command.set_defaults(command=power_cut)
    roaming.add_words(commands)
    control.add_words(commands)
    command = commands.add_parser("shell", help=shell.__doc__)
    command.add_argument("host")
    command.add_argument("words", nargs="*", help="a command to run instead of a shell")
    command.set_defaults(command=shell)
    return parser
