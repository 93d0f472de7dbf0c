"""The closet as a host: power, logs, a new omlx and the way back, what its owner stopped."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.conftest import ROOT, Done, as_root, lab, on, provisioned, run

pytestmark = pytest.mark.usefixtures("fresh_lab_with_programs")

ATTIC = ("--limit", "attic,localhost")
JOB = "system/inference.closet.omlx"
LOGS = "/var/log/closet/omlx"
LIMIT = 8 * 1024
COUNT = 3
SMALL_LOGS = ("-e", f"daemon_log_size_kib={LIMIT // 1024}", "-e", f"daemon_log_count={COUNT}")
LOCK = ROOT / "lab/parts/omlx.lock"


def play(book: str, *words: str, limit_s: float = 300) -> Done:
    """Run a playbook as an owner does, with a start that may not take for ever."""
    return run("ansible-playbook", book, "-e", "omlx_start_timeout_s=60", *words, limit_s=limit_s)


def site(*words: str) -> Done:
    return play("site.yml", *ATTIC, *SMALL_LOGS, *words)


def eventually(question: Callable[[], bool], limit_s: float = 60) -> bool:
    end = time.monotonic() + limit_s
    while not question():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def pid(host: str = "attic") -> str:
    """The process of omlx; empty when launchd runs none."""
    found = re.search(r"^\tpid = (\d+)$", on(host, f"launchctl print {JOB}").output, re.MULTILINE)
    return found[1] if found else ""


def answers(host: str = "attic") -> bool:
    return on(host, "curl -sf -m 5 http://127.0.0.1:8000/health").code == 0


def serves_from() -> str:
    words = r"sed -n 's:.*>\([^ ]*\)/bin/omlx<.*:\1:p'"
    return on("attic", f"{words} /Library/LaunchDaemons/inference.closet.omlx.plist").output.strip()


def environments() -> set[str]:
    return set(on("attic", "ls /opt/closet/omlx").output.split())


def pmset(host: str) -> dict[str, dict[str, str]]:
    """What `pmset -g custom` says, by the title of the source."""
    found: dict[str, dict[str, str]] = {}
    for line in on(host, "pmset -g custom").output.splitlines():
        if line.endswith(":"):
            keys = found.setdefault(line[:-1], {})
        else:
            key, value = line.rsplit(maxsplit=1)
            keys[key.strip()] = value
    return found


# --- first runs ---------------------------------------------------------------------------------


def test_a_check_of_an_untouched_closet_tells_its_power_settings_and_changes_none() -> None:
    before = pmset("attic")
    done = provisioned(site("--check", "--diff"))
    assert "+ac autorestart 1" in done.output
    assert pmset("attic") == before


def test_a_desktop_does_not_sleep_and_a_second_run_has_nothing_to_do() -> None:
    before = pmset("attic")["AC Power"]
    provisioned(site())
    after = pmset("attic")["AC Power"]
    wanted = {"sleep": "0", "disksleep": "0", "womp": "1", "autorestart": "1", "powernap": "0"}
    assert {key: after[key] for key in wanted} == wanted
    assert {key: after[key] for key in before if key not in wanted} == {
        key: before[key] for key in before if key not in wanted
    }
    assert provisioned(site()).changed()["attic"] == 0
    assert provisioned(site("--check", "--diff")).changed()["attic"] == 0


def test_the_omlx_that_is_installed_told_which_settings_it_reads() -> None:
    kept = f"{serves_from()}/answer.json"
    assert on("attic", f"stat -c '%U %a' {kept}").output.strip() == "root 644"
    answer = json.loads(on("attic", f"cat {kept}").output)
    assert answer["program"] == "flyto-mlx 0.7.0"
    assert on("attic", "ls -d /opt/closet/omlx/*.home").code != 0

    def settings(section: str, **keys: float) -> Done:
        task = {
            "base_path": "/Users/admin/.omlx",
            "program": serves_from(),
            "settings": {section: keys},
            "owner": "admin",
        }
        words = ("attic", "-b", "--check", "-m", "closet.inference.omlx_settings")
        return run("ansible", *words, "-a", json.dumps(task))

    # a key of this fork alone, and one of neither
    assert "prefill_transient_margin_gb" in answer["settings"]["memory"]
    assert settings("memory", prefill_transient_margin_gb=12.5).code == 0
    done = settings("memory", zzz=1)
    assert done.code != 0
    assert "flyto-mlx 0.7.0 has no key 'zzz' in section 'memory'" in " ".join(done.output.split())


# --- logs ---------------------------------------------------------------------------------------


def test_a_flood_of_lines_is_bounded_and_loses_only_the_oldest() -> None:
    """The job of the test has the shape of omlx's: closet-log, and a log for the ends of runs."""
    python = f"{serves_from()}/bin/python"
    words = [python, "/opt/closet/bin/closet-log", "--file", "/var/log/flood/flood.log"]
    words += ["--bytes", str(LIMIT), "--count", str(COUNT), "--ends", "/var/log/flood/launchd.log"]
    words += ["--", "/bin/sh", "-c", "sleep 2; seq -f 'line %.0f of the flood' 20000; exit 7"]
    plist = {
        "Label": "test.flood",
        "ProgramArguments": words,
        "UserName": "admin",
        "RunAtLoad": True,
        "StandardOutPath": "/var/log/flood/launchd.log",
        "StandardErrorPath": "/var/log/flood/launchd.log",
    }
    rule = "/var/log/flood/launchd.log admin:staff 600 3 1024 * N"
    as_root("attic", "mkdir -p /var/log/flood && chown admin /var/log/flood")
    as_root("attic", f"echo '{rule}' > /root-rule")
    file = "/Library/LaunchDaemons/f.plist"
    program = f"import plistlib; plistlib.dump({plist!r}, open('{file}', 'wb'))"
    as_root("attic", f"python3 -c {json.dumps(program)}")
    as_root("attic", f"launchctl bootstrap system {file}")
    # launchd holds this file open; whoever says something through it says it by name
    as_root("attic", "newsyslog -F -f /root-rule")
    ended = "grep -c 'of the flood' /var/log/flood/launchd.log"
    assert eventually(lambda: on("attic", f"sudo {ended}").output.strip() == "19")
    assert "last exit code = 7" in on("attic", "launchctl print system/test.flood").output

    kept = on("attic", "cd /var/log/flood; sudo cat flood.log.3 flood.log.2 flood.log.1 flood.log")
    numbers = [int(line.split()[1]) for line in kept.output.splitlines()]
    assert numbers == list(range(numbers[0], 20001)), "a line is missing"
    sizes = [
        int(size) for size in on("attic", "sudo stat -c %s /var/log/flood/flood*").output.split()
    ]
    assert max(sizes) <= LIMIT
    assert sum(sizes) <= LIMIT * (COUNT + 1)
    assert sum(sizes) > LIMIT * COUNT - COUNT * 100, "more was dropped than the count asks for"


