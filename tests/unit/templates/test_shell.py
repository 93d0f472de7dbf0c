# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell files with hostile values, run: each word arrives as it is, and none is a command."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.templates.hostile import FACTS, HOMES, LINES, MODEST, accepted
from tests.unit.templates.readers import LOGIN_SHELLS, SHELLS, TELLS, ran, sourced, written
from tests.unit.templates.rendering import Role

VARIABLES = ("CLOSET_URL", "CLOSET_NAME", "CLOSET_MODEL", "CLOSET_LAN_URL", "NO_PROXY", "no_proxy")
TOLD = ("AIDER_OPENAI_API_BASE", "AIDER_MODEL", "AIDER_OPENAI_API_KEY")
# Plain words that a shell could take for something else.
WORDS = (
    "=ls",
    "==",
    "~root",
    "a=~",
    "#",
    "-n",
    "!!",
    "%s",
    "\\",
    "'",
    '"',
    "",
    "*",
    "{a,b}",
    "a\nb",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shell")
    written(made, "tells", TELLS)
    return made


def parses(text: str, folder: Path) -> None:
    """Every shell that may read it takes it."""
    file = written(folder, "parsed.sh", text)
    for shell in SHELLS:
        done = subprocess.run([shell, "-n", str(file)], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), shell + text


def laptop(name: str, model: str, **more: Any) -> Role:
    return Role("client_env", client_env_closet_name=name, client_env_model=model, **more)


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
@MODEST
@given(
    accepted("client_env_closet_name") | st.sampled_from(WORDS[:-1]),
    accepted("client_env_model") | LINES,
    accepted("client_env_url"),
    accepted("client_env_lan_url"),
)
def test_the_environment_of_a_laptop(
    folder: Path, shell: str, name: str, model: str, url: str, lan: str
) -> None:
    role = laptop(name, model, client_env_url=url, client_env_lan_url=lan)
    found = sourced(shell, role.text("env.sh"), folder, VARIABLES)
    hosts = [str(urlsplit(one).hostname) for one in (url, lan) if one]
    direct = ",".join(dict.fromkeys(hosts))
    assert found == [url, name, model, lan, direct, direct]


@pytest.mark.parametrize("shell", SHELLS)
@MODEST
@given(
    accepted("client_env_closet_name") | st.sampled_from(WORDS[:-1]),
    accepted("client_env_model") | LINES,
    accepted("client_env_url"),
)
def test_the_program_closet(folder: Path, shell: str, name: str, model: str, url: str) -> None:
    text = laptop(name, model, client_env_url=url).text("usr/local/bin/closet")
    parses(text, folder)
    head = text.partition("\nset -u\n")[0]
    tells = """printf '%s\\0' "$CLOSET_URL" "$CLOSET_NAME" "$CLOSET_MODEL"\n"""
    file = written(folder, "closet-program", f"{head}\n{tells}")
    assert ran([shell, str(file)], folder) == [url, name, model]
    mine = "http://lan/v1"
    assert ran([shell, str(file)], folder, CLOSET_URL=mine) == [mine, name, model]


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_that_word(folder: Path, shell: str, word: str) -> None:
    """As in zsh, where `export A==ls` is the path of ls."""
    found = sourced(shell, laptop(word, word).text("env.sh"), folder, VARIABLES[1:3])
    assert found == [word, word]


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
@MODEST
@given(accepted("client_env_url"), LINES, LINES)
def test_aider_gets_the_closet_the_key_and_the_model(
    folder: Path, shell: str, url: str, model: str, key: str
) -> None:
    text = laptop("attic", model, client_env_url=url, client_env_tools=["aider"]).text("env.sh")
    config = folder / ".config/closet"
    config.mkdir(parents=True, exist_ok=True)
    (config / "key").write_text(f"{key}\n")
    values = "".join(f'"${name}" ' for name in TOLD)
    written(folder, "bin-aider", f'#!/bin/sh\nprintf "%s\\0" {values}"$@"\n').rename(
        folder / "aider"
    )
    file = written(folder, "env.sh", text)
    words = [shell, "-c", '. "$1" && aider "$2" --x', "sh", str(file), model]
    found = ran(words, folder, PATH=f"{folder}:/usr/bin:/bin")
    assert found == [url, f"openai/{model}", key, model, "--x"]


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
def test_an_alias_of_the_person_stays_and_does_no_harm(folder: Path, shell: str) -> None:
    env = laptop("attic", "m", client_env_tools=["aider"]).text("env.sh")
    server = {"a": {"command": "x", "env": {"A": {"secret": "T"}}}}
    role = Role("mcp", mcp_servers=server, mcp_secrets={"T": "t"}, mcp_clients=["claude"])
    text = env + role.text("mcp.sh")
    names = ("aider", "claude", "closet", "closet_env")
    aliases = "".join(f"alias {name}='{name} --mine'\n" for name in names)
    on = "setopt aliases" if shell == "zsh" else "shopt -s expand_aliases"
    file = written(folder, "alias.sh", f"{on}\n{aliases}{text}")
    script = '. "$1" && alias && for name in aider claude closet closet_env; do type "$name"; done'
    done = subprocess.run([shell, "-c", script, "sh", str(file)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().count("--mine") >= len(names)
    defined = subprocess.run(
        [
            shell,
            "-c",
            '. "$1" && unalias -a && type aider claude closet closet_env',
            "sh",
            str(file),
        ],
        capture_output=True,
        check=True,
    )
    assert defined.stdout.decode().count("function") >= len(names)


@MODEST
@given(accepted("opencode_url"), st.lists(LINES, max_size=3), LINES)
def test_the_wrapper_of_opencode(folder: Path, url: str, words: list[str], proxies: str) -> None:
    role = Role("opencode", opencode_url=url)
    text = role.text("bin/opencode")
    program = role.value(role.variables["__opencode_program"])
    assert text.count(program) == 1
    parses(text, folder)
    tells = f'{folder}/tells "$NO_PROXY" "$no_proxy"'
    file = written(folder, "opencode", text.replace(f"'{program}'", tells))
    found = ran([str(file), *words], folder, NO_PROXY=proxies)
    host = urlsplit(url).hostname
    listed = f",{host}," in f",{proxies},"
    kept = proxies if listed or not url else ",".join(filter(None, [host, proxies]))
    assert found == [kept, kept, *words]


SERVERS = {"omlx": "omlx_base_path", "mlx_lm": "mlx_lm_model"}


def server_words(folder: Path, backend: str, role: Role, text: str) -> tuple[list[str], list[str]]:
    """What is run first, through closet-log, and what then, once the memory is there."""
    environment = role.value(role.variables[f"{backend}_environment"])
    parses(text, folder)
    written(folder, "sysctl", "#!/bin/sh\necho 4294967296\n")
    for program in ("python", "omlx"):
        text = text.replace(f"{environment}/bin/{program}", f"{folder}/tells")
    file = written(folder, "server", text.replace("/usr/sbin/sysctl", f"{folder}/sysctl"))
    second = ran([str(file), "logged"], folder)
    said, _line, first_word = second[0].partition("\n")
    assert said.startswith(f"closet-{backend.replace('_', '-')}: ")
    return ran([str(file)], folder), [first_word, *second[1:]]


@MODEST
@given(
    accepted("omlx_log"),
    accepted("omlx_launchd_log"),
    HOMES | accepted("omlx_base_path"),
    accepted("omlx_wired_limit_mb"),
    accepted("omlx_log_size_kib"),
    accepted("omlx_log_count"),
)
def test_what_starts_omlx(
    folder: Path, log: str, ends: str, base: str, limit: Any, size: Any, count: Any
) -> None:
    logs = {"omlx_log": log, "omlx_launchd_log": ends, "omlx_log_size_kib": size}
    role = Role(
        *("omlx",),
        **logs,
        omlx_base_path=base,
        omlx_wired_limit_mb=limit,
        omlx_log_count=count,
    )
    text = role.text("closet-omlx")
    first, second = server_words(folder, "omlx", role, text)
    assert first == [
        *("/opt/closet/bin/closet-log", "--file", log, "--bytes", str(int(size) * 1024)),
        *("--count", str(int(count)), "--ends", ends, "--twin", f"{base}/logs/server.log"),
        *("--", f"{folder}/server", "logged"),
    ]
    assert second == ["serve", "--base-path", base]


@MODEST
@given(
    accepted("mlx_lm_log"),
    accepted("mlx_lm_launchd_log"),
    accepted("mlx_lm_model") | LINES,
    accepted("mlx_lm_max_tokens"),
    accepted("mlx_lm_server_port"),
)
def test_what_starts_mlx_lm(
    folder: Path, log: str, ends: str, model: str, tokens: Any, port: Any
) -> None:
    role = Role(
        *("gateway",),
        behind="mlx_lm",
        mlx_lm_log=log,
        mlx_lm_launchd_log=ends,
        mlx_lm_model=model,
        mlx_lm_max_tokens=tokens,
        mlx_lm_server_port=port,
    )
    first, second = server_words(folder, "mlx_lm", role, role.text("closet-mlx-lm"))
    assert first[1:3] == ["--file", log]
    assert first[-5:] == ["--ends", ends, "--", f"{folder}/server", "logged"]
    assert (second[0], len(second)) == ("-c", 12)
    assert second[2:] == [
        *("--host", "127.0.0.1", "--port", str(int(port)), "--model", model),
        *("--max-tokens", str(int(tokens)), "--prompt-cache-size", "10"),
    ]


@MODEST
@given(
    accepted("tailscale_log"),
    accepted("tailscale_launchd_log"),
    st.lists(accepted("tailscale_daemon_flags"), max_size=3),
    accepted("tailscale_port"),
)
def test_what_starts_tailscaled(
    folder: Path, log: str, ends: str, flags: list[str], port: Any
) -> None:
    role = Role(
        *("tailscale",),
        tailscale_log=log,
        tailscale_launchd_log=ends,
        tailscale_daemon_flags=flags,
        tailscale_port=port,
    )
    text = role.text("closet-tailscaled")
    parses(text, folder)
    python = folder / "tools/usr/bin"
    python.mkdir(parents=True, exist_ok=True)
    written(python, "python3", '#!/bin/sh\n[ "$1" = -c ] || exec printf "%s\\0" "$@"\n')
    written(folder, "xcode-select", f"#!/bin/sh\necho {folder}/tools\n")
    program = role.value(role.variables["tailscale_folder"]) + "/bin/tailscaled"
    text = text.replace("/usr/bin/xcode-select", f"{folder}/xcode-select")
    daemon = [
        *(program, "--state=/Library/Tailscale/tailscaled.state"),
        *("--socket=/var/run/tailscaled.socket", f"--port={int(port)}", "--no-logs-no-support"),
        *flags,
    ]
    assert ran([str(written(folder, "tailscaled", text))], folder) == [
        *("/opt/closet/bin/closet-log", "--file", log, "--bytes", str(2048 * 1024)),
        *("--count", "5", "--ends", ends, "--", *daemon),
    ]


@pytest.mark.parametrize("way", ["stop", "lean"])
@MODEST
@given(
    LINES.filter(bool),
    FACTS,
    st.lists(LINES, min_size=1, max_size=3),
    st.lists(accepted("power_keep_models"), max_size=3),
)
def test_what_the_battery_does(
    folder: Path, way: str, label: str, user: str, words: list[str], models: list[str]
) -> None:
    job = {"label": label, "user": user, "drain": ["/opt/closet/bin/drain", *words]}
    text = Role("power", power_on_battery=way, power_jobs=[job], power_keep_models=models).text(
        "closet-power"
    )
    parses(text, folder)
    bare = folder / "bare"
    bare.mkdir(exist_ok=True)
    written(folder, "pmset", "#!/bin/sh\necho \"Now drawing from 'Battery Power'\"\n")
    notes = folder / "notes"
    notes.write_bytes(b"")
    tells = f"#!/bin/sh\nprintf '%s\\0' \"$@\" >>{notes}\n"
    written(folder, "sudo", tells)
    written(folder, "launchctl", tells)
    mark = folder / "mark"
    mark.unlink(missing_ok=True)
    text = text.replace("PATH=/usr/bin", f"PATH={folder}:/usr/bin")
    text = text.replace("/usr/bin/sudo", f"{folder}/sudo")
    file = written(folder, "power", text.replace("/opt/closet/stopped-on-battery", str(mark)))
    subprocess.run([file], cwd=bare, check=True, stdout=subprocess.DEVNULL)
    assert list(bare.iterdir()) == []
    told = notes.read_text().split("\0")[:-1]
    as_user = ["-n", "-H", "-u", user, "--", "/opt/closet/bin/drain"]
    seen = ["print", f"system/{label}"]
    if way == "stop":
        assert told == [*seen, *as_user, *words, "bootout", f"system/{label}"]
        assert mark.read_text() == f"{label}\n"
    else:
        kept = [word for word in words if not word.startswith("--idle=")]
        keep = [f"--keep={model}" for model in models]
        assert told == [*seen, *as_user, *kept, "--idle=0", "--only-idle", *keep]


def test_what_loads_the_rules_of_pf_parses(folder: Path) -> None:
    text = Role("firewall").text("closet-packet-filter")
    parses(text, folder)
    lines = text.splitlines()
    assert "anchor=com.apple/250.closet" in lines
    assert f"rules={RULES}" in lines
    assert "token=/var/run/inference.closet.packet-filter.token" in lines


RULES = "/opt/closet/firewall/packets.conf"
SECRETS = st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), min_size=1)


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
@MODEST
@given(SECRETS, VALUES)
def test_secrets_reach_the_program_and_nothing_else(
    folder: Path, shell: str, name: str, value: str
) -> None:
    server = {"a": {"url": "http://a/mcp", "headers": {"X": {"secret": f"MCP_{name}"}}}}
    name = f"MCP_{name}"
    role = Role("mcp", mcp_servers=server, mcp_secrets={name: value}, mcp_clients=["claude"])
    files = role.files()
    home = str(role.variables["preflight_mac"]["home"])
    secret = files[f"{home}/.config/closet/secrets/{name}"]["content"]
    path = folder / ".config/closet/secrets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(secret)
    written(folder, "claude", f'#!/bin/sh\nprintf "%s\\0" "${name}" "$@"\n')
    file = written(folder, "mcp.sh", files[f"{home}/.config/closet/mcp.sh"]["content"])
    script = f'. "$1" && claude "$2" && printf "%s\\0" "${{{name}-unset}}"'
    words = [shell, "-c", script, "sh", str(file), value]
    found = ran(words, folder, PATH=f"{folder}:/usr/bin:/bin")
    assert found == [value, value, "unset"]
