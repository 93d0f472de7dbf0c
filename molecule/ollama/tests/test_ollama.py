"""ollama serves the profile's model under its served name, and only the gateway reaches it."""

from __future__ import annotations

import json
import re

from lab_mac import Entry, Job, Mac, closet_key

JOB = Job("inference.closet.ollama", "/var/log/closet/ollama/ollama.log")
PLIST = f"/Library/LaunchDaemons/{JOB.label}.plist"
SERVER = "http://127.0.0.1:8002"
MODEL, TAG = "qwen3-coder-next", "qwen3-coder-next:q4_K_M"
FILES = {
    PLIST: Entry("file", "root", "wheel", "0644"),
    "/Users/admin/.ollama": Entry("folder", "admin", "staff", "0700"),
    "/var/log/closet/ollama": Entry("folder", "admin", "staff", "0750"),
}


def test_files_are_whose_they_should_be(closet: Mac) -> None:
    assert closet.entries(*FILES) == FILES


def test_launchd_runs_it_as_the_account_from_a_program_of_root(closet: Mac) -> None:
    found = re.search(r"^\tpid = (\d+)$", closet.job(JOB.label), re.MULTILINE)
    assert found, "launchd runs no process for it"
    assert closet.read(f"ps -o user= -p {found[1]}") == "admin"
    program = closet.read(f"plutil -extract ProgramArguments.7 raw {PLIST}")
    writable = f"find {program.rsplit('/', 1)[0]} \\( ! -user root -o -perm /022 \\)"
    assert closet.read(writable, root=True) == ""


def test_the_archive_is_gone_and_the_mark_is_there(closet: Mac) -> None:
    listed = closet.read("ls -A /opt/closet/ollama/*").split()
    assert ".complete" in listed
    assert not [name for name in listed if name.endswith(".tgz")]


def test_the_served_name_is_the_model_of_the_library(closet: Mac) -> None:
    models = json.loads(closet.read(f"curl -sf {SERVER}/api/tags"))["models"]
    digests = {model["name"].rsplit("/", 1)[-1]: model["digest"] for model in models}
    assert digests[f"{MODEL}:latest"] == digests[TAG]


def test_it_listens_on_loopback_alone(closet: Mac) -> None:
    found = closet.read("lsof -nP -iTCP:8002 -sTCP:LISTEN -Fn", root=True)
    assert {line for line in found.splitlines() if line.startswith("n")} == {"n127.0.0.1:8002"}


def test_its_own_api_is_not_for_laptops(closet: Mac) -> None:
    shown = f"-H 'Authorization: Bearer {closet_key(closet)}'"
    for path in ("/api/tags", "/api/pull", "/api/delete"):
        url = f"http://127.0.0.1:8000{path}"
        asked = closet.read(f"curl -s -o /dev/null -w '%{{http_code}}' {shown} -d '{{}}' {url}")
        assert asked == "404", path


def test_no_other_backend_is_known_to_launchd(closet: Mac) -> None:
    for label in ("inference.closet.omlx", "inference.closet.mlx-lm"):
        assert "Could not find service" in closet.job(label)
