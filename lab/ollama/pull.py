"""A pull from a registry, in the steps that ollama reports (server/images.go, PullModel)."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from lab.ollama.store import REGISTRY, Name, Store

TIMEOUT_S = 30
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class PullError(RuntimeError):
    """A pull that did not come to its end; the text is ollama's."""


def pull(store: Store, name: Name, insecure: bool) -> Iterator[dict[str, Any]]:
    """Yield one status after the other; blobs that are there are not fetched again."""
    yield {"status": "pulling manifest"}
    scheme = "http" if insecure and name.host != REGISTRY else "https"
    base = f"{scheme}://{name.host}/v2/{name.namespace}/{name.model}"
    manifest = _get(f"{base}/manifests/{name.tag}", "pull model manifest")
    described = json.loads(manifest)
    for layer in [*described["layers"], described["config"]]:
        digest, size = layer["digest"], layer["size"]
        status = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": size}
        path = store.blob(digest)
        if not path.exists():
            yield status
            data = _get(f"{base}/blobs/{digest}", "pull")
            if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
                raise PullError(f"digest mismatch, file must be downloaded again: {digest}")
            partial = path.with_name(f"{path.name}-partial")
            partial.write_bytes(data)
            partial.rename(path)
        yield {**status, "completed": size}
    yield {"status": "verifying sha256 digest"}
    yield {"status": "writing manifest"}
    store.write(name, manifest)
    yield {"status": "success"}


def _get(url: str, what: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        asked = urllib.request.Request(url, headers={"Accept": MANIFEST})
        with opener.open(asked, timeout=TIMEOUT_S) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise PullError(f"{what}: file does not exist") from error
        raise PullError(f"{what}: {error.code}: {error.reason}") from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise PullError(f'{what}: Get "{url}": {reason}') from error
