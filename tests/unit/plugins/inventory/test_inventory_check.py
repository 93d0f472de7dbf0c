"""Which profile a closet gets, through Ansible: asked for, chosen before, or the inventory's."""

from __future__ import annotations

import base64
import json
import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.inventory.checks import extra_errors
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.hosts import Inventory
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.specs import read
from ansible_collections.closet.inference.plugins.plugin_utils.invocation import Invocation
from tests.ansible_runs import ansible_playbook

ROOT = Path(__file__).resolve().parents[4]
PLAY = """\
- hosts: all
  gather_facts: false
  vars_files: ["{{ lineup }}"]
  tasks:
    - closet.inference.inventory_check:
        models: "{{ preflight_models }}"
        profiles: "{{ preflight_profiles }}"
        profile: "{{ profile | default('') }}"
        closet: "{{ closet | default('') }}"
      run_once: true
      register: house
    - ansible.builtin.debug:
        msg: "<{{ house.servings | to_json | b64encode }}>"
      run_once: true
"""


def check(folder: Path, closets: tuple[str, ...], *words: str) -> tuple[dict[str, Any], str]:
    """The serving configurations by closet, or nothing, and everything that was printed."""
    hosts = "".join(f"        {name}: {{closet_profile: default}}\n" for name in closets)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (home / "hosts.yml").write_text(
        "all:\n  vars: {ansible_connection: local, ansible_python_interpreter: "
        f"{sys.executable}}}\n  children:\n    closet:\n      hosts:\n{hosts}"
    )
    (folder / "play.yml").write_text(PLAY)
    lineup = ROOT / "roles/preflight/vars/main.yml"
    given = ("-i", home, folder / "play.yml", "-e", f"lineup={lineup}")
    _code, text = ansible_playbook(ROOT, *given, *words)
    before, *shown = re.split("<([a-zA-Z0-9+/=]+)>", text, maxsplit=1)
    servings: dict[str, Any] = json.loads(base64.b64decode(shown[0])) if shown else {}
    return servings, " ".join("".join([before, *shown[1:]]).split())


def test_a_profile_that_is_asked_for_goes_before_the_inventory(tmp_path: Path) -> None:
    servings, text = check(tmp_path, ("attic",), "-e", "profile=lean")
    assert servings, text
    seen = {key: servings["attic"][key] for key in ("profile", "chosen", "remembered")}
    assert seen == {"profile": "lean", "chosen": True, "remembered": False}
    assert servings["attic"]["inventory_profile"] == "default"


def test_what_was_chosen_holds_until_the_line_changes(tmp_path: Path) -> None:
    kept = tmp_path / "home/.closet/attic.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"profile": "mlx-coding", "inventory_profile": "default"}))
    servings, text = check(tmp_path, ("attic",))
    assert servings, text
    assert (servings["attic"]["profile"], servings["attic"]["remembered"]) == ("mlx-coding", True)
    kept.write_text(json.dumps({"profile": "mlx-coding", "inventory_profile": "lean"}))
    servings, _text = check(tmp_path, ("attic",))
    assert (servings["attic"]["profile"], servings["attic"]["chosen"]) == ("default", False)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-e", "profile=lean"], "there are 2 closets (attic, cellar): say which one"),
        (["-e", "profile=lean", "-e", "closet=atic"], "closet=atic: no host of the group closet"),
    ],
)
def test_nobody_guesses_which_closet_is_meant(
    words: list[str], sentence: str, tmp_path: Path
) -> None:
    servings, text = check(tmp_path, ("attic", "cellar"), *words)
    assert not servings
    assert sentence in text


def test_one_of_two_closets_is_switched(tmp_path: Path) -> None:
    servings, text = check(
        tmp_path, ("attic", "cellar"), "-e", "profile=lean", "-e", "closet=cellar"
    )
    assert servings, text
    assert {name: serving["profile"] for name, serving in servings.items()} == {
        "attic": "default",
        "cellar": "lean",
    }


