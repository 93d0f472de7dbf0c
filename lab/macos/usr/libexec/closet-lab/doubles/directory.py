"""dscl(1), reading the local directory node: users and groups of /etc/passwd and /etc/group."""

from __future__ import annotations

import sys
from pathlib import Path

import mac

_PASSWD = ("RecordName", "", "UniqueID", "PrimaryGroupID", "RealName", "NFSHomeDirectory")
_NODES = (".", "/Local/Default", "localhost")


def main(arguments: list[str]) -> int:
    """Answer `dscl . -read /Users/NAME [KEY…]`, the same for /Groups, and `-list` of both."""
    words = list(arguments)
    if len(words) < 3 or words[0] not in _NODES:
        mac.fail("the lab only knows: dscl . -read|-list /Users|/Groups[/NAME] [KEY ...]")
    verb, place, keys = words[1].lstrip("-"), words[2].strip("/").split("/"), words[3:]
    records = {"Users": _users, "Groups": _groups}.get(place[0], dict)()
    if verb == "list" and len(place) == 1:
        return _list(records, keys)
    if verb != "read" or len(place) != 2:
        mac.fail("the lab only knows: dscl . -read|-list /Users|/Groups[/NAME] [KEY ...]")
    return _read(records.get(place[1]), keys)


def _list(records: dict[str, dict[str, str]], keys: list[str]) -> int:
    for name, record in sorted(records.items()):
        print(f"{name:<24} {record.get(keys[0], '')}".rstrip() if keys else name)
    return 0


def _read(record: dict[str, str] | None, keys: list[str]) -> int:
    if record is None:
        sys.stderr.write("<dscl_cmd> DS Error: -14136 (eDSRecordNotFound)\n")
        return 56
    for key in keys or sorted(record):
        if key not in record:
            print(f"No such key: {key}")
        elif " " in record[key] and key != "GroupMembership":
            print(f"{key}:\n {record[key]}")
        else:
            print(f"{key}: {record[key]}")
    return 0


def _users() -> dict[str, dict[str, str]]:
    records = {}
    for fields in _fields("/etc/passwd", 7):
        record = {key: value for key, value in zip(_PASSWD, fields) if key}
        record["RealName"] = fields[4].partition(",")[0]
        record["UserShell"] = fields[6]
        records[fields[0]] = record
    return records


def _groups() -> dict[str, dict[str, str]]:
    return {
        fields[0]: {
            "RecordName": fields[0],
            "PrimaryGroupID": fields[2],
            "GroupMembership": fields[3].replace(",", " "),
        }
        for fields in _fields("/etc/group", 4)
    }


def _fields(file: str, count: int) -> list[list[str]]:
    lines = Path(mac.path(file)).read_text(encoding="utf-8").splitlines()
    rows = [line.split(":") for line in lines]
    return [row for row in rows if len(row) == count]
