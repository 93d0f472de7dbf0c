"""Reading and writing `*.safetensors` files: a JSON header, then raw little-endian numbers.

Format: https://github.com/huggingface/safetensors#format. Written here so that a model costs
neither a 300 MB environment nor a dependence on the random numbers of some library's version.
"""

from __future__ import annotations

import json
import math
import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tensor:
    """Row-major numbers with their shape; written as 16-bit floats."""

    shape: tuple[int, ...]
    numbers: array[float]

    @property
    def data(self) -> bytes:
        """The numbers as float16."""
        return struct.pack(f"<{len(self.numbers)}e", *self.numbers)


def zeros(*shape: int) -> Tensor:
    """A tensor of zeros."""
    return filled(0.0, *shape)


def ones(*shape: int) -> Tensor:
    """A tensor of ones."""
    return filled(1.0, *shape)


def filled(number: float, *shape: int) -> Tensor:
    """A tensor that holds one number everywhere."""
    return Tensor(shape, array("f", [number]) * math.prod(shape))


def eye(extent: int, scale: float = 1.0) -> Tensor:
    """The identity, times `scale`."""
    tensor = zeros(extent, extent)
    for place in range(extent):
        tensor.numbers[place * extent + place] = scale
    return tensor


def write(path: Path, tensors: Mapping[str, Tensor]) -> int:
    """Write one file, tensors in name order; returns the bytes of tensor data in it."""
    header: dict[str, object] = {"__metadata__": {"format": "mlx"}}
    blobs = []
    offset = 0
    for name in sorted(tensors):
        blob = tensors[name].data
        span = [offset, offset + len(blob)]
        header[name] = {"dtype": "F16", "shape": list(tensors[name].shape), "data_offsets": span}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    return offset


#: what the format's own reader accepts; a file of anything else may begin with any number
LARGEST_HEADER = 100_000_000


def parameters(path: Path) -> dict[str, int]:
    """How many numbers of each type a file holds; empty when it is not of this format."""
    with path.open("rb") as handle:
        start = handle.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 0 < length < min(path.stat().st_size, LARGEST_HEADER):
            return {}
        try:
            header = json.loads(handle.read(length))
        except ValueError:
            return {}
    counts: dict[str, int] = {}
    for name, entry in header.items():
        if name != "__metadata__":
            kind = str(entry["dtype"])
            counts[kind] = counts.get(kind, 0) + math.prod(entry["shape"])
    return counts
