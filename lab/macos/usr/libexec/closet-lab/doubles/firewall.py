"""socketfilterfw: the application firewall's switch and its list of programs.

Reading needs no root, writing does. State is kept across reboots; it stops no packet: the
lab's Macs have no such filter. Sentences are those of recent macOS captures.
"""

from __future__ import annotations

from pathlib import Path

import mac

_GLOBAL = (
    "Firewall is disabled. (State = 0)",
    "Firewall is enabled. (State = 1)",
    "Firewall is blocking all non-essential connections. (State = 2)",
)
_STOCK = {"global": 0, "blockall": 0, "stealth": 0, "signed": 1, "signedapp": 1, "apps": {}}
_SWITCHES = {
    "--setglobalstate": "global",
    "--setblockall": "blockall",
    "--setstealthmode": "stealth",
    "--setallowsigned": "signed",
    "--setallowsignedapp": "signedapp",
}
_UNKNOWN_APP = "The application is not part of the firewall"


def main(arguments: list[str]) -> int:
    """Run socketfilterfw with `arguments`, any number of options in a row."""
    words = list(arguments)
    if not words:
        return _usage()
    status = 0
    while words and not status:
        option = words.pop(0)
        if option in _READERS:
            print(_READERS[option]())
        elif option == "--getappblocked" and words:
            print(_blocked(_real(words.pop(0))))
        elif (option in _SWITCHES or option in _APPS) and words:
            status = _write(option, words.pop(0))
        else:
            status = _usage()
    return status


def _state() -> dict[str, object]:
    return {**_STOCK, **mac.kept("firewall")}


def _apps() -> dict[str, bool]:
    """Return path → allowed, in the order of adding."""
    apps = _state()["apps"]
    return dict(apps) if isinstance(apps, dict) else {}


def _real(path: str) -> str:
    return str(Path(path).resolve())


def _global_state() -> str:
    state = _state()
    enabled = int(bool(state["global"]))
    return _GLOBAL[2 if enabled and state["blockall"] else enabled]


def _block_all() -> str:
    word = "enabled" if _state()["blockall"] else "disabled"
    return f"Firewall has block all state set to {word}."


def _stealth() -> str:
    return f"Firewall stealth mode is {'on' if _state()['stealth'] else 'off'}"


def _signed() -> str:
    words = ["ENABLED" if _state()[key] else "DISABLED" for key in ("signed", "signedapp")]
    return (
        f"Automatically allow built-in signed software {words[0]}.\n"
        f"Automatically allow downloaded signed software {words[1]}."
    )


def _list() -> str:
    apps = _apps()
    lines = [f"Total number of apps = {len(apps)} "]
    for number, (path, allowed) in enumerate(apps.items(), start=1):
        lines.append(f"{number} : {path} ")
        lines.append(f"             ({'Allow' if allowed else 'Block'} incoming connections)")
    return "\n".join(lines)


def _blocked(path: str) -> str:
    apps = _apps()
    if path not in apps:
        return _UNKNOWN_APP
    return f"Incoming connection to {path} is {'permitted' if apps[path] else 'blocked'}."


_READERS = {
    "--getglobalstate": _global_state,
    "--getblockall": _block_all,
    "--getstealthmode": _stealth,
    "--getallowsigned": _signed,
    "--listapps": _list,
}
_APPS = ("--add", "--remove", "--blockapp", "--unblockapp")


def _write(option: str, value: str) -> int:
    if not mac.is_root():
        print("Must be root to change settings.")
        return 255
    mac.lock("firewall")
    state, apps = _state(), _apps()
    if option in _SWITCHES:
        if value not in ("on", "off"):
            return _usage()
        state[_SWITCHES[option]] = int(value == "on")
        mac.keep("firewall", state)
        print(_AFTER[option]())
        return 0
    path = _real(value)
    print(_change_app(option, path, apps))
    mac.keep("firewall", {**state, "apps": apps})
    return 0


def _change_app(option: str, path: str, apps: dict[str, bool]) -> str:
    if option == "--add":
        if path in apps:
            return "The application is already a part of the firewall"
        apps[path] = True
        return "The application is added to the firewall"
    if path not in apps:
        return _UNKNOWN_APP
    if option == "--remove":
        del apps[path]
        return "The application is removed from the firewall"
    apps[path] = option == "--unblockapp"
    return f"Incoming connection to the application is {'permitted' if apps[path] else 'blocked'}"


_AFTER = {
    "--setglobalstate": _global_state,
    "--setblockall": _block_all,
    "--setstealthmode": _stealth,
    "--setallowsigned": _signed,
    "--setallowsignedapp": _signed,
}


def _usage() -> int:
    options = sorted([*_READERS, "--getappblocked", *_SWITCHES, *_APPS])
    print(f"usage: socketfilterfw [{'] ['.join(options)}]")
    return 255
