# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one script that gathers the facts of a host, in POSIX shell, with what macOS ships alone.

It prints one `key=value` line per fact; a command that is missing leaves its value empty.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.closet.inference.plugins.module_utils import consent, key_holders
from ansible_collections.closet.inference.plugins.module_utils.models.weights import weight_paths
from ansible_collections.closet.inference.plugins.module_utils.opencode import files
from ansible_collections.closet.inference.plugins.plugin_utils.probe import (
    obstacles,
    person,
    rivals,
)

STATE = "/opt/closet/state"
RECORD = f"{STATE}/serving.json"
RUN = "/opt/closet/lock/run.json"

FACTS = r"""
export PATH=/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C
newline='
'
# one line for each fact: a path may hold a line end, and what looks like a fact behind it
say() {
  case $2 in *"$newline"*) set -- "$1" "$(printf %s "$2" | tr '\n' ' ')" ;; esac
  printf '%s=%s\n' "$1" "$2"
}
say probe begin
say kernel "$(uname -s 2>/dev/null)"
say machine "$(uname -m 2>/dev/null)"
say macos "$(sw_vers -productVersion 2>/dev/null)"
say sysctl "$(sysctl -n hw.memsize hw.model iogpu.wired_limit_mb 2>/dev/null | tr '\n' ' ')"
say user "$(id -un)"
say group "$(id -gn)"
say ids "$(id -u) $(id -g)"
say home "$HOME"
say uuid "$(ioreg -rd1 -c IOPlatformExpertDevice 2>/dev/null |
  sed -n 's/.*"IOPlatformUUID" = "\(.*\)".*/\1/p')"
# A home: each link on the way to it, the folder that it lies in, and whether its user can write it.
# Mode and numbers of owner and group as ls has them; stat is another program on each system.
seen() { set -- $(ls "$@" 2>/dev/null); echo "${1:--} ${3:--} ${4:--}"; }
way_to() {
  at=$5
  for hop in 1 2 3 4 5; do
    folder=$(seen -ldnL "${at%/*}/")
    say place "$1 $2 $3 $4 ${folder% *} $(seen -ldn "$at") $at"
    [ -L "$at" ] || break
    next=$(readlink "$at")
    case $next in /*) at=$next ;; *) at=${at%/*}/$next ;; esac
  done
}
way_to "$(id -un)" "$(id -u)" "$(id -g)" "$([ -w "$HOME" ] && echo yes || echo no)" "$HOME"
# Room where modules are unpacked, logs are kept, programs are installed and settings lie
[ -d /opt ] && opt=/opt || opt=/
[ -d "$HOME" ] && at=$HOME || at=/
df -Pk /tmp /var $opt "$at" 2>/dev/null | awk '
  BEGIN { split("/tmp /var /opt home", kept, " ") }
  NR > 1 && match($0, /[0-9]+% +/) {
    count = split(substr($0, 1, RSTART - 1), field, " ")
    printf "room=%s %s %s\n", kept[NR - 1], field[count], substr($0, RSTART + RLENGTH) }'
OBSTACLES
# the account that serves, when it is another one; text() says which
if [ -n "${account:-}" ]; then
  home=$(dscl . -read "/Users/$account" NFSHomeDirectory 2>/dev/null)
  home=${home#NFSHomeDirectory: }
  say account "$(id -u "$account" 2>/dev/null) $(id -gn "$account" 2>/dev/null)"
  say account_gid "$(id -g "$account" 2>/dev/null)"
  [ -d "$home" ] && say account_home "$home"
  [ -z "$home" ] || way_to "$account" "$(id -u "$account" 2>/dev/null)" \
    "$(id -g "$account" 2>/dev/null)" "$(sudo -n true 2>/dev/null || { echo unknown; exit; }
      sudo -n test -w "$home" && echo yes || echo no)" "$home"
  [ -z "$home" ] || (cd / && sudo -n -H -u "$account" /bin/sh -c QUOTED 2>/dev/null |
    sed 's/^obstacle=/account_obstacle=/')
fi
say sudo "$(sudo -n true >/dev/null 2>&1 && echo yes || echo no)"
say tools "$(xcode-select -p 2>/dev/null)"
say power "$(pmset -g batt 2>/dev/null | tr '\n\t' '  ')"
link=$(route -n get default 2>/dev/null | sed -n 's/.*interface: //p')
say address "$(ipconfig getifaddr "$link" 2>/dev/null)"
for mark in $(ls -t /opt/closet/*/*/.complete 2>/dev/null); do
  mark=${mark#/opt/closet/} && say installed "${mark%/.complete}"
done
modes=$(ls -ldn CONSENT CONSENT/lan.json 2>/dev/null | awk '{print $1, $3}' | tr '\n' ' ')
say consent_modes "$modes"
say consent "$(head -n 1 CONSENT/lan.json 2>/dev/null)"
say firewall "$(ls /opt/closet/firewall 2>/dev/null | tr '\n' ' ')"
mine=$HOME/.config/closet
say mcp "$(ls "$mine/mcp.sh" "$mine/merged/claude.json" "$mine/merged/vscode-mcp.json" \
  "$mine"/secrets/* 2>/dev/null | sed 's:.*/::' | tr '\n' ' ')"
# what a person has configured for opencode, or has where our own file belongs
# (opencode itself makes one with nothing but its schema)
empty() {
  [ -f "$1" ] && [ "$(tr -d ' \n' 2>/dev/null <"$1" | head -c 99)" = \
    '{"$schema":"https://opencode.ai/config.json"}' ]
}
for file in THEIRS; do
  [ ! -e "$HOME/$file" ] || empty "$HOME/$file" || say opencode "$file"
done
[ ! -s "$HOME/OURS" ] || head -n 1 "$HOME/OURS" | grep -qF 'MARK' || say opencode OURS
# A laptop may run Linux, where python3 is no stub and dpkg says what programs are built for
if [ "$(uname -s)" = Linux ]; then
  say uuid "$(cat /etc/machine-id 2>/dev/null)"
  say distribution "$(. /etc/os-release 2>/dev/null; printf %s "$ID")"
  say system "$(. /etc/os-release 2>/dev/null; printf %s "$PRETTY_NAME")"
  say architecture "$(dpkg --print-architecture 2>/dev/null)"
  say avx2 "$(grep -qw avx2 /proc/cpuinfo && echo yes || echo no)"
  version='import sys; print("%d.%d" % sys.version_info[:2])'
  say python "$(/usr/bin/python3 -c "$version" 2>/dev/null)"
  say has_sudo "$(command -v sudo >/dev/null && echo yes || echo no)"
  say address "$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')"
fi
# the address that ssh came in at: client and its port, then ours
say reached_at "$(printf '%s\n' "${SSH_CONNECTION:-}" | awk '{print $3}')"
say tailscale "$(
  [ -d /Applications/Tailscale.app ] && printf 'app '
  [ -x /opt/closet/bin/closet-tailscaled ] && printf 'ours '
  for label in com.tailscale.tailscaled homebrew.mxcl.tailscale; do
    [ -f "/Library/LaunchDaemons/$label.plist" ] && printf '%s ' "$label"
  done)"
"""
FACTS = FACTS.replace("OBSTACLES", obstacles.SHELL.strip())
FACTS = FACTS.replace("QUOTED", shlex.quote(obstacles.SHELL))
FACTS = FACTS.replace("CONSENT", consent.FOLDER).replace("THEIRS", " ".join(files.THEIRS))
FACTS = FACTS.replace("OURS", files.OURS).replace("MARK", files.MARK)
# The process of a job: the first state and the last pid that stand one tab deep. Between them are
# arguments and variables, whose lines can look like either.
PID = r"""
/^\tstate = / && state == "" { state = $0 }
/^\tpid = [0-9]+$/ { pid = $3 }
END { if (state != "\tstate = not running") print pid }"""
# What launchd has of ours, loaded or with a plist; only root is told of those that are loaded.
# Who listens on the port, and which processes launchd runs for us: pid, parent, grandparent.
CLOSET = r"""
say filevault "$(fdesetup status 2>/dev/null)"
window=/Library/Preferences/com.apple.loginwindow
say autologin "$(defaults read $window autoLoginUser 2>/dev/null)"
# Background items that are turned off; only a closet has ours, and only root is told
[ ! -f /Library/LaunchDaemons/inference.closet.wired-memory.plist ] || say turned_off "$(
  sudo -n perl -e 'alarm 10; exec @ARGV' sfltool dumpbtm 2>/dev/null |
    awk '/Disposition:/ { how = $0 }
      /Identifier: (16[.])?inference[.]closet[.]/ && how ~ /disallowed/ {
        sub(/.*Identifier: (16[.])?/, ""); printf "%s ", $0 }')"
for info in /opt/closet/omlx/*/lib/python3*/site-packages/omlx-[0-9]*.dist-info; do
  [ -d "$info" ] || continue
  version=${info##*/omlx-}
  say version "${info%%/lib/*} ${version%.dist-info}"
done
for job in /Library/LaunchDaemons/inference.closet.*.plist; do
  [ -f "$job" ] || continue
  name=$(printf '%s' "${job##*/inference.closet.}" | sed 's/[.]plist$//' | tr - _)
  from=$(sed -n "s:.*\(/opt/closet/$name/[^/<]*\)/.*:\1:p" "$job" 2>/dev/null | head -n 1)
  [ -z "$from" ] || say served_from "$name $from"
done
say addresses "$(ifconfig -a 2>/dev/null | sed -n 's/.*inet \([0-9.]*\).*/\1/p' | tr '\n' ' ')"
listed=$(sudo -n launchctl list 2>/dev/null) && say jobs "told $(
  { printf '%s\n' "$listed" | awk '{ print $3 }'
    for job in /Library/LaunchDaemons/inference.closet.*.plist; do
      [ ! -f "$job" ] || { job=${job##*/}; echo "${job%.plist}"; }
    done
  } | grep '^inference[.]closet[.]' | sort -u | tr '\n' ' ')"
say run "$(cat RUN 2>/dev/null)"
say record "$(tr -d '\n' 2>/dev/null <RECORD)"
say holders "$(tr -d '\n' 2>/dev/null <HOLDERS)"
say state_modes "$(ls -ldn /opt/closet STATE RECORD HOLDERS 2>/dev/null |
  awk '{ print substr($1, 1, 10), $3, $4 }' | sort | tr '\n' ' ')"
parent() { ps -o ppid= -p "$1" 2>/dev/null | tr -d ' '; }
pids=$(sudo -n lsof -nP -t -iTCP:PORT -sTCP:LISTEN 2>/dev/null ||
       lsof -nP -t -iTCP:PORT -sTCP:LISTEN 2>/dev/null)
for pid in $pids; do
  up=$(parent "$pid")
  say listener "$pid ${up:-0} $(parent "${up:-0}") $(ps -o comm= -p "$pid" 2>/dev/null)"
done
for job in /Library/LaunchDaemons/inference.closet.*.plist; do
  [ -f "$job" ] || continue
  job=${job##*/}
  say ours "$(launchctl print "system/${job%.plist}" 2>/dev/null | awk 'PID')"
done
if sudo -n true >/dev/null 2>&1; then
  told=$(sudo -n visudo -c 2>&1 >/dev/null) || say sudoers "$(printf '%s' "$told" | head -n 1)"
fi
[ ! -e /etc/sysctl.conf ] || [ -f /etc/sysctl.conf ] || say sysctl_conf "no file"
RIVALS"""
CLOSET = CLOSET.replace("RIVALS", rivals.SHELL.strip() + "\n")
# One curl for all repositories whose size the record does not hold; nothing is asked twice.
HUB = r"""
set -f
urls=
ask() { grep -qsF "\"$1\"" RECORD || urls="$urls $2"; }
ASKS
[ -z "$urls" ] || curl -sSL --fail-early --connect-timeout 4 -m 15 -w '\nhub=%{http_code}\n' \
  $urls 2>&1 | sed 's/^/hub_line=/'
"""
# Whether a node of the tailnet is logged in; any user may ask it that. An app's own program can
# hang when no user is at the screen.
TAILNET = r"""
for cli in /usr/local/bin/tailscale /Applications/Tailscale.app/Contents/MacOS/Tailscale; do
  [ -x "$cli" ] || continue
  say tailnet "found $(
    perl -e 'alarm 10; exec @ARGV' "$cli" status --json --peers=false 2>/dev/null |
      sed -n 's/.*"BackendState": *"\([A-Za-z]*\)".*/\1/p')"
  break
done
"""
END = "\nsay probe end\n"
# What the login shell is asked to run. The script itself goes in by its input: tcsh takes no
# argument of several lines and no exclamation mark, whatever the quotes.
SHELL = "/bin/sh -s"


