"""pmset(1): the power settings of a desktop (AC only) or a laptop, kept across reboots.

Output, streams and exit codes: PowerManagement's pmset.m; key order: captures of macOS 26.
autorestartatconnect: captures of desktops with macOS 26.5.2 (a Mac mini, a Mac Studio M2 Max).
The battery's charge comes from /run/closet-lab/power.json, which the lab may write:
{"source": "Battery Power", "percent": 78, "state": "discharging; 5:05 remaining"}.
"""

from __future__ import annotations

import sys

import mac

AC, BATTERY, UPS = "AC Power", "Battery Power", "UPS Power"

_MINUTES = {"displaysleep", "disksleep", "sleep", "standbydelay", "autopoweroffdelay"}
_SWITCHES = {
    *("womp", "ring", "powernap", "proximitywake", "autorestart", "lidwake", "acwake"),
    *("lessbright", "halfdim", "ttyskeepawake", "networkoversleep", "tcpkeepalive", "standby"),
    *("hibernatemode", "lowpowermode", "autopoweroff", "gpuswitch"),
}
_SYSTEM = {"disablesleep": "SleepDisabled"}
_LAPTOP_COMMON = {
    "Sleep On Power Button": "1",
    "lowpowermode": "0",
    "standby": "1",
    "ttyskeepawake": "1",
    "hibernatemode": "3",
    "powernap": "1",
    "hibernatefile": "/var/vm/sleepimage",
}
_STOCK_LAPTOP = {
    BATTERY: {
        **_LAPTOP_COMMON,
        "displaysleep": "2",
        "womp": "0",
        "networkoversleep": "0",
        "sleep": "1",
        "lessbright": "1",
        "tcpkeepalive": "1",
        "disksleep": "10",
    },
    AC: {
        **_LAPTOP_COMMON,
        "displaysleep": "10",
        "womp": "1",
        "networkoversleep": "0",
        "sleep": "1",
        "tcpkeepalive": "1",
        "disksleep": "10",
    },
}
_STOCK_DESKTOP = {
    AC: {
        "Sleep On Power Button": "1",
        "autorestartatconnect": "0",
        "autorestart": "0",
        "powernap": "1",
        "standby": "0",
        "networkoversleep": "0",
        "disksleep": "10",
        "sleep": "1",
        "ttyskeepawake": "1",
        "hibernatemode": "0",
        "hibernatefile": "/var/vm/sleepimage",
        "displaysleep": "10",
        "tcpkeepalive": "1",
        "lowpowermode": "0",
        "womp": "1",
    },
}
_SCOPES = {"-a": (AC, BATTERY, UPS), "-b": (BATTERY,), "-c": (AC,), "-u": (UPS,)}


class ArgumentsError(Exception):
    """The command line makes no sense; pmset answers with its usage."""


def main(arguments: list[str]) -> int:
    """Run pmset with `arguments`; return its exit code."""
    try:
        if arguments[:1] == ["-g"]:
            return _show(arguments[1:])
        changes, system = _parse(arguments)
        return _change(changes, system)
    except ArgumentsError:
        print("Usage: pmset <options>\nSee pmset(1) for details: 'man pmset'")
        return 1


def _profiles() -> dict[str, dict[str, str]]:
    facts = mac.env()
    stock = _STOCK_LAPTOP if facts["BATTERY"] == "1" else _STOCK_DESKTOP
    late = [] if _has_start_up_at_connect(facts) else ["autorestartatconnect"]
    written = mac.kept("pmset")
    return {
        source: {
            _shown(key, facts): written.get(source, {}).get(key, value)
            for key, value in keys.items()
            if key not in late
        }
        for source, keys in stock.items()
    }


def _has_start_up_at_connect(facts: dict[str, str]) -> bool:
    """Say whether this macOS knows "Start up when power is connected"; 26.5 added it."""
    major, minor = (int(number) for number in (facts["MACOS"] + ".0").split(".")[:2])
    return (major, minor) >= (26, 5)


