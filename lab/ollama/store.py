"""The models on disk in ollama's layout: `manifests/<host>/<namespace>/<model>/<tag>`, `blobs`."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REGISTRY = "registry.ollama.ai"
MODEL_LAYER = "application/vnd.ollama.image.model"


@dataclass(frozen=True)
class Name:
    """A model's full name; the short one leaves out what is usual."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def short(self) -> str:
        """As ollama shows it."""
        tagged = f"{self.model}:{self.tag}"
        if self.host != REGISTRY:
            return f"{self.host}/{self.namespace}/{tagged}"
        return tagged if self.namespace == "library" else f"{self.namespace}/{tagged}"

    @property
    def path(self) -> Path:
        """Of its manifest, below `manifests`."""
        return Path(self.host, self.namespace, self.model, self.tag)


def parse(text: str) -> Name:
    """Read a name, short or full; the tag is `latest` when it says none."""
    rest, _, last = text.rpartition("/")
    model, _, tag = last.partition(":")
    host, _, namespace = rest.rpartition("/")
    return Name(host or REGISTRY, namespace or "library", model, tag or "latest")


class Store:
    """The folder that OLLAMA_MODELS names."""

    def __init__(self, folder: Path) -> None:
        self.manifests, self.blobs = folder / "manifests", folder / "blobs"
        for part in (self.manifests, self.blobs):
            part.mkdir(parents=True, exist_ok=True)

    def names(self) -> Iterator[Name]:
        """Every model that is there."""
        for path in sorted(self.manifests.glob("*/*/*/*")):
            yield Name(*path.relative_to(self.manifests).parts)

    def manifest(self, name: Name) -> bytes | None:
        """The manifest of a model, or None."""
        path = self.manifests / name.path
        return path.read_bytes() if path.is_file() else None

    def blob(self, digest: str) -> Path:
        """Where a blob is, or will be."""
        return self.blobs / digest.replace(":", "-")

    def write(self, name: Name, manifest: bytes) -> None:
        """Make a model known; its blobs are there."""
        path = self.manifests / name.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(manifest)

    def remove(self, name: Name) -> None:
        """Forget a model."""
        path = self.manifests / name.path
        path.unlink()
        if not any(path.parent.iterdir()):
            shutil.rmtree(path.parent)

    def says(self, name: Name) -> list[str]:
        """What a model of the lab says, in pieces; the real thing has weights in that layer."""
        layers = json.loads(self.manifest(name) or b"{}")["layers"]
        digest = next(each["digest"] for each in layers if each["mediaType"] == MODEL_LAYER)
        return list(json.loads(self.blob(digest).read_bytes())["says"])

    def entry(self, name: Name) -> dict[str, Any]:
        """A model as /api/tags lists it (api/types.go, ListModelResponse)."""
        manifest = self.manifest(name) or b""
        modified = (self.manifests / name.path).stat().st_mtime
        return {
            "name": name.short,
            "model": name.short,
            "modified_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(modified)),
            "size": sum(layer["size"] for layer in json.loads(manifest)["layers"]),
            "digest": hashlib.sha256(manifest).hexdigest(),
            "details": {"format": "gguf", "family": "qwen3", "quantization_level": "Q4_K_M"},
        }
