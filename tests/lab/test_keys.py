"""Where keys are, who is answered without one, and what becomes of them when another serves."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import (
    CLIENTS,
    ROOT,
    UPPER,
    Done,
    as_root,
    cut_the_power_at,
    on,
    provisioned,
    run,
)

pytestmark = pytest.mark.usefixtures("fresh_lab_with_programs")

DOCS = (ROOT / "docs/security.md").read_text()
TOOLS = ("-e", '{"client_env_tools": ["llm", "continue"]}')
OWN = ("-e", "closet_service_account=_closet")
ADDRESS = "http://attic.local:8000"
WRONG = "wrong0key0that0nobody0has0given0to0anyone"
# What the gateway passes on, and what mlx_lm, ollama and Caddy have besides.
BEHIND = (
    "GET /", "GET /health", "GET /v1", "GET /api/tags", "GET /api/ps", "GET /api/version",
    "POST /api/pull", "DELETE /api/delete", "POST /api/chat", "POST /chat/completions",
    "GET /admin", "GET /config/", "POST /load", "POST /stop", "GET /metrics", "GET /docs",
    "GET /openapi.json", "GET /v1/../api/tags", "GET //v1/models", "GET /v1/models/nope",
    "POST /v1/messages", "DELETE /v1/models/x",
)  # fmt: skip
SERVED = ("GET /v1/models", "POST /v1/chat/completions", "POST /v1/completions")

# Also routes that the description leaves out, and those that another part brings.
ROUTES = """
import json
from omlx.server import app
def walk(routes):
    for route in routes:
        yield from ((verb, route.path) for verb in getattr(route, "methods", None) or [])
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        yield from walk(getattr(inner, "routes", None) or [])
print(json.dumps(sorted({*walk(app.routes)})))
"""


def section(title: str) -> str:
    """One section of the documentation."""
    return DOCS.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inventory of the lab with keys of its own beside it."""
    base = tmp_path_factory.mktemp("keys")
    (base / "lab").symlink_to(ROOT / "lab")
    copy = base / "inventories" / "home"
    ours = shutil.ignore_patterns(".secrets", ".closet")
    shutil.copytree(ROOT / "inventories/lab", copy, ignore=ours)
    return copy


def play(home: Path, *words: str, book: str = "site.yml") -> Done:
    return run("ansible-playbook", "-i", str(home), book, *words, limit_s=600)


def keys(home: Path, revoked: bool = False) -> dict[str, str]:
    """The keys on the controller, by name."""
    folder = home / ".secrets/attic"
    paths = [home / ".secrets/attic.key", *folder.glob("*.key"), *folder.glob("revoked/*.key")]
    return {
        path.stem
        if path.parent == folder
        else f"{path.parent.name}/{path.stem}": path.read_text().strip()
        for path in paths
        if revoked or "revoked" not in path.parts
    }


def told(questions: list[str], headers: str = "") -> dict[str, str]:
    """The status that a laptop gets for each `METHOD /path`."""
    curl = f"curl -s -m 20 -o /dev/null -w '%{{http_code}}\\n' --path-as-is {headers}"
    script = ""
    for question in questions:
        verb, path = question.split()
        url = ADDRESS + re.sub("{[^}]*}", "x", path)
        script += f"printf '%s\\t' '{question}'; {curl} -X {verb} '{url}'\n"
    text = base64.b64encode(script.encode()).decode()
    done = on("air", f"echo {text} | base64 -d > /tmp/ask.sh; sh /tmp/ask.sh", limit_s=300)
    return dict(line.split("\t") for line in done.output.splitlines() if "\t" in line)


def bearer(key: str) -> str:
    return f"-H 'Authorization: Bearer {key}'"


# --- on the network -------------------------------------------------------------------------------


def routes() -> list[str]:
    """Every route of the running omlx: what it describes, and what its program has."""
    described = json.loads(on("air", f"curl -s {ADDRESS}/openapi.json").output)["paths"]
    found = {f"{verb.upper()} {path}" for path, verbs in described.items() for verb in verbs}
    text = base64.b64encode(ROUTES.encode()).decode()
    python = "$(ls -d /opt/closet/omlx/*/bin/python)"
    words = f"cd /tmp; echo {text} | base64 -d > routes.py; HOME=/tmp/routes {python} routes.py"
    done = on("attic", words, limit_s=120)
    lines = json.loads(done.output.splitlines()[-1])
    built = {f"{verb} {path}".replace(":path}", "}") for verb, path in lines}
    assert {"GET /docs", "GET /health", "POST /v1/chat/completions"} <= built, built
    assert len(found) > 100
    return sorted(one for one in found | built if not one.startswith("HEAD "))


def test_omlx_answers_nothing_without_a_key_but_what_is_documented(home: Path) -> None:
    provisioned(play(home, *TOOLS))
    every = routes()
    table = re.findall(r"^\| (`.*?) \|", section("What answers without a key"), re.MULTILINE)
    documented = set(re.findall(r"`([A-Z]+ /[^`]*)`", " ".join(table)))
    for headers in ("", bearer(WRONG)):
        answers = told(every, headers)
        assert set(answers) == set(every)
        opened = {question for question, status in answers.items() if status != "401"}
        assert opened == documented, (headers, opened ^ documented)


