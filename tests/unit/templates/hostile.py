# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worst values that our formats let through, and what a directory may call an account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import formats, values
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.option_formats import (
    format_of,
)
from tests.unit import documents

ROOT = Path(__file__).resolve().parents[3]
OPTIONS: dict[str, dict[str, Any]] = {}
for _path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
    for _entry in documents.read(_path)["argument_specs"].values():
        OPTIONS.update(_entry.get("options", {}))

# What means something to some program that reads one of our files.
PIECES = (
    *(" ", "  ", "a", "b", "é", "e\u0301", "日本", "😀", "-", "--", "_", ".", "0", "010"),
    *("'", '"', "`", "\\", "\\\\", '\\"', "\\n", "\\{", "$", "$$", "%", "%s", "%%", "#", "\\#"),
    *("=", "==ls", "~", "~root", "!", "!!", "*", "?", "[a-z]", "&", "&&", "|", "^", "@", "+", ","),
    *("$(touch canary)", "`touch canary`", "${HOME}", "$HOME", ";touch canary;", "&touch canary&"),
    *(
        "{{ 7 * 7 }}",
        "{% raw %}",
        "{# x #}",
        "{",
        "}",
        "{$HOME}",
        "{env.HOME}",
        "{http.request.host}",
    ),
    *(
        "{file:~/.ssh/id_rsa}",
        "{env:HOME}",
        "</string>",
        "]]>",
        "<!--",
        "<",
        ">",
        "(",
        ")",
        "[",
        "]",
    ),
    *(
        "ALL",
        "root ALL=(ALL) ALL",
        "NOPASSWD: ALL",
        "# END closet.inference client_env",
        "---",
        ": ",
    ),
    *("- ", "null", "yes", "import /etc/passwd", "EOF", "x" * 70),
)
# None of these passes a border, but for a line feed in a text of several lines.
CONTROLS = (
    "\n",
    "\r",
    "\t",
    "\x00",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "\xa0",
    "\u2028",
    "\u202e",
    "\ufeff",
)

# As often as is cheap, and the same each time.
MODEST = settings(
    max_examples=12,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def _joined(pieces: tuple[str, ...], longest: int = 6) -> st.SearchStrategy[str]:
    parts = st.sampled_from(pieces) | st.characters(categories=("L", "M", "N", "P", "S"))
    return st.lists(parts, max_size=longest).map("".join)


LINES = _joined(PIECES)
LONG = LINES.map(lambda text: text + f"/{'x' * 150}" * 4) | LINES
# Pieces that may stand in an address.
URL_PIECES = (
    "a",
    "-",
    "_",
    "~",
    "%20",
    "%27",
    "*",
    ",",
    ";",
    "&",
    "?",
    "=",
    "@",
    "!",
    ":",
    "//",
    "..",
)
HOSTS = st.sampled_from(
    ("attic", "attic.local", "Attic.Local.", "_x_.a-b", "10.0.0.1", "[fd00::1]", "[::ffff:1.2.3.4]")
)
URLS = st.builds(
    lambda host, port, path: f"http://{host}{port}/{path}",
    HOSTS,
    st.sampled_from(("", ":8000", ":65535")),
    _joined(URL_PIECES),
)
MODELS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,60}", fullmatch=True)
SHAPES: dict[formats.Format, st.SearchStrategy[Any]] = {
    formats.LINE: LONG,
    formats.TEXT: _joined((*PIECES, *CONTROLS)),
    formats.PATH: LONG.map(lambda text: f"/{text}"),
    formats.ROTATED: LONG.map(lambda text: f"/none{''.join(text.split())}"),
    formats.CADDY_PATH: LINES.map(
        lambda text: "/" + "".join(char for char in text if char not in '{}`"')[:60]
    ),
    formats.PATH_BELOW: LINES,
    formats.PERSONS_FILE: LINES.map(lambda text: f"~/{text}") | LINES.map(lambda text: f"/{text}"),
    formats.ACCOUNT: LINES.map(
        lambda text: "".join(char for char in text if char not in ':/,;|<>`"').strip(" -#")
    ),
    formats.URL: URLS,
    formats.MODEL: MODELS,
    formats.HOST: HOSTS.map(lambda host: host.strip("[]")),
    formats.NETWORK: st.ip_addresses().flatmap(
        lambda address: st.integers(0, address.max_prefixlen).map(lambda bits: f"{address}/{bits}")
    )
    | st.sampled_from(
        ("10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "fe80::1%en0/64", "::ffff:1.2.3.4/128")
    ),
    formats.SECRET: st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
    formats.DURATION: st.from_regex(
        r"-?[0-9]{1,4}(\.[0-9]{1,3})?(ns|us|ms|s|m|h)?", fullmatch=True
    ),
    formats.URL_PATH: st.from_regex(r"/[A-Za-z0-9._~/*-]{0,40}", fullmatch=True),
    formats.ENDPOINT: st.builds(lambda host, port: f"{host}:{port}", HOSTS, st.integers(1, 65535)),
}
NUMBERS = st.integers(-5, 1 << 20)


def fits(name: str, value: Any) -> bool:
    return not list(values.errors(name, OPTIONS[name], value))


def accepted(name: str) -> st.SearchStrategy[Any]:
    """Values of an option that the check of the inventory lets through, one element of a list."""
    option = OPTIONS[name]
    if option.get("type") in ("int", "float"):
        # as YAML, JSON and -e bring them
        spelled = NUMBERS | NUMBERS.map(str) | NUMBERS.map(lambda n: f"0{n}") | NUMBERS.map(float)
        return spelled.filter(lambda value: fits(name, value))
    shape = SHAPES[format_of(name) or formats.ANY]
    return shape.filter(lambda value: fits(name, value))


# What the probe of a host may tell: one line, of whatever a directory holds.
FACTS = LINES.map(str.strip).filter(bool) | st.sampled_from(
    (
        "CORP\\user name",
        "CORP\\Domain Users",
        "dot.ty",
        "#502",
        "%admin",
        "+@corp",
        "ALL",
        "503",
        "-",
    )
)
HOMES = LINES.map(lambda text: f"/Users/{text}".rstrip(" /")) | st.sampled_from(
    ("/Users/CORP\\jane doe", "/Users/a#b", '/Users/x"y', "/Users/x\\", '/Volumes/My "Disk\\"/x')
)