def secrets(folder: Path) -> tuple[Path, Path]:
    """A folder of keys that is open to others, and a key in it that is too."""
    home = folder / "home/.secrets"
    (home / "attic").mkdir(parents=True)
    key = home / "attic.key"
    key.write_text("0123456789abcdef\n")
    for path, mode in ((home, 0o755), (home / "attic", 0o700), (key, 0o644)):
        path.chmod(mode)
    return home, key


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_keys_that_are_open_to_others_are_closed_once_and_in_check_mode_not(
    tmp_path: Path,
) -> None:
    home, key = secrets(tmp_path)
    _serving, text = check(tmp_path, ("attic",), "--check")
    assert f"A real run sets the mode of {home} from 0755 to 0700, {key} from 0644" in text
    assert "changed=1" in text
    assert (mode(home), mode(key)) == (0o755, 0o644)
    servings, text = check(tmp_path, ("attic",))
    assert servings, text
    assert f"Set the mode of {home} from 0755 to 0700, {key} from 0644 to 0600" in text
    assert f"-i {tmp_path}/home closet.inference.site -e rotate=main" in text
    assert (mode(home), mode(key)) == (0o700, 0o600)
    _serving, text = check(tmp_path, ("attic",), "--check")
    assert "WARNING" not in text
    assert "changed=0" in text


def test_a_run_that_is_refused_mends_nothing_and_names_every_file(tmp_path: Path) -> None:
    home, key = secrets(tmp_path)
    (home / "attic/air.key").mkdir()
    servings, text = check(tmp_path, ("attic",))
    assert not servings
    assert f"Nothing was changed. {home}/attic/air.key is a folder, and a file is expected" in text
    assert "Errno" not in text
    assert (mode(home), mode(key)) == (0o755, 0o644)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty; remove it with `rm "),
        (b" \n\n", "is empty; remove it with `rm "),
        (b"0123456789abcdef\n0123456789abcdef\n", "has more than one line; remove it"),
        (bytes(range(256)), "has more than one line; remove it"),
        (b"0123456789abcdef\xff\x00", "has characters other than"),
    ],
)
def test_a_file_that_holds_no_key_is_refused_by_its_path(
    content: bytes, sentence: str, tmp_path: Path
) -> None:
    _home, key = secrets(tmp_path)
    key.write_bytes(content)
    # on loopback too: it is the server's own key
    servings, text = check(tmp_path, ("attic",))
    assert not servings
    assert f"{key} {sentence}" in text


@pytest.mark.parametrize("broken", ["", "not JSON", "[]", '{"profile": "lean"}'])
def test_a_choice_that_cannot_be_read_is_not_passed_over(broken: str, tmp_path: Path) -> None:
    kept = tmp_path / "home/.closet/attic.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(broken)
    servings, text = check(tmp_path, ("attic",))
    assert not servings
    assert f"{kept} holds the profile that was chosen for this closet, and" in text
    assert "closet.inference.profile -e profile=default`" in text
    servings, _text = check(tmp_path, ("attic",), "-e", "profile=lean")
    assert servings["attic"]["profile"] == "lean"


def refused(folder: Path, *words: str) -> str:
    """What is said of an inventory that is refused, from its folder on."""
    servings, text = check(folder, ("attic",), *words)
    assert not servings
    assert "Traceback" not in text
    return text.partition("Nothing was changed.")[2]


