"""The laptops: locked to the closet, edited one by one, and polite to what is the person's."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.lab.advice import command, paste
from tests.lab.conftest import ROOT, Done, as_root, on, provisioned, run, site
from tests.lab.pulling import wait_until

pytestmark = pytest.mark.usefixtures("first_run")

CHAT = {"closet/qwen3-coder-next", "closet/qwen3.6-35b"}
# each of these makes hosted models appear in an opencode that is not locked
KEYS = " ".join(
    f"{name}_API_KEY=sk-none"
    for name in (
        "OPENAI",
        "ANTHROPIC",
        "GEMINI",
        "OPENROUTER",
        "GROQ",
        "MISTRAL",
        "XAI",
        "DEEPSEEK",
    )
)
SCHEMA = "https://opencode.ai/config.json"
# opencode itself adds this line where it is missing
OWN = """{
  "$schema": "https://opencode.ai/config.json",
  // mine
  "theme": "gruvbox",
  "share": "auto",
  "provider": {"openai": {"options": {"apiKey": "sk-mine"}}},
  "model": "openai/gpt-5",
  "instructions": ["~/mine.md"],
}
"""
ZED = '{\n  // mine\n  "theme": "Ayu",\n}\n'
VSCODE = '[\n  {"name": "other", "vendor": "x"}\n]\n'
LLM = "- model_id: mine\n  model_name: m\n"
SUPPORT = "Library/Application Support"
THEIRS = {
    ".config/opencode/opencode.jsonc": OWN,
    ".config/opencode/opencode.json": f'{{"$schema": "{SCHEMA}", "keybinds": {{}}}}\n',
    ".config/zed/settings.json": ZED,
    f"{SUPPORT}/Code/User/chatLanguageModels.json": VSCODE,
    f"{SUPPORT}/io.datasette.llm/extra-openai-models.yaml": LLM,
}
SHELLS = {"zsh": "zsh -c", "bash": "bash -ic"}
EDITS: dict[str, object] = {
    "opencode_model": "qwen3.6-35b",
    "opencode_permission": {"bash": {"git push*": "ask"}, "webfetch": "deny"},
    "opencode_agents": {
        "review": {"mode": "subagent", "description": "reviews", "prompt": "Brief."}
    },
    "opencode_instructions": "Speak like a pirate.\n",
    "client_env_tools": ["llm", "zed", "vscode", "continue", "aider"],
}


def write(host: str, name: str, text: str) -> None:
    path = shlex.quote(name)
    on(host, f'mkdir -p "$(dirname {path})" && printf %s {shlex.quote(text)} > {path}')


def read(host: str, name: str) -> str:
    done = on(host, f"cat {shlex.quote(name)}")
    assert done.code == 0, done.output
    return done.output


def say(host: str, shell: str, words: str, limit_s: float = 60) -> Done:
    """What a shell of the person's prints; `bash -i` without a terminal complains first."""
    done = on(host, f"{SHELLS[shell]} {shlex.quote(words)}", limit_s)
    noise = re.compile(r"^bash: (cannot set terminal|no job control).*\n?", re.MULTILINE)
    return Done(done.code, noise.sub("", done.output))


def used(host: str, folder: str = "~") -> dict[str, object]:
    done = on(host, f"cd {folder} && timeout 60 opencode debug config", limit_s=90)
    assert done.code == 0, done.output
    found: dict[str, object] = json.loads(done.output)
    return found


def laptops(*words: str) -> Done:
    """Site.yml for two laptops: the one that is edited and one that is not."""
    return provisioned(site("--limit", "air,pro", *words))


def edited(folder: Path, variables: dict[str, object]) -> tuple[str, ...]:
    """The lab's inventory and one beside it, with one file that matters: host_vars/air.yml."""
    (folder / "host_vars").mkdir()
    (folder / "hosts.yml").write_text("all: {vars: {}}\n")
    (folder / "host_vars/air.yml").write_text(yaml.safe_dump(variables))
    return ("-i", str(ROOT / "inventories/lab"), "-i", str(folder))


@pytest.fixture(scope="module")
def first_run(fresh_lab_with_programs: None) -> Done:
    for name, text in THEIRS.items():
        write("air", name, text)
    return provisioned(site())


