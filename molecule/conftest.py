"""The Macs for the scenarios' tests, and what launchd says of a job when one of its tests fails.

Without Molecule, on a lab that is provisioned: python -m pytest molecule/omlx
"""

from __future__ import annotations

from collections.abc import Generator

import pytest
from lab_mac import Job, Mac


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
    """Put the job's state and the end of its log before anything else a failed test has to say."""
    report = yield
    job = getattr(getattr(item, "module", None), "JOB", None)
    if report.failed and isinstance(job, Job):
        report.sections[:0] = Mac("attic").explain(job).items()
    return report