def test_a_value_is_told_with_its_own_place_whatever_the_source(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for part in ("host_vars", "group_vars"):
        (home / part).mkdir(parents=True)
    # what also stands in a comment further up is not there
    (home / "host_vars/attic.yml").write_text(
        "# closet_port: 8000\n# closet_prot: 1\ncloset_port: eight\ncloset_prot: 1\n"
    )
    (home / "group_vars/all.json").write_text('{"models_connections": 0, "omlx_tll_seconds": 5}')
    (home / "group_vars/closet.yml").write_text("omlx_models: a\nomlx_ttl_seconds:\n")
    text = refused(
        tmp_path, "-e", "omlx_port=abc", "-e", "omlx_pim=1", "-e", '{"models_follow": 7}'
    )
    for sentence in (
        f"{home}/host_vars/attic.yml:3 (host attic): closet_port is 'eight', and it has to be a",
        f"{home}/host_vars/attic.yml:4: no role knows the variable closet_prot",
        f"{home}/group_vars/all.json (host attic): models_connections is 0, and it has to be a",
        f"{home}/group_vars/closet.yml:2 (host attic): omlx_ttl_seconds is empty, and it has to be",
        f"{home}/group_vars/closet.yml:1 (host attic): omlx_models is 'a', and it has to be a list",
        "-e (host attic): omlx_port is 'abc', and it has to be a whole number from 1 to 65535",
        "-e: no role knows the variable omlx_pim (host attic), do you mean omlx_pin?",
        "-e (host attic): models_follow is 7, and it has to be true or false",
        "no role knows the variable omlx_tll_seconds (host attic), do you mean omlx_ttl_seconds?",
    ):
        assert sentence in text, sentence


def test_a_variable_of_a_playbook_is_checked_too(tmp_path: Path) -> None:
    text = refused(
        tmp_path, "-e", "profle=lean", "-e", "scop=lan", "-e", "scope=wan", "-e", "replace=maybe"
    )
    for sentence in (
        "-e: no playbook knows the variable profle, do you mean profile?",
        "-e: no playbook knows the variable scop, do you mean scope?",
        "-e: scope is 'wan', and it has to be one of lan, local",
        "-e: replace is 'maybe', and it has to be true or false",
    ):
        assert sentence in text, sentence
    assert "no role knows the variable profle" not in text, "once is enough"
    assert "variable lineup" not in text, "it is the owner's own"


@pytest.mark.parametrize(
    ("playbook", "extra", "errors"),
    [
        (
            "expose",
            {},
            [
                "expose.yml needs scope, one of lan, local: "
                "`ansible-playbook playbooks/expose.yml -e scope=lan`"
            ],
        ),
        (
            "expose",
            {"scope": "wan"},
            [
                "-e: scope is 'wan', and it has to be one of lan, local: "
                "`ansible-playbook playbooks/expose.yml -e scope=lan`"
            ],
        ),
        ("expose", {"scope": "local"}, []),
        (
            "profile",
            {},
            [
                "profile.yml needs profile, one of lean, default: "
                "`ansible-playbook playbooks/profile.yml -e profile=lean`"
            ],
        ),
        ("site", {}, []),
        ("", {}, []),
    ],
)
def test_a_playbook_is_not_run_without_what_it_needs(
    playbook: str, extra: dict[str, str], errors: list[str]
) -> None:
    groups = {"closet": ["attic"]}
    inventory = Inventory({"groups": groups, "hostvars": _Hosts(attic=extra)}, read(), list(extra))
    found = extra_errors(inventory, playbook, Invocation(), ["lean", "default"])
    assert list(found) == errors


class _Hosts(dict[str, Any]):
    def raw_get(self, host: str) -> Any:
        return self[host]


def test_a_file_of_a_host_that_is_not_there_is_told(tmp_path: Path) -> None:
    for name in (
        "host_vars/atic.yml",
        "group_vars/closets.yml",
        "group_vars/all.yml",
        "group_vars/README.md",
    ):
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine: 1\n")
    servings, text = check(tmp_path, ("attic",))
    assert servings
    assert "host_vars/atic.yml is read for no host, since the inventory has none named atic" in text
    assert "named atic, do you mean attic?" in text
    assert "group_vars/closets.yml is read for no group" in text
    assert "all.yml is read" not in text
    assert "README" not in text


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_the_controllers_own_name_is_no_laptops(name: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/zz.yml").write_text(
        f"clients: {{hosts: {{'{name}': {{ansible_connection: local}}}}}}\n"
    )
    text = refused(tmp_path)
    assert f"{name} is Ansible's own name for the machine that it runs on" in text
    assert "`air: {ansible_connection: local}`" in text


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("closet_profiles: {mine: null}", "profile default"),
        ("closet_models: [x]", "closet_models is a list, and it has to be a mapping"),
        ("closet_profiles: {default: null}", "profile default is None, and it has to be a mapping"),
        ("closet_url_host: http://attic.local", "it has to be a host name or an IP address"),
        ("ansible_host: fe80::1%en0", "set closet_url_host for it"),
    ],
)
def test_no_shape_crashes_the_check(line: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "home/host_vars/attic.yml"
    path.parent.mkdir(parents=True)
    path.write_text(f"{line}\n")
    if "mine" in line:  # nobody asked for it
        servings, _text = check(tmp_path, ("attic",))
        assert servings["attic"]["profile"] == "default"
    else:
        assert sentence in refused(tmp_path)


def test_an_ipv6_address_and_a_number_in_quotes_make_a_url(tmp_path: Path) -> None:
    path = tmp_path / "home/host_vars/attic.yml"
    path.parent.mkdir(parents=True)
    path.write_text("closet_url_host: fd00::100\ncloset_port: '8080'\n")
    servings, text = check(tmp_path, ("attic",))
    assert servings, text
    assert (servings["attic"]["url"], servings["attic"]["port"]) == (
        "http://[fd00::100]:8080/v1",
        8080,
    )


def test_two_spellings_of_one_address_are_one_mac(tmp_path: Path) -> None:
    for name, address in (("attic", "Air.local"), ("cellar", "air.local.")):
        path = tmp_path / f"home/host_vars/{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"ansible_host: {address}\n")
    servings, text = check(
        tmp_path, ("attic", "cellar"), "-e", "profile=lean", "-e", "closet=attic"
    )
    assert not servings
    assert "cellar and attic have one address (air.local.)" in text
