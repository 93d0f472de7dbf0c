# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list of files in pages: it is read to its end, or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.pages import (
    LinkError,
    next_target,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    HttpxTransport,
    UrllibTransport,
)
from ansible_collections.closet.inference.plugins.module_utils.models.weights import (
    missing_by_name,
    model_paths,
    weight_paths,
)
from tests.unit.plugins.models.bench import REPO, Bench, served_files, tiny_model

NEXT = "/api/models/o/n/tree/main?cursor=2"


@pytest.mark.parametrize(
    "header",
    [
        f'<{NEXT}>; rel="next"',
        f"<{NEXT}>;rel=next",
        f"<{NEXT}> ; REL = NEXT",
        f'<{NEXT}>; type="application/json"; rel="next"',
        f'<{NEXT}>; title="page 2; of <3>, \\"last\\""; rel="next"',
        f"<{NEXT}>; title*=UTF-8''n%c3%a4chste; rel=next",
        f"<{NEXT}>; type=application/json; rel=next",
        f'<{NEXT}>; crossorigin; rel="next"; rel="last"',
        f'<{NEXT}>; rel="last next"',
        f'<{NEXT}>; rel="\tnext  last"',
        f'< {NEXT} >; rel="next";',
        f'</first>; rel="first", <{NEXT}>; rel="next"',
        f'</a,b;c>; rel="prev", , <{NEXT}>; rel="next", </z>; rel="last"',
        f'</next>; rel="prev"; title="<x>; rel=next", <{NEXT}>; rel="next"',
        f'<{NEXT}>; rel="next", </other>; rel="next"',
        f'</other>; rel="next"; anchor="/another", <{NEXT}>; rel="next"',
    ],
)
def test_the_next_page_is_found_as_rfc_8288_reads_it(header: str) -> None:
    assert next_target(header) == NEXT


@pytest.mark.parametrize(
    "header",
    [
        "",
        " , ",
        '</x>; rel="prev"',
        "</x>",
        '</x>; rel="nextish"',
        '</x>; rel="prev"; rel="next"',
        '</x>; rev="next"',
        '</x>; title="rel=next"',
        '</next>; rel="prev"; title="; rel=\\"next\\""',
        '</x>; rel="next"; anchor="#part"',
    ],
)
def test_a_last_page_names_none(header: str) -> None:
    assert next_target(header) is None


@pytest.mark.parametrize(
    "header",
    [
        NEXT,
        f'<{NEXT}; rel="next"',
        f'<{NEXT}> rel="next"',
        f'<{NEXT}>; rel="next',
        f'</x>; rel="prev", {NEXT}; rel="next"',
        f'<{NEXT}>; rel=ne"xt"',
        f'<<{NEXT}>>; rel="next"',
    ],
)
def test_what_cannot_be_read_is_no_last_page(header: str) -> None:
    with pytest.raises(LinkError, match="at character"):
        next_target(header)


@pytest.mark.parametrize(
    "link",
    [
        '<{url}>; type="application/json"; rel="next"',
        '<{url}>; title="more, and <more>; rel=\\"last\\""; rel="next"',
        '</docs>; rel="help"\n<{url}>; rel=next',
        '<{url}>; rel="next"\n</docs>; rel="help"',
    ],
)
@pytest.mark.parametrize("transport", [lambda: HttpxTransport(2), UrllibTransport])
def test_every_page_is_read(bench: Bench, link: str, transport: Any) -> None:
    commit = bench.hub.publish(REPO, tiny_model())
    bench.hub.link = link
    hub = Hub(bench.hub.endpoint, None, transport(), bench.slept.append)
    assert len(hub.tree(REPO, commit)) == len(tiny_model())
    hub.close()


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("{url}; rel=next", "'<' and '>' around an address are missing"),
        ('<{url}>; rel="next', "is never closed"),
        ("<http://[half>; rel=next", "Invalid IPv6"),
        ("<>; rel=next", "leads back to a page that was read already"),
    ],
)
def test_an_unreadable_link_refuses_the_model_before_its_first_byte(
    bench: Bench, link: str, words: str
) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.link = link
    with pytest.raises(ModelError) as raised:
        bench.run()
    text = str(raised.value)
    assert words in text
    assert bench.hub.endpoint in text and "/api/models/acme/tiny-mlx/tree/" in text
    assert "models_endpoint" in text
    assert bench.hub.bodies == []


@pytest.mark.parametrize(
    "kept", [["config.json"], ["config.json", "model-00001-of-00002.safetensors"]]
)
def test_a_record_of_half_a_list_is_not_believed(bench: Bench, kept: list[str]) -> None:
    """What an earlier version recorded as complete is repaired by the next run."""
    model = tiny_model()
    bench.hub.publish(REPO, model)
    bench.run()
    record = bench.folder / ".closet.json"
    manifest = json.loads(record.read_text())
    manifest["files"] = [file for file in manifest["files"] if file["path"] in kept]
    record.write_text(json.dumps(manifest))
    for path in set(bench.model_files()) - set(kept):
        (bench.folder / path).unlink()
    assert bench.run()["models"][0]["state"] == "pulled"
    assert bench.model_files() == served_files(model)
    assert not bench.run()["changed"]


def test_a_repository_without_weights_is_never_complete(bench: Bench) -> None:
    bench.hub.publish(REPO, {"config.json": b"{}", "README.md": b"x"})
    for _run in range(2):
        with pytest.raises(ModelError, match="is a weight that omlx or mlx_lm loads"):
            bench.run()
    assert not (bench.folder / ".closet.json").exists()


