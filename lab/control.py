"""The lab's control server and relay: headscale, on the host `control`.

Its own command line is `lab control WORDS…`. State, keys and certificates are in one folder of the
lab; `lab down` removes it.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from lab import certificates, state
from lab.find import LabError, running_lan
from lab.host import Process, cut_power
from lab.inventory import Lan
from lab.network import namespace
from lab.parts import gobuild
from lab.paths import STATE, cache

FOLDER = STATE / "control"
CONFIG, SOCKET, LOG = FOLDER / "config.yaml", FOLDER / "headscale.sock", FOLDER / "headscale.log"
AUTHORITY = FOLDER / "ca.pem"
NAME = "control.test"
#: a name of the same server that its certificate does not have
IMPOSTOR = "impostor.test"
BASE_DOMAIN = "tailnet.test"
USER = "owner"
TRUSTED, UNTRUSTED = "ca", "stranger"
START_LIMIT_S = 60


def prepare(lan: Lan) -> None:
    """Make what the Macs have to know before they are switched on: whom to trust."""
    if lan.control is None:
        return
    FOLDER.mkdir(mode=0o700)
    for authority in (TRUSTED, UNTRUSTED):
        certificates.make(FOLDER, [NAME], lan.control, authority)


def settings(address: str, folder: Path, authority: str = TRUSTED) -> dict[str, Any]:
    """What headscale reads: nothing outside of the lab, policy in its database."""
    relay = {
        "enabled": True,
        "region_id": 901,
        "region_code": "lab",
        "region_name": "The lab's own relay",
        "verify_clients": True,
        "stun_listen_addr": f"{address}:3478",
        "private_key_path": str(folder / "derp.key"),
        "automatically_add_embedded_derp_region": True,
        "ipv4": address,
    }
    return {
        "server_url": f"https://{NAME}",
        "listen_addr": f"{address}:443",
        "metrics_listen_addr": "127.0.0.1:9090",
        "grpc_listen_addr": "127.0.0.1:50443",
        "tls_cert_path": str(folder / f"{authority}.crt"),
        "tls_key_path": str(folder / f"{authority}.key"),
        "noise": {"private_key_path": str(folder / "noise.key")},
        "prefixes": {
            "v4": "100.64.0.0/10",
            "v6": "fd7a:115c:a1e0::/48",
            "allocation": "sequential",
        },
        "derp": {"server": relay, "urls": [], "paths": [], "auto_update_enabled": False},
        "disable_check_updates": True,
        "database": {"type": "sqlite", "sqlite": {"path": str(folder / "headscale.sqlite")}},
        "policy": {"mode": "database"},
        "dns": {
            "magic_dns": True,
            "base_domain": BASE_DOMAIN,
            "override_local_dns": False,
            "nameservers": {"global": []},
        },
        "unix_socket": str(folder / SOCKET.name),
        "unix_socket_permission": "0700",
        "logtail": {"enabled": False},
        "log": {"level": "info", "format": "text"},
    }


def start(lan: Lan, authority: str = TRUSTED) -> Process:
    """Start the server and wait until it answers."""
    if lan.control is None:
        raise LabError("this inventory has no lab_control, so there is no control server")
    CONFIG.write_text(yaml.safe_dump(settings(lan.control, FOLDER, authority), sort_keys=False))
    SOCKET.unlink(missing_ok=True)
    argv = ["ip", "netns", "exec", namespace("control"), *_argv("serve")]
    with LOG.open("ab") as log:
        server = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=FOLDER,
            start_new_session=True,
        )
    process = Process.of(server.pid)
    _wait_until_it_answers(process)
    return process


def words(arguments: argparse.Namespace) -> int:
    """Start or stop the control server, or run headscale's own command line against it."""
    said = list(arguments.words)
    if said[:1] not in (["start"], ["stop"]):
        running_lan()
        return subprocess.run(_argv(*said), check=False).returncode
    with state.locked():
        running, lan = running_lan()
        if running.control is not None and running.control.alive:
            # as a power cut does it; the database outlives it
            cut_power(running.control)
        started = None
        if said[0] == "start":
            started = start(lan, UNTRUSTED if "--untrusted" in said else TRUSTED)
        state.save(replace(running, control=started))
    print(f"The control server {'answers' if started else 'is down'}.")
    return 0


def add_words(commands: Any) -> None:
    """Teach the command line the words of this room."""
    command = commands.add_parser("control", help=words.__doc__)
    about = "start [--untrusted], stop, or words of headscale"
    command.add_argument("words", nargs=argparse.REMAINDER, metavar="WORDS", help=about)
    command.set_defaults(command=words)


def _argv(*words: str) -> list[str]:
    folder = gobuild.built(cache())
    if folder is None:
        raise LabError(gobuild.why_not())
    return [str(folder / "headscale"), "--config", str(CONFIG), *words]


def _wait_until_it_answers(process: Process) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.alive:
        if SOCKET.exists():
            # also makes the user that keys without a tag belong to, and takes its being there
            users = subprocess.run(
                _argv("users", "create", USER), check=False, capture_output=True, text=True
            )
            said = users.stdout + users.stderr
            if users.returncode == 0 or "already exists" in said or "UNIQUE" in said:
                return
        time.sleep(0.1)
    tail = "\n".join(LOG.read_text(errors="replace").splitlines()[-10:])
    raise LabError(f"headscale did not come up within {START_LIMIT_S} s. Its log says:\n{tail}")
