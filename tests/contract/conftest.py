"""One suite, two launchctls: the double of the lab here, the real one on a Mac.

On Linux a launchd double is started in a temporary folder as an ordinary root process, and plays
both parts. On macOS the tests talk to /bin/launchctl, and it takes two runs: as root for the system
domain, and as an ordinary user for that user's own (test_user.py). Labels start with
inference.closet.contract.<pid>; every job is booted out and its plist deleted when its test ends.
What only a Mac can settle is noted at the end of a run there (`settled`).
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.harness import NOBODY, Double, Launchctl

ON_MAC = sys.platform == "darwin"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "source(where, confidence): section of facts/macos.md and its confidence mark",
    )
    config.addinivalue_line("markers", "only_mac(reason): only a real Mac can settle this")
    config.addinivalue_line("markers", "as_user: asked by an ordinary user, in its own domain")
    config.addinivalue_line("markers", "only_double(reason): a real Mac is not asked this")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        elsewhere = item.get_closest_marker("only_double" if ON_MAC else "only_mac")
        if elsewhere is not None:
            item.add_marker(pytest.mark.skip(reason=f"{elsewhere.name}: {elsewhere.args[0]}"))
            continue
        reason = _wrong_caller(item)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def _wrong_caller(item: pytest.Item) -> str:
    """Why these tests are not for whoever runs them, if so."""
    is_root, for_user = os.getuid() == 0, item.get_closest_marker("as_user") is not None
    if not ON_MAC:
        return "" if is_root else "needs root: the double gives each job its user"
    if for_user:
        return "run it as an ordinary user as well: make contract" if is_root else ""
    return "" if is_root else "needs root, the system domain is root's: sudo make contract"


SETTLED = pytest.StashKey[list[str]]()


@pytest.fixture
def settled(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Note what a Mac answers to an open question (facts, section 13)."""

    def note(question: str, answer: str) -> None:
        request.config.stash.setdefault(SETTLED, []).append(f"{question}: {answer}")

    return note


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    notes = config.stash.get(SETTLED, [])
    if notes:
        terminalreporter.section(f"What this Mac settles (macOS {platform.mac_ver()[0]})")
        for line in notes:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def launchd() -> Iterator[Double | None]:
    """The launchd that all tests talk to: a double, or None on a Mac, which has its own."""
    if ON_MAC:
        yield None
        return
    # Short: the name of a socket holds about a hundred characters.
    root = Path(tempfile.mkdtemp(prefix="closet-launchd-"))
    double = Double(root)
    double.boot()
    yield double
    double.end()
    shutil.rmtree(root)


def control_of(launchd: Double | None, folder: Path) -> Launchctl:
    """A launchctl for whichever launchd this machine has."""
    for parent in (folder, *folder.parents[:3]):
        if parent.stat().st_uid == os.getuid() and parent != Path(tempfile.gettempdir()):
            parent.chmod(0o755)  # jobs with a UserName write their results here
    if launchd is None:
        environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
        return Launchctl(["/bin/launchctl"], folder, environment)
    environment = {"CLOSET_LAB_LAUNCHD_SOCKET": str(launchd.socket)}
    return Launchctl(launchd.program("launchctl"), folder, environment, launchd)


@pytest.fixture
def launchctl(launchd: Double | None, tmp_path: Path) -> Iterator[Launchctl]:
    """Asked by root, about the system domain."""
    control = control_of(launchd, tmp_path)
    yield control
    control.clean()


@pytest.fixture
def own(launchd: Double | None, tmp_path: Path) -> Iterator[Launchctl]:
    """Asked by an ordinary user, about user/UID: ourselves on a Mac, nobody here."""
    control = control_of(launchd, tmp_path)
    control.uid = None if launchd is None else NOBODY
    control.domain = f"user/{os.getuid() if launchd is None else NOBODY}"
    if launchd is not None:
        tmp_path.chmod(0o777)
    yield control
    control.clean()


@pytest.fixture
def fresh_double(tmp_path: Path) -> Iterator[Double]:
    """A double of one's own, not yet booted."""
    root = Path(tempfile.mkdtemp(prefix="closet-launchd-"))
    double = Double(root)
    double.install()
    yield double
    if double.process is not None and double.process.poll() is None:
        double.end()
    shutil.rmtree(root)