def text(
    serving: Mapping[str, Any] | None,
    endpoint: str = "",
    account: str = "",
    in_tailnet: bool = False,
    of_person: str | None = None,
    more: str = "",
) -> str:
    """The script for a laptop, or for the closet that is to serve `serving` as `account`.

    `of_person` is whose shell is asked, "" for that of the user; None asks none. `more` is run
    before the end.
    """
    end = (TAILNET if in_tailnet else "") + more + END
    if of_person is not None:
        end = "\n" + person.script(of_person) + end
    if not serving:
        return FACTS + end
    closet = (
        CLOSET.replace("RECORD", RECORD)
        .replace("RUN", RUN)
        .replace("HOLDERS", key_holders.PATH)
        .replace("STATE", STATE)
        .replace("PID", PID)
        .replace("PORT", str(int(serving["port"])))
    )
    asks = [
        f"ask {shlex.quote(source)} {shlex.quote(url)}"
        for source, url in questions(serving["models"], endpoint)
    ]
    hub = HUB.replace("RECORD", RECORD).replace("ASKS", "\n".join(asks)) if asks else ""
    serves_as = f"account={shlex.quote(account)}\n" if account else ""
    return serves_as + FACTS + closet + hub + end


def as_input(script: str) -> str:
    """The script as SHELL reads it: to its end before it runs, so that no command can eat of it."""
    return f"probe() {{\n{script}\n}}\nprobe </dev/null\n"