def test_what_omlx_says_is_bounded_in_its_two_logs_and_no_line_is_missing() -> None:
    key = (ROOT / "inventories/lab/.secrets/attic.key").read_text().strip()
    asks = 250
    body = '{"model": "no-such-$i", "messages": [{"role": "user", "content": "x"}]}'
    loop = (
        f"for i in $(seq 10001 {10000 + asks}); do curl -s -o /dev/null -m 20 "
        f"-H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' "
        f'-d "{body.replace(chr(34), chr(92) + chr(34))}" '
        "http://127.0.0.1:8000/v1/chat/completions; done"
    )
    assert on("attic", loop, limit_s=180).code == 0
    logs = "".join(f" omlx.log.{number}" for number in range(COUNT, 0, -1))
    last = str(10000 + asks)
    kept = ""

    def written() -> bool:
        nonlocal kept
        kept = on("attic", f"sudo sh -c 'cd {LOGS}; cat{logs} omlx.log'").output
        return f"no-such-{last}" in kept

    assert eventually(written), kept[-2000:]
    seen = sorted({int(number) for number in re.findall(r"no-such-(\d{5})", kept)})
    assert seen == list(range(seen[0], 10000 + asks + 1)), "a line is missing"
    assert len(seen) < asks, "nothing was dropped, so the limit was not passed often enough"
    sizes = on("attic", f"sudo sh -c 'stat -c %s {LOGS}/omlx.log*'").output.split()
    assert sum(map(int, sizes)) <= LIMIT * (COUNT + 1)
    own = on("attic", "stat -c %s /Users/admin/.omlx/logs/server.log").output
    assert int(own) <= 2 * LIMIT, "omlx's own log was not emptied"