@pytest.fixture(scope="module")
def edits(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """An inventory beside the lab's own, with one file: host_vars/air.yml."""
    return edited(tmp_path_factory.mktemp("edits"), EDITS)


def test_what_is_the_persons_is_left_alone_and_conflicts_are_told(first_run: Done) -> None:
    for name, text in THEIRS.items():
        assert read("air", name) == text
    told = " ".join(first_run.output.split())
    assert "air: /Users/admin/.config/opencode/opencode.jsonc is yours and was left alone" in told
    assert "share and provider.openai have no effect, since the closet's lock wins" in told
    assert "model names what the closet does not serve" in told
    assert "sk-mine" not in told
    assert "opencode/opencode.json is yours" not in told, "it collides with nothing"
    own = used("air")
    assert own["share"] == "disabled"
    assert own["instructions"] == ["~/mine.md"]


@pytest.mark.parametrize("laptop", ["air", "pro", "book"])
def test_only_the_closet_is_listed_whatever_keys_are_around(laptop: str) -> None:
    done = on(laptop, f"{KEYS} timeout 60 opencode models", limit_s=90)
    assert (done.code, set(done.output.split())) == (0, CHAT), done.output


def test_only_the_closet_is_listed_without_any_network() -> None:
    command = f"{KEYS} timeout 60 opencode models > /tmp/offline 2>&1"
    as_root("air", f"unshare --net su - admin -c {shlex.quote(command)}")
    assert set(read("air", "/tmp/offline").split()) == CHAT


def test_a_project_can_neither_add_nor_take_away() -> None:
    project = {
        "enabled_providers": ["openai", "away"],
        "disabled_providers": ["closet"],
        "share": "auto",
        "provider": {
            "away": {"npm": "@ai-sdk/openai-compatible", "models": {"x": {}}},
            "closet": {
                "whitelist": ["evil"],
                "blacklist": ["qwen3.6-35b"],
                "options": {"baseURL": "http://example.invalid/v1", "timeout": 1},
                "models": {
                    "evil": {"name": "Evil"},
                    "qwen3.6-35b": {"id": "gpt-9", "status": "deprecated"},
                    "qwen3-coder-next": {"provider": {"api": "http://example.invalid/v1"}},
                },
            },
        },
    }
    on("pro", "mkdir -p ~/project/.opencode && cd ~/project && git init -q .")
    for name in ("opencode.json", ".opencode/opencode.json"):
        write("pro", f"project/{name}", json.dumps(project))
    content = shlex.quote(json.dumps({"enabled_providers": ["openai"]}))
    words = f"{KEYS} OPENCODE_CONFIG_CONTENT={content} timeout 60 opencode models --verbose"
    listed = on("pro", f"cd ~/project && {words}", limit_s=90)
    assert {line for line in listed.output.splitlines() if line.startswith("closet/")} == CHAT
    assert "/" not in re.sub(r"^closet/.*$|^ .*$", "", listed.output, flags=re.MULTILINE)
    assert "example.invalid" not in listed.output
    assert "gpt-9" not in listed.output
    answered = on("pro", "cd ~/project && timeout 150 opencode run 'Who are you?'", limit_s=180)
    assert "qwen3-coder-next" in answered.output, answered.output
    on("pro", "rm -rf ~/project")


@pytest.mark.parametrize("shell", SHELLS)
def test_closet_works_in_the_shells(shell: str) -> None:
    assert say("pro", shell, "closet url").output == "http://attic.local:8000/v1\n"
    models = say("pro", shell, "closet models").output.split()
    assert {f"closet/{model}" for model in models} > CHAT
    health = say("pro", shell, "closet health")
    assert (health.code, "takes the key of this laptop" in health.output) == (0, True)
    asked = say("pro", shell, 'echo "and why?" | closet ask "Who are you?" -', limit_s=150)
    assert (asked.code, "qwen3.6-35b" in asked.output) == (0, True), asked.output
    both = say("pro", shell, "env | grep -c ^OPENAI_; closet env; env | grep -c ^OPENAI_")
    assert both.output.split() == ["0", "3"]


def test_a_proxy_of_the_laptop_is_never_shown_the_key() -> None:
    """Nobody listens at the proxy, so whatever goes there fails; the person's own list stays."""
    proxy = "http://127.0.0.1:9"
    set_ = (
        f"HTTP_PROXY={proxy} http_proxy={proxy} ALL_PROXY={proxy} NO_PROXY=localhost,corp.example"
    )
    asked = on(
        "pro", f"env -u no_proxy {set_} timeout 150 opencode run 'Who are you?'", limit_s=180
    )
    assert "qwen3-coder-next" in asked.output, asked.output
    seen = say("pro", "zsh", 'echo "$NO_PROXY $no_proxy"').output.split()
    assert seen == ["attic.local", "attic.local"]
    nested = "zsh -c 'zsh -c \"echo \\$NO_PROXY\"'"
    # the shell that ssh starts has put it there already
    again = on("pro", f"env -u no_proxy {set_} {nested}")
    assert again.output.split() == ["attic.local,localhost,corp.example"]
    health = on("pro", f"env {set_} zsh -c 'closet health'")
    assert (health.code, "takes the key of this laptop" in health.output) == (0, True)


@pytest.mark.parametrize("shell", SHELLS)
def test_closet_says_that_a_key_is_refused(shell: str) -> None:
    key = read("pro", ".config/closet/key")
    try:
        write("pro", ".config/closet/key", "a-key-that-was-taken-back-long-ago-00000\n")
        for words in ("closet models", "closet ask hello", "closet health"):
            done = say("pro", shell, words)
            assert done.code == 1
            assert "attic refuses the key of this laptop" in done.output
            assert "taken-back" not in done.output
    finally:
        write("pro", ".config/closet/key", key)


def test_a_model_or_a_permission_that_cannot_be_is_refused_first(tmp_path: Path) -> None:
    wrong: dict[str, object] = {
        "opencode_model": "qwen3.6-35B",
        "opencode_permission": {"bsh": "ask", "edit": "alow"},
        "client_env_tools": ["zedd"],
    }
    done = site(*edited(tmp_path, wrong), "--limit", "air,pro")
    assert done.code != 0
    said = " ".join(done.output.split())
    for words in (
        "Nothing was changed.",
        "air: opencode_model is 'qwen3.6-35B', but attic serves",
        "do you mean qwen3.6-35b?",
        "opencode has no permission bsh, do you mean bash?",
        "opencode_permission.edit is 'alow', and it can be ask, allow, deny, do you mean allow?",
        "client_env_tools",
        "zedd",
    ):
        assert words in said, done.output[-3000:]


def test_edits_reach_that_laptop_alone_and_their_files_keep_what_was_in_them(
    edits: tuple[str, ...],
) -> None:
    done = laptops(*edits)
    assert {host: done.changed()[host] for host in ("air", "pro")} == {"air": 2, "pro": 0}
    key = read("air", ".config/closet/key").strip()
    assert key not in done.output
    config = used("air")
    assert config["agent"]["build"]["model"] == "closet/qwen3.6-35b"  # type: ignore[index]
    assert config["agent"]["review"]["mode"] == "subagent"  # type: ignore[index]
    assert config["permission"] == EDITS["opencode_permission"]
    assert config["instructions"] == ["~/mine.md", "/Users/admin/.config/closet/instructions.md"]
    assert read("air", ".config/closet/instructions.md") == EDITS["opencode_instructions"]
    assert ZED[:-3] in read("air", ".config/zed/settings.json")
    assert '"api_url": "http://attic.local:8000/v1"' in read("air", ".config/zed/settings.json")
    chat = json.loads(read("air", f"{SUPPORT}/Code/User/chatLanguageModels.json"))
    assert [entry["name"] for entry in chat] == ["other", "closet"]
    llm = f"{SUPPORT}/io.datasette.llm"
    models = yaml.safe_load(read("air", f"{llm}/extra-openai-models.yaml"))
    assert [model["model_id"] for model in models] == ["mine", *sorted(CHAT)]
    keys = json.loads(read("air", f"{llm}/keys.json"))
    same = keys == {"closet": key}
    assert same, "llm has another key than the laptop's"
    ours = yaml.safe_load(read("air", ".continue/models/closet.yaml"))
    assert {model["apiBase"] for model in ours["models"]} == {"http://attic.local:8000/v1"}
    modes = on("air", f"stat -c %a '{llm}/keys.json' ~/.continue/models/closet.yaml")
    assert modes.output.split() == ["600", "600"]


@pytest.mark.parametrize("shell", SHELLS)
def test_aider_alone_gets_the_key(shell: str) -> None:
    on("air", "mkdir -p ~/bin && printf '#!/bin/sh\\nenv | grep ^AIDER_\\n' > ~/bin/aider")
    on("air", "chmod 755 ~/bin/aider")
    given = say("air", shell, "PATH=~/bin:$PATH; aider; env | grep -c AIDER_").output.splitlines()
    assert given[-1] == "0"
    names = {line.partition("=")[0] for line in given[:-1]}
    assert names == {
        "AIDER_OPENAI_API_BASE",
        "AIDER_OPENAI_API_KEY",
        "AIDER_MODEL",
        "AIDER_MODEL_METADATA_FILE",
    }


OPEN: dict[str, object] = {
    "webfetch": "allow",
    "bash": {"git push*": "allow", "*": "allow"},
    "*": "allow",
}
PROJECTS: dict[str, dict[str, object]] = {
    "permission": {"permission": OPEN},
    "agent": {"agent": {"build": {"permission": OPEN}, "general": {"permission": OPEN}}},
    "tools": {"tools": {"webfetch": True, "*": True}, "mode": {"build": {"permission": OPEN}}},
}


def rules(agent: str, project: dict[str, object], variable: str = "{}") -> tuple[str, str, bool]:
    """What opencode does with webfetch and with a push, and whether it has webfetch as a tool."""
    write("air", "project/opencode.json", json.dumps(project))
    set_ = f"OPENCODE_PERMISSION={shlex.quote(variable)}"
    command = f"cd ~/project && {set_} timeout 60 opencode debug agent {agent}"
    done = on("air", command, limit_s=90)
    assert done.code == 0, done.output
    told = json.loads(done.output)

    def decided(name: str, what: str) -> str:
        found = [
            rule["action"]
            for rule in told["permission"]
            if fnmatch.fnmatchcase(name, rule["permission"].removesuffix(" *"))
            and fnmatch.fnmatchcase(what, rule["pattern"])
        ]
        return str(found[-1])

    return decided("webfetch", "x"), decided("bash", "git push origin"), told["tools"]["webfetch"]


@pytest.mark.parametrize("agent", ["build", "general"])
@pytest.mark.parametrize("form", PROJECTS)
def test_a_locked_permission_holds_against_a_project_and_the_environment(
    agent: str, form: str
) -> None:
    assert rules(agent, PROJECTS[form], json.dumps(OPEN)) == ("deny", "ask", False)
    on("air", "rm -rf ~/project")


def test_an_agent_that_a_project_names_itself_is_not_held() -> None:
    """As docs/clients.md says."""
    mine: dict[str, object] = {"agent": {"mine": {"permission": OPEN}}}
    assert rules("mine", mine)[0] == "allow"
    on("air", "rm -rf ~/project")


def test_merging_again_changes_nothing(edits: tuple[str, ...]) -> None:
    done = laptops(*edits)
    assert {host: done.changed()[host] for host in ("air", "pro")} == {"air": 0, "pro": 0}


def test_without_the_edits_everything_is_as_it_was() -> None:
    assert laptops().changed()["air"] == 2
    for name, text in THEIRS.items():
        assert read("air", name) == text
    gone = f"'{SUPPORT}/io.datasette.llm/keys.json' .continue/models/closet.yaml"
    assert on("air", f"ls {gone} .config/closet/instructions.md").output.count("No such file") == 3
    assert used("air")["instructions"] == ["~/mine.md"]


def test_settings_of_theirs_in_the_closets_own_file_stop_the_run() -> None:
    own = read("air", ".config/opencode/config.json")
    write("air", ".config/opencode/config.json", '{"theme": "mine"}')
    done = site("--limit", "air")
    assert done.code != 0
    assert "config.json (of uid 501) holds settings of yours" in " ".join(done.output.split())
    assert read("air", ".config/opencode/config.json") == '{"theme": "mine"}'
    write("air", ".config/opencode/config.json", own)


CONFIRMED = "/opt/closet/opencode/confirmed"


def test_a_run_is_not_green_when_opencode_refuses_what_it_reads() -> None:
    """Without the record, as after a power cut between what was written and the question."""
    write("pro", ".opencode/opencode.json", '{"share": "sk-of-theirs"}')
    as_root("pro", f"rm {CONFIRMED}")
    for _run in range(2):
        done = site("--limit", "pro")
        said = " ".join(done.output.split())
        assert done.code != 0
        assert "Configuration is invalid at /Users/admin/.opencode/opencode.json" in said
        assert "share" in said
        assert "That file belongs to admin: correct it" in said
        assert "sk-of-theirs" not in said
    on("pro", "rm -r ~/.opencode")
    assert provisioned(site("--limit", "pro")).changed()["pro"] == 0
    owned = on("pro", f"stat -c '%U %a' {CONFIRMED}; ls .local/share/opencode/log | wc -l")
    assert owned.output.split()[:2] == ["root", "644"]
    assert provisioned(site("--limit", "pro")).changed()["pro"] == 0
    again = on("pro", "ls .local/share/opencode/log | wc -l").output.split()
    assert again == owned.output.split()[2:], "a run without changes asked opencode"


def test_the_persons_own_shell_is_asked() -> None:
    """Another opencode comes first, by .zshrc alone; zsh looks for its files where /etc says."""
    write("pro", ".v2/bin/opencode", "#!/bin/sh\necho 2.0.32\n")
    on("pro", "chmod 755 .v2/bin/opencode; echo 'PATH=~/.v2/bin:$PATH; echo hello' >> .zshrc")
    as_root("book", "echo 'ZDOTDIR=$HOME/.config/zsh' >> /etc/zsh/zshenv")
    nothing = on("book", "zsh -c 'echo $CLOSET_URL'").output.split()
    done = provisioned(site("--limit", "pro,book"))
    said = " ".join(done.output.split())
    assert nothing == []
    assert done.changed()["book"] == 1
    other = "/Users/admin/.v2/bin/opencode"
    assert f"in the shell of admin (/bin/zsh) `opencode` is {other} (2.0.32)" in said
    assert f"`mv -n {other} {other}.other`" in said
    assert "/usr/local/bin/opencode (1.18.33)" in said
    assert said.count("`opencode` is") == 1, "book has no other"
    health = on("pro", "zsh -ic 'closet health'")
    assert f"opencode is {other} (2.0.32) here, before the closet's" in health.output
    assert health.code == 0
    on("pro", f"mv -n {other} {other}.other")
    assert "(2.0.32)" not in on("pro", "zsh -ic 'closet health'").output
    seen = on("book", "zsh -c 'echo $CLOSET_URL; whence -w closet'").output.split()
    assert seen == ["http://attic.local:8000/v1", "closet:", "function"]
    again = provisioned(site("--limit", "pro,book"))
    assert (again.changed()["pro"], again.changed()["book"]) == (0, 0)
    assert "`opencode` is" not in " ".join(again.output.split())


@pytest.mark.parametrize("surroundings", ["HOME=/Users/admin", "", "HOME=/nowhere"])
def test_closet_is_a_program_for_what_reads_no_file_of_a_shell(surroundings: str) -> None:
    """An editor, cron, tcsh: no variables of ours, another PATH, and proxies."""
    proxies = "http_proxy=http://127.0.0.1:9 ALL_PROXY=http://127.0.0.1:9"
    clean = f"env -i {surroundings} {proxies} PATH=/usr/bin:/bin /usr/local/bin/closet"
    done = on("air", f"{clean} health")
    assert (done.code, "takes the key of this laptop" in done.output) == (0, True), done.output
    lines = on("air", f"{clean} env").output
    assert "OPENAI_API_KEY" in lines
    assert read("air", ".config/closet/key").strip() not in lines
    same = on("air", f'eval "$({clean} env)"; [ "$OPENAI_API_KEY" = "$(cat .config/closet/key)" ]')
    assert same.code == 0


def test_closet_is_roots_and_shows_nobody_elses_key() -> None:
    assert on("air", "stat -c '%U %a' /usr/local/bin/closet").output.split() == ["root", "755"]
    done = on("air", "sudo env HOME=/Users/admin /usr/local/bin/closet models")
    assert done.code == 1
    assert "does not belong to root" in done.output


def test_a_laptop_that_gets_no_answer_leads_to_what_launchd_says_on_the_closet() -> None:
    closet = ("--limit", "attic,localhost")
    provisioned(run("ansible-playbook", "playbooks/stop.yml", *closet))
    done = site("--limit", "air")
    looked = paste(command(done.output, "launchd_job_info"))
    provisioned(run("ansible-playbook", "playbooks/start.yml", *closet))
    assert done.code != 0
    assert done.changed()["air"] == 0
    assert looked.code == 0
    jobs = yaml.safe_load(looked.output.partition("=>")[2])["jobs"]
    states = {job["label"]: job["state"] for job in jobs}
    assert states["inference.closet.omlx"] != "running"
    assert states["inference.closet.wired-memory"] != "absent", "only omlx was stopped"
    # start.yml does not wait until the models are loaded
    wait_until(lambda: on("air", "closet health").code == 0)
