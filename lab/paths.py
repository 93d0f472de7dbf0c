"""Where the lab keeps things: the checkout it came from, what it caches, what it runs on."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
"""The checkout this lab belongs to."""

STATE = Path("/var/lib/closet-lab")
"""Everything of a running lab: keys, upper layers, logs. Removed by `lab down`.

One fixed place, since inventories/lab names the ssh key and the known hosts in it.
"""

KEY = STATE / "ssh" / "id_ed25519"
KNOWN_HOSTS = STATE / "ssh" / "known_hosts"
HOSTS = STATE / "hosts"
"""One folder per Mac: its upper layer, what overlayfs works with, and its console."""

INVENTORY = CHECKOUT / "inventories" / "lab"
"""The default inventory, the only place that knows the lab's hosts."""


def cache() -> Path:
    """Return the folder for what is downloaded or built once, outside the checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "closet.inference"
