"""xattr(1): attributes of a file, which Linux keeps in a name space of its own.

Only -p, -w and -d with one attribute. Message and exit code of a missing one are from reports.
"""

from __future__ import annotations

import os

import mac

NAME_SPACE = "user."


def main(arguments: list[str]) -> int:
    """Print, write or delete one attribute of one file."""
    if len(arguments) != {"-p": 3, "-w": 4, "-d": 3}.get(arguments[0] if arguments else "", 0):
        mac.fail("the lab only knows: xattr -p NAME FILE, -w NAME VALUE FILE, -d NAME FILE")
    flag, name, *_, file = arguments
    try:
        if flag == "-w":
            os.setxattr(file, NAME_SPACE + name, os.fsencode(arguments[2]))
        elif flag == "-d":
            os.removexattr(file, NAME_SPACE + name)
        else:
            print(os.fsdecode(os.getxattr(file, NAME_SPACE + name)))
    except FileNotFoundError:
        mac.fail(f"No such file: {file}")
    except OSError:
        mac.fail(f"{file}: No such xattr: {name}")
    return 0