def test_our_rules_can_not_stop_the_rotation_of_the_rest() -> None:
    everything = on("attic", "sudo newsyslog -nrv")
    assert everything.code == 0
    assert f"{LOGS}.launchd.log" in everything.output
    assert "/var/log/install.log" in everything.output
    bad = [{"path": "/var/log/x", "owner": "nobody-here", "group": "staff"}]
    before = on("attic", "cat /etc/newsyslog.d/closet.conf").output
    refused = run(
        *("ansible", "attic", "-m", "ansible.builtin.include_role"),
        *("-a", "name=closet.inference.log_rotation"),
        *("-e", json.dumps({"log_rotation_logs": bad})),
    )
    assert refused.code != 0
    assert "unknown user" in refused.output
    assert "nothing was written" in refused.output
    assert on("attic", "cat /etc/newsyslog.d/closet.conf").output == before


# --- upgrades -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Other pins: one that works, one that builds and cannot serve, one that is nowhere."""
    lock = LOCK.read_text()
    # `omlx --help` does without uvicorn, `omlx serve` does not
    dies = re.sub(r"(?m)^uvicorn==.*\n(?:    --hash.*\n)+", "", lock)
    texts = {
        "works": lock + "# another one\n",
        "dies": dies,
        "nowhere": re.sub(r"(?m)^uvicorn==\S+", "uvicorn==999.0", lock),
    }
    folder = tmp_path_factory.mktemp("pins")
    paths = {name: folder / f"{name}.txt" for name in texts}
    for name, path in paths.items():
        assert texts[name] != lock
        path.write_text(texts[name])
    return {name: str(path) for name, path in paths.items()}


def upgrade(pin: str, *words: str) -> Done:
    wanted = ("-e", f"omlx_requirements={pin}")
    return play("playbooks/upgrade.yml", *ATTIC, *SMALL_LOGS, *wanted, *words)


def test_a_pin_that_does_not_exist_is_refused_before_anything_changes(pins: dict[str, str]) -> None:
    before = (pid(), serves_from(), environments())
    done = upgrade(pins["nowhere"])
    assert done.code != 0
    assert "uvicorn==999.0" in done.output
    assert "correct the pin" in done.output
    assert (pid(), serves_from(), environments()) == before
    assert done.changed()["attic"] == 0


def test_a_commit_that_is_none_is_refused(pins: dict[str, str]) -> None:
    done = upgrade(pins["works"], "-e", "omlx_pin=main")
    assert done.code != 0
    assert "omlx_pin is 'main'" in done.output
    assert done.changed()["attic"] == 0


def test_an_upgrade_that_does_not_serve_is_taken_back(pins: dict[str, str]) -> None:
    before = (serves_from(), environments())
    settings = "sudo cat /Users/admin/.omlx/settings.json"
    had = json.loads(on("attic", settings).output)
    done = upgrade(pins["dies"])
    assert done.code != 0
    assert "the upgrade was rolled back" in done.output
    # on a busy machine it dies after the run has stopped watching; then its log alone has why
    why = done.output + on("attic", f"sudo cat {LOGS}.launchd.log").output
    assert "No module named 'uvicorn'" in why
    assert (serves_from(), environments()) == before
    assert answers()
    assert json.loads(on("attic", settings).output) == had
    assert on("attic", "ls -d /Users/admin/.omlx/before-upgrade").code != 0
    assert provisioned(site()).changed()["attic"] == 0


def test_an_upgrade_that_serves_stays_and_keeps_the_one_before(pins: dict[str, str]) -> None:
    before, had = serves_from(), pid()
    foretold = provisioned(upgrade(pins["works"], "--check"))
    assert foretold.changed()["attic"] > 0
    assert (serves_from(), pid()) == (before, had)
    provisioned(upgrade(pins["works"]))
    assert serves_from() != before
    assert pid() != had
    assert environments() == {Path(before).name, Path(serves_from()).name}
    pinned = ("-e", f"omlx_requirements={pins['works']}")
    assert provisioned(site(*pinned)).changed()["attic"] == 0
    assert provisioned(upgrade(pins["works"])).changed()["attic"] == 0


# --- stopped, started, restarted ----------------------------------------------------------------


def test_stop_ends_it_in_good_order_and_a_reboot_brings_it_back() -> None:
    stopped = play("playbooks/stop.yml", *ATTIC)
    assert stopped.code == 0, stopped.output
    assert not answers()
    assert "Finished server process" in on("attic", f"sudo tail -n 5 {LOGS}/omlx.log").output
    assert play("playbooks/stop.yml", *ATTIC).changed()["attic"] == 0
    lab("reboot", "attic")
    assert eventually(answers)


