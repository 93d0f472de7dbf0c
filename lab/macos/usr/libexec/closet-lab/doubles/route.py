"""route(8): `route -n get default`, in the format of a capture; nothing else."""

from __future__ import annotations

import sys

import mac

from doubles.network import default_route


def main(arguments: list[str]) -> int:
    """Answer `[-n] get [-inet|-inet6] default`; every other use is refused."""
    words = [word for word in arguments if word not in ("-n", "-inet", "-inet6")]
    if words not in (["get", "default"], ["get", "0.0.0.0"]):
        mac.fail("the lab only knows: route -n get [-inet6] default")
    route = None if "-inet6" in arguments else default_route()
    if route is None:
        mac.fail("writing to routing socket: not in table")
    gateway, interface = route
    sys.stdout.write(
        "   route to: default\n"
        "destination: default\n"
        "       mask: default\n"
        f"    gateway: {gateway}\n"
        f"  interface: {interface}\n"
        "      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING,GLOBAL>\n"
        " recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire\n"
        "       0         0         0         0         0         0      1500         0 \n"
    )
    return 0
