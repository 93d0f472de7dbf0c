"""opencode is there at its version and knows the closet, and nobody else."""

from __future__ import annotations

import json

import yaml
from lab_mac import ROOT, Entry, Mac, closet_key, laptop_key, lineup

PROGRAM = "/usr/local/bin/opencode"
KEY, CONFIG = "~/.config/closet/key", "~/.config/opencode/config.json"
LOCK = "/Library/Application Support/opencode/opencode.json"
FILES = {
    KEY: Entry("file", "admin", "staff", "0600"),
    CONFIG: Entry("file", "admin", "staff", "0600"),
    LOCK: Entry("file", "root", "wheel", "0644"),
    PROGRAM: Entry("file", "root", "wheel", "0755"),
    "~/.config/closet": Entry("folder", "admin", "staff", "0700"),
}
VERSION = str(
    yaml.safe_load((ROOT / "roles/opencode/defaults/main.yml").read_text())["opencode_version"]
)


def test_the_pinned_version_is_installed_whole_and_nothing_half_done(laptop: Mac) -> None:
    version = str(laptop.variables.get("opencode_version", VERSION))
    assert laptop.read(f"{PROGRAM} --version") == version
    assert f"exec '/opt/closet/opencode/{version}/" in laptop.read(f"cat {PROGRAM}")
    complete = f"/opt/closet/opencode/{version}/.complete"
    assert laptop.entries(complete)[complete] is not None
    assert ".partial" not in laptop.read("ls /opt/closet/opencode")


def test_the_person_cannot_change_the_program_by_accident(laptop: Mac) -> None:
    writable = r"find /opt/closet ! -type l \( ! -user root -o -perm /022 \) -print -quit"
    assert laptop.read(writable, root=True) == ""


def test_the_key_is_the_persons_and_the_lock_is_roots(laptop: Mac) -> None:
    assert laptop.entries(*FILES) == FILES


def test_its_key_is_its_own_and_only_in_its_file(laptop: Mac, closet: Mac) -> None:
    own = laptop_key(closet, laptop)
    assert own != closet_key(closet)
    same = laptop.read(f"cat {KEY}") == own
    assert same, "the laptop has another key than the one that was made for it"
    assert own not in laptop.read(f"cat {CONFIG} '{LOCK}'")


def test_what_it_makes_of_its_configuration_is_the_closet_on_the_lan(
    laptop: Mac, closet: Mac
) -> None:
    used = json.loads(laptop.read(f"timeout 60 {PROGRAM} debug config"))
    assert list(used["provider"]) == used["enabled_providers"] == ["closet"]
    assert used["provider"]["closet"]["options"]["baseURL"] == f"http://{closet.name}.local:8000/v1"
    assert (used["share"], used["autoupdate"]) == ("disabled", False)


def test_it_asks_nobody_on_the_internet_from_whatever_it_is_started(laptop: Mac) -> None:
    # an editor starts it without any shell of the person's
    made = laptop.read(f"sed 's/^exec .*/env/' {PROGRAM} | env -i /bin/sh").splitlines()
    for name in ("MODELS_FETCH", "AUTOUPDATE", "LSP_DOWNLOAD"):
        assert f"OPENCODE_DISABLE_{name}=1" in made


def test_sampling_is_the_publishers_and_is_sent(laptop: Mac, closet: Mac) -> None:
    used = json.loads(laptop.read(f"timeout 60 {PROGRAM} debug config"))
    for agent in ("build", "plan"):
        name = used["agent"][agent]["model"].partition("/")[2]
        assert (
            used["agent"][agent]["temperature"] == lineup(closet)[name]["sampling"]["temperature"]
        )
        # without it opencode keeps the temperature to itself
        assert used["provider"]["closet"]["models"][name]["temperature"] is True


def test_it_lists_the_chat_models_and_no_other_provider(laptop: Mac, closet: Mac) -> None:
    # a provider's key in the environment is what makes hosted models appear
    keys = "OPENAI_API_KEY=sk-none ANTHROPIC_API_KEY=sk-none"
    listed = laptop.read(f"{keys} timeout 60 {PROGRAM} models")
    chat = {name for name, model in lineup(closet).items() if model["kind"] == "chat"}
    assert set(listed.split()) == {f"closet/{name}" for name in chat}