def test_start_brings_it_back_too() -> None:
    assert play("playbooks/stop.yml", *ATTIC).code == 0
    started = play("playbooks/start.yml")
    assert started.code == 0, started.output
    assert eventually(answers)
    assert play("playbooks/start.yml").changed()["attic"] == 0


# --- what is said and not fought ----------------------------------------------------------------


def test_filevault_autologin_and_background_items_are_explained() -> None:
    as_root("attic", "echo on > /var/db/closet-lab/filevault")
    as_root("attic", "echo inference.closet.omlx > /var/db/closet-lab/turned-off")
    window = "/Library/Preferences/com.apple.loginwindow.plist"
    program = (
        f"import plistlib; plistlib.dump({{'autoLoginUser': 'admin'}}, open('{window}', 'wb'))"
    )
    as_root("attic", f'mkdir -p /Library/Preferences; python3 -c "{program}"')
    done = play("playbooks/preflight.yml", *ATTIC)
    as_root("attic", f"rm /var/db/closet-lab/filevault /var/db/closet-lab/turned-off {window}")
    assert done.code == 0, done.output
    said = " ".join(done.output.split())
    assert "attic: FileVault is on" in said
    assert "attic logs admin in by itself" in said
    assert "inference.closet.omlx was turned off under System Settings" in said
    assert "WARNING" not in play("playbooks/preflight.yml", *ATTIC).output


def test_a_job_of_another_tool_is_named_and_the_advice_turns_it_off() -> None:
    plist = {
        "Label": "com.example.gpu",
        "ProgramArguments": ["/bin/echo", "iogpu.wired_limit_mb=1000"],
        "RunAtLoad": True,
    }
    file = "/Library/LaunchDaemons/gpu.plist"
    program = f"import plistlib; plistlib.dump({plist!r}, open('{file}', 'wb'))"
    as_root("attic", f"python3 -c {json.dumps(program)}; launchctl bootstrap system {file}")
    done = play("playbooks/preflight.yml", *ATTIC)
    said = " ".join(done.output.split())
    assert done.code == 0, done.output
    assert f"attic: {file} (com.example.gpu) sets iogpu.wired_limit_mb too" in said
    [command] = re.findall(r"turn it off: `(sudo launchctl disable \S+ && sudo [^`]+)`", said)
    assert on("attic", command).code == 0
    assert "WARNING" not in play("playbooks/preflight.yml", *ATTIC).output
    as_root("attic", f"rm {file}; launchctl enable system/com.example.gpu")


# --- an account of its own -----------------------------------------------------------------------

OWN = ("-e", "closet_service_account=_closet")


def test_an_account_that_is_not_there_is_refused() -> None:
    done = site(*OWN)
    assert done.code != 0
    assert "closet_service_account is '_closet', and there is no such account" in done.output
    assert done.changed()["attic"] == 0
    root = site("-e", "closet_service_account=root")
    assert "must not be root" in root.output


def test_an_account_of_its_own_serves_and_nobody_else_reads_its_files() -> None:
    as_root("attic", "echo '_closet:*:250:20::/Users/_closet:/usr/bin/false' >> /etc/passwd")
    as_root("attic", "mkdir -p /Users/_closet && chown 250:20 /Users/_closet")
    provisioned(site(*OWN))
    owner = on("attic", f"ps -o user= -p {pid()}").output.strip()
    assert owner in ("_closet", "250")
    base = "/Users/_closet/.omlx"
    look = f"sudo stat -c '%U %a %n' {base} {base}/settings.json {base}/model_settings.json"
    assert on("attic", look).output.splitlines() == [
        f"_closet 700 {base}",
        f"_closet 600 {base}/settings.json",
        f"_closet 600 {base}/model_settings.json",
    ]
    assert on("attic", f"ls {base}").code != 0
    assert provisioned(site(*OWN)).changed()["attic"] == 0
    held = provisioned(play("playbooks/models.yml", *ATTIC, *OWN, "--tags", "list"))
    assert f"path: {base}/store/" in held.output, "it lists the models of another account"
    lab("reboot", "attic")
    assert eventually(answers)