def test_a_laptops_key_opens_v1_and_never_the_administration(home: Path) -> None:
    ask = [one for one in routes() if one.startswith("GET ") and "/bench" not in one]
    answers = told(ask, bearer(keys(home)["air"]))
    admin = {one for one in ask if one.startswith("GET /admin/api/")}
    assert len(admin) > 20
    assert {answers[one] for one in admin} == {"401"}
    assert answers["GET /v1/models"] == "200"
    assert "401" not in {answers[one] for one in ask if one.startswith("GET /v1/")}


# --- on the disks ---------------------------------------------------------------------------------


def rows() -> Iterator[tuple[str, str, str, int]]:
    """Host, file, owner and mode of each row of the documentation's table."""
    for line in section("Every file that can hold a key").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and re.fullmatch(r"0[0-7]{3}", cells[3]):
            for file in re.findall(r"`([^`]+)`", cells[1]):
                yield cells[0], file, cells[2], int(cells[3], 8)


def pattern(file: str, home: str) -> re.Pattern[str]:
    """Words in capitals stand for a name, N for a number."""
    text = re.escape(file.replace("~", home))
    return re.compile(re.sub(r"\\-N\b", r"-\\d+", re.sub(r"[A-Z]{3,}", "[^/]+", text)))


def holding(host: str, wanted: set[str]) -> dict[str, tuple[int, int]]:
    """Owner and mode of each file of a Mac of the lab that has one of these texts in it."""
    found = {}
    upper = UPPER / host / "upper"
    for folder, names, files in os.walk(upper):
        # bytes of models and programs, which nothing of ours writes keys into
        names[:] = [name for name in names if name not in ("site-packages", "store", "blobs")]
        for file in files:
            path = Path(folder, file)
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 64 << 20:
                content = path.read_bytes()
                if any(key.encode() in content for key in wanted):
                    info = path.stat()
                    where = f"/{path.relative_to(upper)}"
                    found[where] = (info.st_uid, stat.S_IMODE(info.st_mode))
    return found


def only_the_documented(home: Path, account: str = "admin", uid: int = 501) -> dict[str, set[str]]:
    """See that keys are where the table says, as it says; returns the files by host."""
    wanted = set(keys(home, revoked=True).values())
    table = list(rows())
    assert len(table) > 12
    seen = {}
    for host in ("attic", *CLIENTS):
        kind = "closet" if host == "attic" else "laptop"
        found = holding(host, wanted)
        for path, (owner, mode) in found.items():
            base = f"/Users/{account if kind == 'closet' else 'admin'}"
            modes = [
                row[3] for row in table if row[0] == kind and pattern(row[1], base).fullmatch(path)
            ]
            assert modes == [mode], f"{host}: {path} holds a key with mode {mode:o}: {modes}"
            assert owner == (uid if kind == "closet" else 501), f"{host}: {path}"
        seen[host] = set(found)
    return seen


def test_keys_are_where_the_table_says_and_nowhere_else(home: Path) -> None:
    seen = only_the_documented(home)
    assert "/Users/admin/.omlx/settings.json" in seen["attic"]
    assert {"/Users/admin/.config/closet/key", "/Users/admin/.continue/models/closet.yaml"} <= seen[
        "air"
    ]
    mine = {
        str(path.relative_to(home)): (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode))
        for path in home.rglob("*")
        if path.is_file() and any(key in path.read_text() for key in keys(home).values())
    }
    table = [row for row in rows() if row[0] == "controller"]
    assert len(mine) == len(CLIENTS) + 1
    for path, found in mine.items():
        assert [row[3] for row in table if pattern(row[1], "~").fullmatch(path)], path
        assert found == (os.geteuid(), 0o600)


# --- another backend ------------------------------------------------------------------------------


def test_the_gateway_refuses_everything_without_a_key_and_keeps_nothing_when_it_goes(
    home: Path,
) -> None:
    provisioned(play(home, "-e", "profile=coding-mlx-lm", *TOOLS, book="playbooks/profile.yml"))
    every = [*BEHIND, *SERVED]
    for headers in ("", bearer(WRONG)):
        assert set(told(every, headers).values()) == {"401"}, headers
    answers = told(every, bearer(keys(home)["air"]))
    assert {one for one, status in answers.items() if status != "404"} == {
        *SERVED,
        "GET //v1/models",  # Caddy reads it as one slash
    }, answers
    gate = "/Users/admin/.closet-gateway"
    assert f"{gate}/Caddyfile" in only_the_documented(home)["attic"]
    before = keys(home)
    done = provisioned(
        play(home, "-e", "profile=coding-omlx", *TOOLS, book="playbooks/profile.yml")
    )
    said = " ".join(done.output.split())
    assert f"in {gate} of the account admin, which no longer serves from there" in said
    assert on("attic", f"ls {gate}").code != 0
    assert keys(home) == before, "the same account serves: no key is replaced"
    assert gate not in " ".join(only_the_documented(home)["attic"])
    assert set(provisioned(play(home, *TOOLS)).changed().values()) == {0}


