"""What an ordinary user is told, and may do in its own domain (facts/macos.md, section 1)."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.contract.harness import Launchctl
from tests.contract.test_supervision import wait_for

pytestmark = pytest.mark.as_user

SLEEP = ("/bin/sleep", "1000")
BACKGROUND = {"LimitLoadToSessionType": "Background"}


@pytest.mark.source("1.1, 3", "2+")
def test_a_job_in_the_own_domain_runs_as_its_user(own: Launchctl) -> None:
    out = own.folder / "identity"
    keys = {"StandardOutPath": str(out), "RunAtLoad": True, **BACKGROUND}
    target = own.load("own", "/bin/sh", "-c", "id -u; echo end; exec sleep 1000", **keys)
    assert wait_for(out, "end").splitlines()[0] == own.domain.removeprefix("user/")
    text = own.text(target)
    assert text.startswith(f"{target} = {{\n")
    assert "\ttype = LaunchAgent\n" in text
    assert own.value(target, "asid") is not None
    assert own("kickstart", "-k", target).returncode == 0
    own.wait(target, "runs", "2")
    assert own("bootout", target).returncode in (0, 36)
    own.wait_gone(target)


@pytest.mark.source("1.4", "2")
def test_the_background_domain_needs_the_session_type(own: Launchctl) -> None:
    done = own("bootstrap", own.domain, str(own.plist("session", *SLEEP)))
    words = "Bootstrap failed: 134: Service cannot load in requested session\n"
    assert (done.returncode, done.stderr) == (134, words)


@pytest.mark.source("1.4", "2+")
def test_a_user_hears_5_where_root_hears_why(own: Launchctl) -> None:
    writable = own.plist("mode", *SLEEP, **BACKGROUND)
    writable.chmod(0o666)
    disabled = own.plist("disabled", *SLEEP, **BACKGROUND)
    assert own("disable", own.target("disabled")).returncode == 0
    for path in (writable, disabled):
        done = own("bootstrap", own.domain, str(path))
        assert (done.returncode, done.stderr) == (
            5,
            "Bootstrap failed: 5: Input/output error\n"
            "Try re-running the command as root for richer errors.\n",
        )
    assert own("enable", own.target("disabled")).returncode == 0
    assert own("bootstrap", own.domain, str(disabled)).returncode == 0


@pytest.mark.source("1.4", "2+ for kickstart and disable")
def test_the_system_domain_may_be_looked_at_and_not_changed(own: Launchctl) -> None:
    assert own("print", "system").returncode == 0
    done = own("disable", f"system/{own.label('none')}")
    words = "Could not disable service: 1: Operation not permitted\n"
    assert (done.returncode, done.stderr) == (1, words)


@pytest.mark.source("1.6", "2+")
def test_overrides_of_a_user_are_that_user_s(own: Launchctl) -> None:
    label = own.label("user-override")
    assert own("disable", f"{own.domain}/{label}").returncode == 0
    assert f'"{label}" =>' in own("print-disabled", own.domain).stdout
    assert f'"{label}" =>' not in own("print-disabled", "system").stdout
    assert own("enable", f"{own.domain}/{label}").returncode == 0


@pytest.mark.source("1.4", "1+inferred")
@pytest.mark.only_mac("1 or 5 for bootstrap into the system domain as a user is inferred")
def test_bootstrap_into_the_system_domain(
    own: Launchctl, settled: Callable[[str, str], None]
) -> None:
    assert os.getuid() != 0
    done = own("bootstrap", "system", str(own.plist("system", *SLEEP)))
    settled("bootstrap system as a user", f"{done.returncode} {done.stderr.strip()!r}")
    assert done.returncode in (1, 5)