def questions(models: Iterable[Mapping[str, Any]], endpoint: str) -> list[tuple[str, str]]:
    """(repo@revision, URL of the hub that tells its files' sizes) of each model of the hub."""
    if not endpoint:
        return []
    base = endpoint.rstrip("/")
    return [
        (
            f"{model['repo']}@{model['revision']}",
            f"{base}/api/models/{quote(model['repo'])}/revision/"
            f"{quote(model['revision'], safe='')}?blobs=true",
        )
        for model in models
        if model["repo"]
    ]


def hub_sizes(lines: Iterable[str], models: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Weights in 10^9 bytes by repo@revision, as far as the hub answered."""
    sizes: dict[str, float] = {}
    for line in lines:
        try:
            answer = json.loads(line)
        except ValueError:
            continue  # the status line of curl, or words of a proxy
        if isinstance(answer, dict) and answer.get("siblings"):
            size = _weights(answer["siblings"])
            if size:
                sizes[str(answer.get("id", ""))] = size
    return {
        f"{model['repo']}@{model['revision']}": sizes[model["repo"]]
        for model in models
        if model["repo"] in sizes
    }


def _weights(files: Iterable[Mapping[str, Any]]) -> float:
    sizes = {str(file.get("rfilename", "")): file.get("size") for file in files}
    weights = [sizes[path] for path in weight_paths(sizes)]
    known = [size for size in weights if isinstance(size, int)]
    return sum(known) / 1e9 if len(known) == len(weights) else 0.0