def _shown(key: str, facts: dict[str, str]) -> str:
    """Return a setting's name on this Mac: powermode where High Power Mode exists."""
    powerful = facts["CHIP"].rpartition(" ")[2] in ("Pro", "Max", "Ultra")
    return "powermode" if key == "lowpowermode" and powerful else key


def _show(words: list[str]) -> int:
    what = words[0] if words else ""
    if len(words) > 1 or what not in ("", "live", "custom", "batt", "ps", "cap"):
        raise ArgumentsError
    if what in ("batt", "ps"):
        sys.stdout.write(_battery())
        return 0
    profiles, source = _profiles(), _power()["source"]
    live = profiles[source]
    if what == "cap":
        names = [key for key in live if key not in ("Sleep On Power Button", "hibernatefile")]
        print(f"Capabilities for {source}:", *names, sep="\n ")
        return 0
    if what == "custom":
        for name, keys in profiles.items():
            print(f"{name}:\n{_settings(keys)}")
        return 0
    if not what:
        system = mac.kept("pmset").get("system", {})
        print("System-wide power settings:")
        for key, value in system.items():
            print(f" {key}\t\t{value}")
    print(f"Currently in use:\n{_settings(live)}")
    return 0


def _settings(keys: dict[str, str]) -> str:
    return "\n".join(f" {key:<20} {value}" for key, value in keys.items())


def _power() -> dict[str, str]:
    if mac.env()["BATTERY"] != "1":
        return {"source": AC}
    stock = {"source": AC, "percent": "80", "state": "AC attached; not charging"}
    return {**stock, **{key: str(value) for key, value in mac.since_boot("power").items()}}


def _battery() -> str:
    power = _power()
    text = f"Now drawing from '{power['source']}'\n"
    if "percent" in power:
        charge = f"{power['percent']}%; {power['state']}"
        text += f" -InternalBattery-0 (id=23265379)\t{charge} present: true\n"
    return text


def _parse(words: list[str]) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    changes: dict[str, dict[str, str]] = {}
    system: dict[str, str] = {}
    scope = _SCOPES["-a"]
    rest = list(words)
    known = _MINUTES | _SWITCHES | {"hibernatefile"} | set(_SYSTEM)
    if _has_start_up_at_connect(mac.env()):
        known.add("autorestartatconnect")
    while rest:
        word = rest.pop(0)
        if word in _SCOPES:
            scope = _SCOPES[word]
            continue
        key = "lowpowermode" if word.lower() == "powermode" else word.lower()
        if not rest or key not in known:
            raise ArgumentsError
        value = rest.pop(0)
        if key != "hibernatefile":
            if not value.isdigit():
                raise ArgumentsError
            value = str(int(value))
        if key in _SYSTEM:
            system[_SYSTEM[key]] = "1" if value != "0" else "0"
            continue
        for source in scope:
            changes.setdefault(source, {})[key] = value
    if not changes and not system:
        raise ArgumentsError
    return changes, system


def _change(changes: dict[str, dict[str, str]], system: dict[str, str]) -> int:
    if not mac.is_root():
        print("'pmset' must be run as root...")
        # pmset.m leaves with 1 for the profiles only, not for disablesleep
        return 1 if changes else 0
    mac.lock("pmset")
    state = mac.kept("pmset")
    for source, keys in {**changes, **({"system": system} if system else {})}.items():
        state[source] = {**state.get(source, {}), **keys}
    mac.keep("pmset", state)
    if changes:
        _warn_of_nonsense(_profiles())
    return 0


def _warn_of_nonsense(profiles: dict[str, dict[str, str]]) -> None:
    for source, keys in profiles.items():
        sleep, display, disk = (int(keys[key]) for key in ("sleep", "displaysleep", "disksleep"))
        late = sleep and (display == 0 or display > sleep)
        if not late and not (sleep and disk == 0):
            continue
        sys.stdout.flush()
        sys.stderr.write(
            f'Warning: Idle sleep timings for "{source}" may not behave as expected.\n'
        )
        if late:
            sys.stderr.write("- Display sleep should have a lower timeout than system sleep.\n")
        if sleep and disk == 0:
            sys.stderr.write("- Disk sleep should be non-zero whenever system sleep is non-zero.\n")
