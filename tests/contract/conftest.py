"""One suite, two launchctls: the double of the lab here, the real one on a Mac.

On Linux a launchd double is started in a temporary folder as an ordinary root process; on macOS the
tests talk to /bin/launchctl. Labels start with inference.closet.contract.<pid>, and every job is
booted out and its plist deleted when its test ends.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.harness import Double, Launchctl

ON_MAC = sys.platform == "darwin"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "source(where, confidence): section of facts/macos.md and its confidence mark",
    )
    config.addinivalue_line("markers", "only_mac(reason): only a real Mac can settle this")
    config.addinivalue_line("markers", "only_double(reason): a real Mac is not asked this")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        elsewhere = item.get_closest_marker("only_double" if ON_MAC else "only_mac")
        if elsewhere is not None:
            item.add_marker(pytest.mark.skip(reason=f"{elsewhere.name}: {elsewhere.args[0]}"))
        elif os.getuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root: the system domain is root's"))


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


@pytest.fixture
def launchctl(launchd: Double | None, tmp_path: Path) -> Iterator[Launchctl]:
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.stat().st_uid == os.getuid() and folder != Path(tempfile.gettempdir()):
            folder.chmod(0o755)  # jobs with a UserName write their results here
    if launchd is None:
        environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
        control = Launchctl(["/bin/launchctl"], tmp_path, environment)
    else:
        environment = {"CLOSET_LAB_LAUNCHD_SOCKET": str(launchd.socket)}
        control = Launchctl(launchd.program("launchctl"), tmp_path, environment, launchd)
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