# --- a laptop -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An inventory in which the laptop `pro` is the closet, with a profile that fits it."""
    folder = tmp_path_factory.mktemp("laptop") / "inventory"
    shutil.copytree(ROOT / "inventories/lab", folder, ignore=shutil.ignore_patterns(".secrets"))
    closet = folder / "group_vars/closet.yml"
    closet.write_text(closet.read_text().replace("{{ inventory_dir }}/../..", str(ROOT)))
    names = {"models": ["little"], "pinned": ["little"], "build": "little", "chat": "little"}
    repo = "mlx-community/Qwen3.6-35B-A3B-4bit"
    model = {"name": "little", "repo": repo, "title": "Little", "kind": "chat", "size_gb": 1}
    pro = {
        "ansible_host": "10.77.31.22",
        "closet_exposure": "loopback",
        "closet_profile": "small",
        "closet_profiles": {"small": names},
        "closet_models": {"little": {**model, "context": 4096, "output": 512}},
    }
    (folder / "hosts.yml").write_text(
        json.dumps({"all": {"children": {"closet": {"hosts": {"pro": pro}}}}})
    )
    return str(folder)


def on_charger(host: str, charger: bool) -> None:
    state = {"source": "Battery Power", "percent": 78, "state": "discharging; 5:05 remaining"}
    file = "/run/closet-lab/power.json"
    as_root(host, f"rm -f {file}" if charger else f"echo '{json.dumps(state)}' > {file}")


WORKS = ("-e", "closet_shape=workstation", "-e", "power_interval_s=10")


def test_a_laptop_is_no_closet_unless_it_is_a_workstation(laptop: str) -> None:
    done = play("site.yml", "-i", laptop)
    assert done.code != 0
    assert "set closet_shape: workstation for pro" in done.output
    assert done.changed()["pro"] == 0


def test_a_laptop_gets_its_settings_by_source_and_nothing_it_does_not_have(laptop: str) -> None:
    before = pmset("pro")
    edit = (
        "-e",
        "closet_on_battery=stop",
        "-e",
        '{"power_battery": {"sleep": 15, "autorestart": 1}}',
    )
    done = play("site.yml", "-i", laptop, *WORKS, *edit)
    assert done.code == 0, done.output[-5000:]
    assert "this Mac has no setting battery.autorestart" in " ".join(done.output.split())
    after = pmset("pro")
    assert (after["AC Power"]["sleep"], after["Battery Power"]["sleep"]) == ("0", "15")
    assert after["Battery Power"]["womp"] == before["Battery Power"]["womp"]
    again = play("site.yml", "-i", laptop, *WORKS, *edit)
    assert again.changed()["pro"] == 0, again.output[-5000:]


def test_on_its_battery_it_stops_and_on_its_charger_it_serves_again(laptop: str) -> None:
    assert answers("pro")
    on_charger("pro", False)
    assert eventually(lambda: not answers("pro"))
    lab("reboot", "pro")  # launchd starts it at boot; the battery is seen right after
    on_charger("pro", False)
    assert eventually(lambda: not pid("pro"))
    on_charger("pro", True)
    assert eventually(lambda: answers("pro"))
    assert "may finish, then it ends" in on("pro", "sudo cat /var/log/closet/power.log").output


def test_what_its_owner_stopped_the_charger_does_not_start(laptop: str) -> None:
    assert play("playbooks/stop.yml", "-i", laptop, *WORKS).code == 0
    for charger in (False, True):
        on_charger("pro", charger)
        # what its job runs every so often, without the wait
        assert on("pro", "sudo /opt/closet/bin/closet-power").code == 0
        assert not pid("pro")


def test_lean_keeps_it_running_without_a_model(laptop: str) -> None:
    done = play("site.yml", "-i", laptop, *WORKS, "-e", "closet_on_battery=lean")
    assert done.code == 0, done.output[-5000:]

    def loaded() -> int:
        health = on("pro", "curl -s -m 5 http://127.0.0.1:8000/health").output
        return int(json.loads(health)["engine_pool"]["loaded_count"])

    assert loaded() == 1
    on_charger("pro", False)
    assert eventually(lambda: loaded() == 0)
    assert pid("pro")
    on_charger("pro", True)


def test_nothing_takes_the_watching_away_again(laptop: str) -> None:
    done = play("site.yml", "-i", laptop, *WORKS)
    assert done.code == 0, done.output[-5000:]
    assert (
        "Could not find service"
        in on("pro", "launchctl print system/inference.closet.power").output
    )
    assert play("site.yml", "-i", laptop, *WORKS).changed()["pro"] == 0
