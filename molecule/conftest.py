"""The Macs for the scenarios' tests, and what launchd says of a job when one of its tests fails.

Without Molecule, on a lab that is provisioned: python -m pytest molecule/omlx
"""

from __future__ import annotations

from collections.abc import Generator

import pytest
from lab_mac import Job, Mac

TOLD = pytest.StashKey[set[Job]]()


@pytest.fixture(scope="session")
def closet() -> Mac:
    """The Mac that serves."""
    return Mac("attic")


@pytest.fixture(scope="session")
def laptop() -> Mac:
    """The laptop that the clients' scenarios converge."""
    return Mac("air")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print the state of a test module's JOB and the end of its log at its first failure."""
    report = yield
    job = getattr(getattr(item, "module", None), "JOB", None)
    terminal = item.config.pluginmanager.get_plugin("terminalreporter")
    told = item.session.stash.setdefault(TOLD, set())
    if report.failed and isinstance(job, Job) and job not in told and terminal:
        told.add(job)
        for look, said in Mac("attic").explain(job).items():
            terminal.write_sep("-", look)
            terminal.write_line(said.strip())
    return report
