# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one look at a Mac tells, and whether it is a Mac we can work with.

Pure but for the text of the look itself, a POSIX shell command that needs nothing but what every
macOS ships. Facts that could not be read are None, never a guess.
"""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.house.memory import wired_limit_mb

# One `key=value` line per fact; a command that is missing leaves its value empty.
LOOK = r"""
export PATH=/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C
say() { printf '%s=%s\n' "$1" "$2"; }
say look begin
say kernel "$(uname -s 2>/dev/null)"
say machine "$(uname -m 2>/dev/null)"
say macos "$(sw_vers -productVersion 2>/dev/null)"
say sysctl "$(sysctl -n hw.memsize hw.model iogpu.wired_limit_mb 2>/dev/null | tr '\n' ' ')"
say user "$(id -un)"
say group "$(id -gn)"
say home "$HOME"
# the account that serves, when it is another one; look_at() says which
if [ -n "${account:-}" ]; then
  home=$(dscl . -read "/Users/$account" NFSHomeDirectory 2>/dev/null)
  home=${home#NFSHomeDirectory: }
  say account "$(id -u "$account" 2>/dev/null) $(id -gn "$account" 2>/dev/null)"
  [ -d "$home" ] && say account_home "$home"
fi
say sudo "$(sudo -n true >/dev/null 2>&1 && echo yes || echo no)"
say tools "$(xcode-select -p 2>/dev/null)"
say power "$(pmset -g batt 2>/dev/null | tr '\n\t' '  ')"
say filevault "$(fdesetup status 2>/dev/null)"
window=/Library/Preferences/com.apple.loginwindow
say autologin "$(defaults read $window autoLoginUser 2>/dev/null)"
# Background items that somebody turned off; only a closet has ours, and only root is told
[ ! -f /Library/LaunchDaemons/inference.closet.omlx.plist ] || say turned_off "$(
  sudo -n perl -e 'alarm 10; exec @ARGV' sfltool dumpbtm 2>/dev/null |
    awk '/Disposition:/ { how = $0 }
      /Identifier: (16[.])?inference[.]closet[.]/ && how ~ /disallowed/ {
        sub(/.*Identifier: (16[.])?/, ""); printf "%s ", $0 }')"
link=$(route -n get default 2>/dev/null | sed -n 's/.*interface: //p')
say address "$(ipconfig getifaddr "$link" 2>/dev/null)"
say npm "$(PATH=/opt/homebrew/bin:/usr/local/bin:$PATH command -v npm)"
for mark in $(ls -t /opt/closet/*/*/.complete 2>/dev/null); do
  mark=${mark#/opt/closet/} && say installed "${mark%/.complete}"
done
for info in /opt/closet/omlx/*/lib/python3*/site-packages/omlx-[0-9]*.dist-info; do
  [ -d "$info" ] || continue
  version=${info##*/omlx-}
  say version "${info%%/lib/*} ${version%.dist-info}"
done
say serves "$(sed -n 's:^exec \([^ ]*\)/bin/.*:\1:p' /opt/closet/bin/closet-omlx 2>/dev/null)"
say look end
"""


@dataclass(frozen=True)
class Mac:
    """Facts of one host; memory and limits in MiB."""

    kernel: str | None = None
    machine: str | None = None
    macos: str | None = None
    model: str | None = None
    memory_mb: int | None = None
    wired_limit_mb: int | None = None
    user: str | None = None
    group: str | None = None
    home: str | None = None
    account_uid: int | None = None
    """Of the account that serves, when another one than `user` was asked for."""
    account_group: str | None = None
    account_home: str | None = None
    sudo: bool | None = None
    tools: str | None = None
    address: str | None = None
    npm: str | None = None
    battery: bool | None = None
    """Whether it is a laptop; a battery backup does not count."""
    on_battery: bool | None = None
    filevault: bool | None = None
    autologin: str | None = None
    turned_off: tuple[str, ...] = ()
    """Labels of ours that somebody turned off under Login Items & Extensions."""
    installed: tuple[str, ...] = ()
    """Complete installations, the newest first."""
    versions: tuple[tuple[str, str], ...] = ()
    """Version of omlx by environment; a fork of another name has none."""
    serves: str | None = None
    """The environment that omlx is started from."""
    complete: bool = False
    """Whether the look came to its end; without it nothing above is to be trusted."""


def look_at(account: str = "") -> str:
    """The look, which also tells about an account."""
    return f"account={shlex.quote(account)}\n{LOOK}"


def parse(text: str) -> Mac:
    """Read what LOOK printed; lines that are not ours (a banner, a motd) are skipped."""
    values: dict[str, str] = {}
    installed: list[str] = []
    versions: list[tuple[str, str]] = []
    for line in text.splitlines():
        key, _sign, value = line.strip().partition("=")
        if key == "installed":
            installed.append(value)
        elif key == "version":
            environment, _space, version = value.partition(" ")
            versions.append((environment, version))
        elif key == "look" and value == "end":
            values["end"] = "yes"
        else:
            values[key] = value.strip()
    # memory, model and limit come from one sysctl; a Mac without the limit prints two lines
    words = values.get("sysctl", "").split()
    memory = int(words[0]) // (1024 * 1024) if words and words[0].isdigit() else None
    limit = int(words[2]) if len(words) > 2 and words[2].isdigit() else None
    power = values.get("power", "")
    uid, _space, account_group = values.get("account", "").partition(" ")
    return Mac(
        kernel=values.get("kernel") or None,
        machine=values.get("machine") or None,
        macos=values.get("macos") or None,
        model=words[1] if len(words) > 1 else None,
        memory_mb=memory,
        wired_limit_mb=limit,
        user=values.get("user") or None,
        group=values.get("group") or None,
        home=values.get("home") or None,
        account_uid=int(uid) if uid.isdigit() else None,
        account_group=account_group or None,
        account_home=values.get("account_home") or None,
        sudo={"yes": True, "no": False}.get(values.get("sudo", "")),
        tools=values.get("tools") or None,
        address=values.get("address") or None,
        npm=values.get("npm") or None,
        battery="InternalBattery" in power if power else None,
        on_battery="'Battery Power'" in power if power else None,
        filevault={"FileVault is On.": True, "FileVault is Off.": False}.get(
            values.get("filevault", "").partition(".")[0] + "."
        ),
        autologin=values.get("autologin") or None,
        turned_off=tuple(values.get("turned_off", "").split()),
        installed=tuple(installed),
        versions=tuple(versions),
        serves=values.get("serves") or None,
        complete="end" in values,
    )


def plain(facts: Mac) -> dict[str, Any]:
    """Return the facts as values for playbooks."""
    return {
        **asdict(facts),
        "installed": list(facts.installed),
        "turned_off": list(facts.turned_off),
        "versions": dict(facts.versions),
    }


def problems(
    name: str, facts: Mac, minimum_macos: str, has_sudo_password: bool, needs_npm: bool = False
) -> list[str]:
    """Return a sentence for each reason why the host `name` cannot be worked with."""
    if not facts.complete:
        return [f"{name}: the login shell ended before the look did: run `ssh {name}` and see"]
    if facts.kernel != "Darwin":
        return [f"{name} runs {facts.kernel}, not macOS: take it out of the inventory"]
    found = []
    if facts.machine != "arm64":
        found.append(
            f"{name} is not Apple Silicon ({facts.machine}): MLX needs an M-series Mac, "
            "take it out of the inventory"
        )
    if facts.macos is None or _older(facts.macos, minimum_macos):
        found.append(
            f"{name} runs macOS {facts.macos}, the oldest that works is {minimum_macos}: "
            "update it in System Settings > General > Software Update"
        )
    if facts.tools is None:
        found.append(
            f"{name} has no Command Line Tools, so no Python: run `xcode-select --install` on it"
        )
    if facts.sudo is False and not has_sudo_password:
        found.append(
            f"{name}: {facts.user} may not use sudo without a password: run with "
            f"--ask-become-pass, or let it with `sudo visudo -f /etc/sudoers.d/{facts.user}`"
        )
    has_opencode = any(entry.startswith("opencode/") for entry in facts.installed)
    if needs_npm and facts.npm is None and not has_opencode:
        found.append(
            f"{name} has no npm, which fetches opencode: run `brew install node` on it "
            "(Homebrew is at brew.sh)"
        )
    return found


def no_account(name: str, facts: Mac, account: str) -> str | None:
    """Return why the server cannot run as `account`, or None; an empty one is the user's own."""
    told = f"{name}: closet_service_account is '{account}'"
    if not account or not facts.complete:
        return None
    if facts.account_uid is None:
        return (
            f"{told}, and there is no such account. Make one under System Settings > Users & "
            "Groups, of the kind Standard, or leave closet_service_account out"
        )
    if facts.account_uid == 0:
        return f"{told}; what answers the LAN must not be root. Name another account"
    if facts.account_home is None:
        return f"{told}, which has no home folder there: log in as it once, or make the folder"
    return None


def laptop_closet(name: str, facts: Mac, shape: str) -> str | None:
    """Return why a laptop cannot be the closet of this shape, or None."""
    if not facts.battery or shape == "workstation":
        return None
    return (
        f"{name} has a battery, and a closet is a Mac that is always there: this one sleeps when "
        "its lid is closed. Serve from a desktop; or, if it is the Mac that you work on and that "
        f"serves as well, set closet_shape: workstation for {name}"
    )


def remarks(name: str, facts: Mac, on_battery: str) -> list[str]:
    """Return what the owner of a closet should know, though nothing is refused for it."""
    found = []
    if facts.filevault:
        found.append(
            f"{name}: FileVault is on, so nothing of ours starts after a power cut until somebody "
            "unlocks the disk, at the screen or, with macOS 26, by ssh with a password. For a "
            "restart that you plan: sudo fdesetup authrestart. To come back alone it has to be off"
        )
    if facts.autologin:
        found.append(
            f"{name} logs {facts.autologin} in by itself. The server does not need that, and "
            "whoever stands before the Mac is in: System Settings > Users & Groups"
        )
    for label in facts.turned_off:
        found.append(
            f"{name}: {label} was turned off under System Settings > General > Login Items & "
            "Extensions, so launchd will not start it. Turn it on there; nothing else can"
        )
    if facts.on_battery and on_battery != "nothing":
        found.append(
            f"{name} is on its battery, and closet_on_battery is {on_battery}: within a minute "
            "after this run that takes effect again"
        )
    return found


def too_small(name: str, memory_mb: int, profile: str, weights: dict[str, float]) -> str | None:
    """Return why a Mac cannot hold a profile, with the sums, or None when it can.

    `weights` is the memory of each model's weights in 10^9 bytes, by served name.
    """
    room_gb = wired_limit_mb(memory_mb) * 1024 * 1024 / 1e9
    if sum(weights.values()) < room_gb:
        return None
    terms = " + ".join(f"{model} {size:g}" for model, size in weights.items())
    return (
        f"{name}: profile {profile} needs {sum(weights.values()):.1f} GB for its weights "
        f"({terms}), and of its {memory_mb // 1024} GB the GPU may wire {room_gb:.1f}: "
        "set closet_profile to a smaller one (lean, mlx-coding, mlx-knowledge) or make your own"
    )


def unreachable(name: str, address: str, message: str) -> str:
    """Return the sentence for a host that ssh does not reach."""
    reason = message.strip().splitlines()[-1] if message.strip() else "no answer"
    return (
        f"{name} does not answer by ssh at {address} ({reason}): wake it, look at System Settings "
        f"> General > Sharing > Remote Login, then try `ssh {address}`"
    )


def _older(version: str, minimum: str) -> bool:
    return _numbers(version) < _numbers(minimum)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
