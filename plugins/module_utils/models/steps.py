# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which path an OSError is about, and what was being done there.

The exception itself knows neither: one from a descriptor carries a number or nothing, one from a
folder that is held open a bare name, and one from rename(2) the source first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StepError(OSError):
    """An OSError with its own path. `doing` completes a sentence: "… while a file was written"."""

    def __init__(self, error: OSError, doing: str, path: Path) -> None:
        super().__init__(error.errno, error.strerror or str(error), str(path))
        self.doing = doing


@contextmanager
def step(doing: str, path: Path) -> Iterator[None]:
    """Give errors from here on this path, unless an inner step already did."""
    try:
        yield
    except StepError:
        raise
    except OSError as error:
        raise StepError(error, doing, path) from error