@pytest.mark.parametrize(
    "extra",
    [
        "consolidated.safetensors",
        "consolidated-00001-of-00002.safetensors",
        "consolidated.safetensors.index.json",
        "consolidated.00.pth",
        "sub/consolidated.00.pth",
        "flax_model.msgpack",
        "flax_model.msgpack.index.json",
        "tf_model.h5",
        "rust_model.ot",
        "pytorch_model.bin",
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model.bin.index.json",
        "pytorch_model.pt",
        "model.ckpt",
        "model-Q4_K_M.gguf",
        "onnx/model.onnx",
        "onnx/model.onnx_data",
        "onnx/config.json",
        "openvino/openvino_model.bin",
        "original/model-00001-of-00002.safetensors",
        "original/tokenizer.model",
        "metal/model.bin",
        "coreml/model.mlpackage/Data/weights.bin",
        "checkpoint-500/model.safetensors",
        "sub/original/x.safetensors",
        "optimizer.pt",
        "optimizer.bin",
        "scheduler.pt",
        "rng_state_0.pth",
        "training_args.bin",
        "runs/events.out.tfevents.1700000000.host",
        ".gitattributes",
    ],
)
def test_what_no_server_loads_is_neither_fetched_nor_counted(bench: Bench, extra: str) -> None:
    model = served_files(tiny_model())
    bench.hub.publish(REPO, {**model, extra: b"x" * 90_000})
    result = bench.run(ceiling=10_500, check_mode=True)
    assert result["missing_bytes"] == sum(map(len, model.values()))
    bench.run(ceiling=10_500)
    assert bench.model_files() == model


@pytest.mark.parametrize(
    "part",
    [
        "tokenizer.model",
        "params.json",
        "2_Dense/model.safetensors",
        "speech_tokenizer/model.safetensors",
        "voices/af_heart.pt",
        "weights.npz",
        "scheduler/scheduler_config.json",
        "consolidated_notes.md",
        "originals.json",
        "chat_template.jinja",
    ],
)
def test_what_a_server_may_load_is_kept(part: str) -> None:
    assert model_paths(["model.safetensors", part]) == {"model.safetensors", part}


@pytest.mark.parametrize(
    ("paths", "own"),
    [
        (["consolidated.safetensors", "params.json"], ["consolidated.safetensors", "params.json"]),
        (["pytorch_model.bin", "tf_model.h5", "original/x.bin"], ["pytorch_model.bin"]),
        (["pytorch_model.bin", "2_Dense/m.safetensors"], None),
        (["training_args.bin", "unet/m.safetensors", "unet/m.bin"], ["unet/m.safetensors"]),
        (["original/a.safetensors", "x.bin"], ["x.bin"]),
    ],
)
def test_which_of_several_formats_is_the_model(paths: list[str], own: list[str] | None) -> None:
    assert model_paths(paths) == set(paths if own is None else own)


@pytest.mark.parametrize(
    ("paths", "weights"),
    [
        (["a.safetensors", "b.bin", "sub/c.safetensors"], ["a.safetensors"]),
        (["b.bin", "sub/c.safetensors", "sub/d.bin"], ["b.bin"]),
        (["config.json", "sub/c.safetensors", "sub/d.bin"], ["sub/c.safetensors"]),
        (["config.json", "x.gguf", "sub/d.bin"], []),
    ],
)
def test_the_weights_are_those_that_omlx_counts(paths: list[str], weights: list[str]) -> None:
    assert weight_paths(paths) == set(weights)


@pytest.mark.parametrize(
    ("paths", "missing"),
    [
        (["a-00001-of-00001.safetensors"], ()),
        (["a-00002-of-00002.safetensors"], ("a-00001-of-00002.safetensors",)),
        (["a-00002-of-00002.safetensors", "a.safetensors.index.json"], ()),
        (
            ["a-00002-of-00002.safetensors", "b.safetensors.index.json"],
            ("a-00001-of-00002.safetensors",),
        ),
        (["a.safetensors", "old/b-00001-of-00002.safetensors"], ()),
    ],
)
def test_names_of_shards_tell_of_the_others(paths: list[str], missing: tuple[str, ...]) -> None:
    assert missing_by_name(paths) == missing


BELOW = "/artifactory/api/huggingfaceml/ext"


@pytest.mark.parametrize("prefix", ["", BELOW, "/a/api/models/b"])
@pytest.mark.parametrize(
    "link",
    [
        "<{url}>; rel=next",
        "<{path}>; rel=next",
        "<http://{host}{path}>; rel=next",
        "<https://huggingface.co{path}>; rel=next",
        "<http://other.example/mirror{path}>; rel=next",
        "<http://other.example/api/models/hub{path}>; rel=next",
        "<//other.example{path}>; rel=next",
        "<{query}>; rel=next",
        "<{path}#part>; rel=next",
    ],
)
def test_pages_are_asked_for_at_the_endpoint_whatever_the_link_says(
    bench: Bench, prefix: str, link: str
) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.prefix, bench.hub.link = prefix, link
    bench.hub.endpoint += prefix
    assert bench.run()["models"][0]["state"] == "pulled"
    assert bench.model_files() == served_files(tiny_model())


@pytest.mark.parametrize("link", ["/v2/trees?cursor=2", "https://other.example", "mailto:hub@x"])
def test_a_link_that_leads_to_no_api_is_refused(bench: Bench, link: str) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.link = f"<{link}>; rel=next"
    with pytest.raises(ModelError, match="does not lead to /api/models/"):
        bench.run()