# --- another account ------------------------------------------------------------------------------


def serves_as(account: str) -> tuple[str, ...]:
    """The words of a run. MLX keeps what it compiled for the CPU in /tmp, for one account alone."""
    as_root("attic", "rm -rf /tmp/mlx")
    return ("-e", f"closet_service_account={account}") if account else ()


def nobody_knows(home: Path, before: dict[str, str], done: Done) -> None:
    """All keys are others, the laptops have theirs, and the old ones open nothing."""
    now = keys(home)
    assert set(now) == set(before)
    assert not set(now.values()) & set(before.values())
    assert on("air", "cat ~/.config/closet/key").output.strip() == now["air"]
    for old in before.values():
        assert told(["GET /v1/models"], bearer(old)) == {"GET /v1/models": "401"}
        assert old not in done.output
    assert told(["GET /v1/models"], bearer(now["air"])) == {"GET /v1/models": "200"}
    assert list((home / ".secrets/attic/revoked").iterdir()) == []


def test_when_another_account_serves_the_keys_of_the_one_before_are_replaced_and_removed(
    home: Path,
) -> None:
    as_root("attic", "echo '_closet:*:250:20::/Users/_closet:/usr/bin/false' >> /etc/passwd")
    as_root("attic", "mkdir -p /Users/_closet && chown 250:20 /Users/_closet")
    before = keys(home)
    check = provisioned(play(home, *OWN, *TOOLS, "--check"))
    assert check.changed()["air"] > 0, "the key of the laptop will be another one"
    assert keys(home) == before
    done = provisioned(play(home, *serves_as("_closet"), *TOOLS))
    assert "the former account admin knows the keys. These were replaced: main, " in " ".join(
        done.output.split()
    )
    assert "removed the keys in settings.json in /Users/admin/.omlx" in " ".join(
        done.output.split()
    )
    nobody_knows(home, before, done)
    seen = only_the_documented(home, "_closet", 250)
    assert seen["attic"] == {"/Users/_closet/.omlx/settings.json"}
    # omlx writes down what it refuses, in clear, and it has refused all of them
    logs = [pattern(row[1], "/Users/_closet") for row in rows() if row[1].endswith(".log")]
    for path in holding("attic", set(before.values())):
        assert any(log.fullmatch(path) for log in logs), path
    # what was not a key is still there, and an omlx that admin starts is not on the LAN
    left = json.loads(on("attic", "cat ~/.omlx/settings.json").output)
    assert left["server"]["host"] == ["127.0.0.1"]
    assert set(provisioned(play(home, *OWN, *TOOLS)).changed().values()) == {0}


def test_a_hostile_account_before_holds_nothing_up_and_its_links_are_its_own(home: Path) -> None:
    """It puts a link to root's file in place of its settings; back to admin, under power cuts."""
    as_root("attic", 'echo \'{"auth": {"api_key": "x"}}\' > /etc/of-root; chmod 600 /etc/of-root')
    base = "/Users/_closet/.omlx"
    as_root(
        "attic", f"mv {base}/settings.json {base}/mine; ln -s /etc/of-root {base}/settings.json"
    )
    as_root("attic", f"chown -h 250:20 {base}/settings.json; mkfifo {base}/mcp.json")
    before = keys(home)
    words = ("-i", str(home), *TOOLS, *serves_as(""))
    cut_the_power_at("replace_keys | Generate new keys", 0.5, "site.yml", *words)
    done = provisioned(play(home, *TOOLS))
    nobody_knows(home, before, done)
    said = " ".join(done.output.split())
    assert f"keys may be left in {base}" in said
    assert "They are no longer valid. The next run tries again" in said
    look = on("attic", "sudo stat -c '%U %a' /etc/of-root; sudo cat /etc/of-root").output.split(
        "\n"
    )
    assert look[:2] == ["root 600", '{"auth": {"api_key": "x"}}']
    # its files are the account's own to clear; then it is said once more and forgotten
    as_root("attic", f"rm -f {base}/settings.json")
    kept = keys(home)
    done = provisioned(play(home, *TOOLS))
    assert keys(home) == kept, "nothing is replaced twice"
    assert set(provisioned(play(home, *TOOLS)).changed().values()) == {0}


def test_an_account_that_is_gone_is_told(home: Path) -> None:
    provisioned(play(home, *serves_as("_closet"), *TOOLS))
    as_root("attic", "sed -i '/^_closet:/d' /etc/passwd")
    before = keys(home)
    done = provisioned(play(home, *serves_as(""), *TOOLS))
    said = " ".join(done.output.split())
    assert "the former account _closet no longer exists on this Mac" in said
    assert "sudo rm -rf /Users/_closet/.omlx" in said
    nobody_knows(home, before, done)
    assert set(provisioned(play(home, *TOOLS)).changed().values()) == {0}
