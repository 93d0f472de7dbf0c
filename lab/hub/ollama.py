"""What ollama fetches: its release archive, which holds the lab's double, and models of a registry.

All of it is made in memory from the sources of `lab/ollama` and the line-up: same in, same out.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

from lab.hub.lineup import LINEUP

SOURCES = Path(__file__).resolve().parents[1] / "ollama"
#: what the Mac's doubles run under
INTERPRETER = "/usr/libexec/lab-python"
ARCHIVE = "ollama-darwin.tgz"
CHECKSUMS = "sha256sum.txt"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
#: the library's names for models of the line-up, by tag
TAGS = {"qwen3-coder-next:q4_K_M": "qwen3-coder-next", "qwen3-embedding:8b": "qwen3-embedding"}
RUN = b"from runpy import run_module\nrun_module('lab.ollama', run_name='__main__')\n"
LONG_AGO = (1980, 1, 1, 0, 0, 0)


@functools.cache
def program(version: str) -> bytes:
    """The double as one executable file: a line for the kernel, then a zip that Python runs."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        files = {f"lab/ollama/{path.name}": path.read_bytes() for path in SOURCES.glob("*.py")}
        files["lab/__init__.py"] = b""
        files["lab/ollama/VERSION"] = version.encode()
        files["__main__.py"] = RUN
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, LONG_AGO), files[name])
    return f"#!{INTERPRETER}\n".encode() + packed.getvalue()


@functools.cache
def release(version: str) -> bytes:
    """The archive of one release, flat as ollama's own."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", fileobj=packed, mtime=0) as raw,
        tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        member = tarfile.TarInfo("ollama")
        data = program(version)
        member.size, member.mode = len(data), 0o755
        archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def checksums(version: str) -> bytes:
    """The file of checksums beside an archive."""
    return f"{hashlib.sha256(release(version)).hexdigest()}  ./{ARCHIVE}\n".encode()


@functools.cache
def library() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Manifests by tag and blobs by digest."""
    manifests: dict[str, bytes] = {}
    blobs: dict[str, bytes] = {}
    spoken = {model.served: model.sentence() for model in LINEUP}
    for tag, served in TAGS.items():
        layers = {
            "application/vnd.docker.container.image.v1+json": {"model_format": "gguf"},
            "application/vnd.ollama.image.model": {"says": spoken[served]},
        }
        described = []
        for kind, content in layers.items():
            data = json.dumps(content).encode()
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            blobs[digest] = data
            described.append({"mediaType": kind, "digest": digest, "size": len(data)})
        whole = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE}
        manifests[tag] = json.dumps(
            {**whole, "config": described[0], "layers": described[1:]}
        ).encode()
    return manifests, blobs


def find(path: str) -> tuple[bytes, str] | None:
    """The file at `/ollama/v<version>/<name>` or `/v2/library/…`, with its kind; None for none."""
    parts = path.strip("/").split("/")
    if parts[0] == "ollama" and len(parts) == 3:
        version, name = parts[1].removeprefix("v"), parts[2]
        if name == ARCHIVE:
            return release(version), "application/gzip"
        return (checksums(version), "text/plain") if name == CHECKSUMS else None
    if parts[:2] != ["v2", "library"] or len(parts) != 5:
        return None
    model, what, which = parts[2:]
    manifests, blobs = library()
    if what == "manifests" and f"{model}:{which}" in manifests:
        return manifests[f"{model}:{which}"], MANIFEST_TYPE
    if what == "blobs" and which in blobs:
        return blobs[which], "application/octet-stream"
    return None
