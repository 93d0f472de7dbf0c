"""mlx_lm serves the profile's one model on loopback, from a program that it cannot change."""

from __future__ import annotations

import json
import re

from lab_mac import Entry, Job, Mac, closet_key, eventually

JOB = Job("inference.closet.mlx-lm", "/var/log/closet/mlx_lm/mlx_lm.log")
PLIST = f"/Library/LaunchDaemons/{JOB.label}.plist"
PROGRAM = "/opt/closet/bin/closet-mlx-lm"
SERVER = "http://127.0.0.1:8001"
MODEL = "qwen3-coder-next"
FILES = {
    PLIST: Entry("file", "root", "wheel", "0644"),
    PROGRAM: Entry("file", "root", "wheel", "0644"),
    "/var/log/closet/mlx_lm": Entry("folder", "admin", "staff", "0750"),
}


def test_files_are_whose_they_should_be(closet: Mac) -> None:
    assert closet.entries(*FILES) == FILES


def test_launchd_runs_it_as_the_account(closet: Mac) -> None:
    found = re.search(r"^\tpid = (\d+)$", closet.job(JOB.label), re.MULTILINE)
    assert found, "launchd runs no process for it"
    assert closet.read(f"ps -o user= -p {found[1]}") == "admin"


def test_the_account_cannot_change_what_it_runs(closet: Mac) -> None:
    programs = closet.read(f"sed -n 's:.*<string>\\(.*\\)/bin/python</string>:\\1:p' {PLIST}")
    environment = programs.splitlines()[0]
    assert re.fullmatch(r"/opt/closet/mlx_lm/[0-9a-f]+", environment)
    owner = closet.read(f"stat -c %U {environment}/.complete", root=True)
    assert owner == "root"


def test_it_answers_under_the_served_name(closet: Mac) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 32}
    asked = closet.read(f"curl -sf -m 60 {SERVER}/v1/chat/completions -d '{json.dumps(body)}'")
    assert json.loads(asked)["model"] == MODEL
    assert MODEL in json.loads(asked)["choices"][0]["message"]["content"]


def test_a_model_of_the_hub_is_not_downloaded(closet: Mac) -> None:
    body = {"model": "mlx-community/Qwen3.6-35B-A3B-4bit", "messages": []}
    asked = closet.read(f"curl -s -m 60 {SERVER}/v1/chat/completions -d '{json.dumps(body)}'")
    assert "error" in json.loads(asked)
    hub = closet.run("find / -xdev -type d -name 'models--*' -not -path '/proc/*'", root=True)
    assert str(hub.stdout).strip() == ""


def test_it_started_when_the_gpu_had_its_memory(closet: Mac) -> None:
    log = closet.read(f"cat {JOB.log}", root=True)
    starts = re.findall(r"closet-wired-wait: .* wired limit (\d+) MiB, starting", log)
    assert starts, "the log has no start"
    assert starts[-1] == closet.read("sysctl -n iogpu.wired_limit_mb")


def test_no_other_backend_is_known_to_launchd(closet: Mac) -> None:
    for label in ("inference.closet.omlx", "inference.closet.ollama"):
        assert "Could not find service" in closet.job(label)


def test_it_ends_in_order_and_the_gateway_says_that_it_is_away(closet: Mac) -> None:
    shown = f"-H 'Authorization: Bearer {closet_key(closet)}'"
    ask = f"curl -s -o /dev/null -w '%{{http_code}}' {shown} http://127.0.0.1:8000/v1/models"
    closet.read(f"launchctl kill TERM system/{JOB.label}", root=True)
    try:
        assert eventually(lambda: "last exit code = 0" in closet.job(JOB.label), 40)
        assert closet.read(ask) == "503"
    finally:
        closet.read(f"launchctl kickstart system/{JOB.label}", root=True)
    assert eventually(lambda: closet.read(ask) == "200", 60)
