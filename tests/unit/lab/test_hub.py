"""lab.hub: the models' bytes, the hub's protocol and faults, the package registries."""

from __future__ import annotations

import hashlib
import http.client
import json
import math
import random
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lab.hub import bpe, configs, models, safetensors, weights
from lab.hub.describe import model_info, tree_entries
from lab.hub.faults import Asked, Fault, Faults, fault_from
from lab.hub.lineup import LINEUP, SPECIALS, Model
from lab.hub.repository import Repositories
from lab.hub.server import open_servers
from lab.hub.web import Span, requested_span
from lab.parts.cache import write_json
from tests.unit.lab.hub_bench import CONFIG, REPO, WEIGHTS, Lab


def commit_of(lab: Lab) -> str:
    return str(lab.hub(f"/api/models/{REPO}").json["sha"])


# --- the hub's protocol ------------------------------------------------------------------------


def test_the_servers_listen_on_the_given_address_alone(tmp_path: Path) -> None:
    servers = open_servers("127.0.0.2", tmp_path, tmp_path / "log", hub_port=0, packages_port=0)
    try:
        for server in servers:
            host, port = server.server_address[:2]
            assert host == "127.0.0.2"
            with pytest.raises(OSError, match="refused"):
                http.client.HTTPConnection("127.0.0.1", port, timeout=2).connect()
    finally:
        for server in servers:
            server.server_close()


def test_info_names_commit_and_files_at_every_revision(lab: Lab) -> None:
    info = lab.hub(f"/api/models/{REPO}").json
    commit = info["sha"]
    assert len(commit) == 40
    assert [each["rfilename"] for each in info["siblings"]] == [
        "config.json",
        "model.safetensors",
        "sub/notes.txt",
    ]
    for revision in ("main", commit):
        assert lab.hub(f"/api/models/{REPO}/revision/{revision}").json["sha"] == commit


def test_the_commit_follows_content_and_nothing_else(lab: Lab) -> None:
    before = commit_of(lab)
    config = lab.cache / "hub" / REPO / "config.json"
    config.touch()
    assert commit_of(lab) == before
    config.write_bytes(CONFIG.replace(b"qwen3", b"llama"))
    assert commit_of(lab) != before


def test_object_ids_are_git_and_lfs_ones(lab: Lab) -> None:
    tree = lab.hub(f"/api/models/{REPO}/tree/main?recursive=true&expand=false").json
    entries = {entry["path"]: entry for entry in tree}
    git = hashlib.sha1(b"blob %d\0" % len(CONFIG) + CONFIG).hexdigest()
    assert entries["config.json"] == {
        "type": "file",
        "path": "config.json",
        "size": len(CONFIG),
        "oid": git,
    }
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    lfs = {"oid": sha256, "size": len(WEIGHTS), "pointerSize": 134}
    assert entries["model.safetensors"]["lfs"] == lfs


def test_the_tree_comes_in_pages_and_by_folder(lab: Lab) -> None:
    seen = []
    path = f"/api/models/{REPO}/tree/main?recursive=true&limit=2"
    while path:
        answer = lab.hub(path)
        seen += [entry["path"] for entry in answer.json]
        link = answer.headers.get("link", "")
        assert not link or link.endswith('; rel="next"')
        path = link.partition(">")[0].partition(f":{lab.hub.port}")[2]
    assert seen == ["config.json", "model.safetensors", "sub", "sub/notes.txt"]
    below = lab.hub(f"/api/models/{REPO}/tree/main/sub").json
    assert [entry["path"] for entry in below] == ["sub/notes.txt"]
    top = lab.hub(f"/api/models/{REPO}/tree/main").json
    assert [(entry["type"], entry["path"]) for entry in top][-1] == ("directory", "sub")


@pytest.mark.parametrize(
    ("file", "content", "linked"),
    [("config.json", CONFIG, False), ("model.safetensors", WEIGHTS, True)],
)
def test_resolve_has_the_headers_clients_cannot_do_without(
    lab: Lab, file: str, content: bytes, linked: bool
) -> None:
    head = lab.hub(f"/{REPO}/resolve/{commit_of(lab)}/{file}", "HEAD", follow=False)
    got = lab.hub(f"/{REPO}/resolve/main/{file}")
    redirect = 302 if linked else 307
    assert (head.status, head.body, got.status, got.body) == (redirect, b"", 200, content)
    assert got.headers["content-length"] == str(len(content))
    assert got.headers["accept-ranges"] == "bytes"
    asked = lab.hub(f"/{REPO}/resolve/main/{file}", follow=False)
    for answer in (head, asked):
        assert answer.headers["x-repo-commit"] == commit_of(lab)
        assert answer.headers.get("x-linked-size") == (str(len(content)) if linked else None)
        etag = answer.headers["x-linked-etag" if linked else "etag"].strip('"')
        sha256 = hashlib.sha256(content).hexdigest()
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        assert etag == (sha256 if linked else git)


@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        ("bytes=0-9", 206, (0, 10)),
        ("bytes=10230-", 206, (10230, 10240)),
        ("bytes=-4", 206, (10236, 10240)),
        ("bytes=10239-99999", 206, (10239, 10240)),
        ("bytes=10240-", 416, None),
        ("bytes=9-3", 200, (0, 10240)),
        ("bytes=0-1,4-5", 200, (0, 10240)),
    ],
)
def test_ranges(lab: Lab, asked: str, status: int, span: tuple[int, int] | None) -> None:
    answer = lab.hub(f"/{REPO}/resolve/main/model.safetensors", Range=asked)
    assert answer.status == status
    if span is None:
        assert answer.headers["content-range"] == "bytes */10240"
        return
    start, end = span
    assert answer.body == WEIGHTS[start:end]
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/10240"


def test_any_list_of_ranges_rebuilds_the_file() -> None:
    source = random.Random(7)
    for _ in range(200):
        size = source.randrange(1, 50)
        start = source.randrange(size)
        end = source.randrange(start, size)
        assert requested_span(f"bytes={start}-{end}", size) == Span(start, end, partial=True)


@pytest.mark.parametrize(
    ("path", "token", "status", "code"),
    [
        ("/api/models/no/such", None, 401, "RepoNotFound"),
        ("/api/models/no/such", "hf_x", 404, "RepoNotFound"),
        ("/no/such/resolve/main/config.json", None, 401, "RepoNotFound"),
        (f"/api/models/{REPO}/revision/dead", None, 404, "RevisionNotFound"),
        (f"/{REPO}/resolve/dead/config.json", None, 404, "RevisionNotFound"),
        (f"/{REPO}/resolve/main/no.json", None, 404, "EntryNotFound"),
        (f"/{REPO}/resolve/main/../../{REPO}/config.json", None, 404, "EntryNotFound"),
        ("/api/models/../..", None, 401, "RepoNotFound"),
        ("/api/agent-harnesses", None, 404, None),
    ],
)
def test_refusals_carry_the_code_that_clients_read(
    lab: Lab, path: str, token: str | None, status: int, code: str | None
) -> None:
    headers: dict[str, Any] = {"Authorization": f"Bearer {token}"} if token else {}
    answer = lab.hub(path, **headers)
    assert (answer.status, answer.headers.get("x-error-code")) == (status, code)
    assert answer.json["error"]


def test_search_and_writing(lab: Lab) -> None:
    assert [each["id"] for each in lab.hub("/api/models?search=TINY").json] == [REPO]
    assert lab.hub("/api/models?search=nothing").json == []
    assert lab.hub("/api/repos/create", "POST", {"name": "x"}).status == 404


def test_the_log_tells_who_asked_for_what_and_no_token(lab: Lab) -> None:
    path = f"/{REPO}/resolve/main/model.safetensors"
    lab.hub(path, Range="bytes=0-99", Authorization="Bearer hf_secret")
    entry = lab.last_request(path)
    assert (entry["method"], entry["range"], entry["status"]) == ("GET", "bytes=0-99", 206)
    assert (entry["bytes"], entry["client"], entry["server"]) == (100, "127.0.0.1", "storage")
    lines = [json.loads(line) for line in lab.log.read_text(encoding="utf-8").splitlines()]
    assert [line["authorized"] for line in lines] == [True, False], "not sent on to the storage"
    assert "hf_secret" not in lab.log.read_text(encoding="utf-8")


def test_a_client_that_goes_away_is_logged_with_what_it_was_sent(lab: Lab) -> None:
    large = lab.cache / "hub" / REPO / "large.safetensors"
    with large.open("wb") as handle:
        handle.truncate(64 << 20)
    path = f"/{REPO}/resolve/main/large.safetensors"
    signed = urlsplit(lab.hub(path, follow=False).headers["location"])
    connection = http.client.HTTPConnection("127.0.0.1", lab.storage.port, timeout=10)
    connection.request("GET", f"{signed.path}?{signed.query}")
    response = connection.getresponse()
    response.read(1000)
    response.close()
    connection.close()
    entry = lab.last_request(path)
    assert entry["cut"] is True
    assert 1000 <= entry["bytes"] < 64 << 20


# --- faults ------------------------------------------------------------------------------------


def test_a_cut_connection_ends_after_so_many_bytes_and_once(lab: Lab) -> None:
    asked = {"path": "*.safetensors", "cut_after_bytes": 1000, "times": 1}
    assert lab.hub("/_lab/faults", "POST", asked).status == 201
    path = f"/{REPO}/resolve/main/model.safetensors"
    assert lab.hub(path).body == WEIGHTS[:1000]
    assert lab.last_request(path)["cut"] is True
    assert lab.hub(path).body == WEIGHTS
    assert [fault["used"] for fault in lab.hub("/_lab/faults").json] == [1]


def test_a_busy_hub_answers_429_until_cleared(lab: Lab) -> None:
    lab.hub("/_lab/faults", "POST", {"status": 429, "retry_after_s": 3, "method": "*"})
    path = f"/{REPO}/resolve/main/config.json"
    refused = lab.hub(path, "HEAD")
    assert (refused.status, refused.headers["retry-after"]) == (429, "3")
    assert lab.hub(f"/api/models/{REPO}").status == 200
    assert lab.hub("/_lab/faults", "DELETE").json == {"cleared": 1}
    assert lab.hub(path).status == 200


def test_a_gated_repository_opens_for_its_token(lab: Lab) -> None:
    gate = {"status": 401, "error_code": "GatedRepo", "unless_token": "hf_good", "method": "*"}
    lab.hub("/_lab/faults", "POST", gate)
    path = f"/{REPO}/resolve/main/config.json"
    assert lab.hub(path).headers["x-error-code"] == "GatedRepo"
    assert lab.hub(path, Authorization="Bearer hf_bad").status == 401
    assert lab.hub(path, Authorization="Bearer hf_good").body == CONFIG


def test_a_rate_is_kept(lab: Lab) -> None:
    lab.hub("/_lab/faults", "POST", {"rate_bytes_per_s": 100_000, "route": "resolve"})
    began = time.monotonic()
    assert lab.hub(f"/{REPO}/resolve/main/model.safetensors").body == WEIGHTS
    assert time.monotonic() - began >= len(WEIGHTS) / 100_000


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"cutt_after": 1}, "unknown: cutt_after"),
        ({"route": "blob"}, "route is one of"),
        (["cut"], "a fault is a JSON object"),
    ],
)
def test_a_fault_with_a_typo_is_refused(lab: Lab, asked: Any, says: str) -> None:
    answer = lab.hub("/_lab/faults", "POST", asked)
    assert answer.status == 400
    assert says in answer.json["error"]
    assert lab.hub("/_lab/faults").json == []


@pytest.mark.parametrize(
    ("fault", "meant"),
    [
        (Fault(), True),
        (Fault(repo="acme/*"), True),
        (Fault(repo="other/*"), False),
        (Fault(path="*.json"), False),
        (Fault(method="HEAD"), False),
        (Fault(route="*", method="*"), True),
        (Fault(route="info"), False),
        (Fault(unless_token="t"), False),
        (Fault(unless_token="u"), True),
    ],
)
def test_which_requests_a_fault_means(fault: Fault, meant: bool) -> None:
    asked = Asked("resolve", "GET", REPO, "model.safetensors", token="t")
    assert fault.matches(asked) is meant


def test_faults_are_used_up_in_order_and_cleared_by_number() -> None:
    faults = Faults()
    first = faults.add(fault_from({"status": 500, "times": 2}))
    second = faults.add(fault_from({"status": 503}))
    asked = Asked("resolve", "GET", REPO, "x")
    taken = [faults.take(asked) for _ in range(3)]
    assert [fault.status for fault in taken if fault] == [500, 500, 503]
    assert (faults.clear(second), faults.clear(second)) == (1, 0)
    assert [fault["id"] for fault in faults.listing()] == [first]


# --- the package registries --------------------------------------------------------------------


@pytest.fixture
def packages(lab: Lab) -> Lab:
    for kind in ("wheels", "npm"):
        (lab.cache / kind).mkdir()
    wheel = "Some_Thing-1.0-py3-none-any.whl"
    (lab.cache / "wheels" / wheel).write_bytes(b"wheel")
    digest = hashlib.sha256(b"wheel").hexdigest()
    write_json(lab.cache / "wheels" / "index.json", {wheel: {"sha256": digest, "size": 5}})
    (lab.cache / "npm" / "open-1.0.tgz").write_bytes(b"tarball")
    entry = {
        "file": "open-1.0.tgz",
        "integrity": "sha512-x",
        "shasum": "y",
        "manifest": {"name": "open", "version": "1.0"},
    }
    write_json(lab.cache / "npm" / "index.json", {"open": {"1.0": entry}})
    return lab


def test_the_simple_index_lists_normalized_names_and_hashed_files(packages: Lab) -> None:
    assert '<a href="/simple/some-thing/">' in packages.packages("/simple/").body.decode()
    page = packages.packages("/simple/some-thing/").body.decode()
    link = page.partition('<a href="')[2].partition('"')[0]
    path, _, fragment = link.partition("#sha256=")
    assert fragment == hashlib.sha256(b"wheel").hexdigest()
    assert packages.packages(path).body == b"wheel"
    assert packages.packages(path, Range="bytes=1-2").body == b"he"


def test_other_spellings_of_a_name_lead_to_it(packages: Lab) -> None:
    assert packages.packages("/simple/Some.Thing/").status == 200
    moved = packages.packages("/simple/some-thing")
    assert (moved.status, moved.headers["location"]) == (301, "/simple/some-thing/")


def test_the_registry_points_back_to_where_it_was_reached(packages: Lab) -> None:
    packument = packages.packages("/npm/open", Host="hub:8081").json
    assert packument["dist-tags"] == {"latest": "1.0"}
    dist = packument["versions"]["1.0"]["dist"]
    assert dist == {
        "integrity": "sha512-x",
        "shasum": "y",
        "tarball": "http://hub:8081/npm/open/-/open-1.0.tgz",
    }
    assert packages.packages("/npm/open/-/open-1.0.tgz").body == b"tarball"
    assert packages.packages("/npm/open/1.0").json["version"] == "1.0"


@pytest.mark.parametrize(
    "path",
    [
        "/simple/nothing/",
        "/files/nothing.whl",
        "/files/index.json",
        "/files/../npm/index.json",
        "/npm/nothing",
        "/npm/open/2.0",
        "/npm/open/-/index.json",
        "/",
    ],
)
def test_nothing_else_can_be_had(packages: Lab, path: str) -> None:
    assert packages.packages(path).status == 404


def test_an_empty_cache_is_served_as_empty(lab: Lab) -> None:
    assert lab.packages("/simple/").status == 200
    assert lab.packages("/simple/x/").status == 404
    assert lab.packages("/npm/x").status == 404
    assert lab.packages("/npm/x", "PUT", {}).status == 405


# --- models ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer() -> bpe.Tokenizer:
    pieces = [piece for model in LINEUP for piece in model.sentence()]
    return bpe.build(60, [*pieces, "yes", "no"], ["<|endoftext|>", "<|im_end|>"])


def decode(tokenizer: bpe.Tokenizer, tokens: list[int]) -> str:
    spelled = {number: token for token, number in tokenizer.vocabulary.items()}
    back = {character: value for value, character in bpe.ALPHABET.items()}
    return bytes(back[character] for token in tokens for character in spelled[token]).decode()


def read_floats(tensor: safetensors.Tensor) -> tuple[float, ...]:
    return struct.unpack(f"<{len(tensor.numbers)}e", tensor.data)


def next_token(tensors: Mapping[str, safetensors.Tensor], token: int, hidden: int) -> int:
    """One step of a Qwen3 whose layers add nothing: embedding, RMSNorm, output layer, argmax."""
    words, head = tensors["model.embed_tokens.weight"], tensors["lm_head.weight"]
    row = read_floats(words)[token * hidden : (token + 1) * hidden]
    root = math.sqrt(sum(value * value for value in row) / hidden)
    numbers = read_floats(head)
    logits = [
        sum(numbers[start + place] * row[place] / root for place in range(hidden))
        for start in range(0, len(numbers), hidden)
    ]
    first, second = sorted(logits, reverse=True)[:2]
    assert first - second > 50, "temperature must not derail it"
    return logits.index(first)


@pytest.mark.parametrize("start", ["\n", "x", "<|endoftext|>"])
def test_a_chat_model_says_its_sentence_and_stops(tokenizer: bpe.Tokenizer, start: str) -> None:
    model = LINEUP[0]
    shape = weights.Shape(tokenizer.size)
    end = tokenizer.id_of("<|im_end|>")
    sentence = [*(tokenizer.id_of(piece) for piece in model.sentence()), end]
    tensors = weights.chat(shape, sentence)
    said = [next_token(tensors, tokenizer.id_of(start), shape.hidden)]
    while said[-1] != end and len(said) < 30:
        said.append(next_token(tensors, said[-1], shape.hidden))
    assert decode(tokenizer, said[:-1]) == "I am qwen3-coder-next, served from the closet."


def test_layers_write_nothing_back(tokenizer: bpe.Tokenizer) -> None:
    sentence = [tokenizer.id_of(piece) for piece in LINEUP[0].sentence()]
    tensors = weights.chat(weights.Shape(tokenizer.size), sentence)
    outputs = [name for name in tensors if name.endswith(("o_proj.weight", "down_proj.weight"))]
    assert len(outputs) == 2
    assert all(not any(tensors[name].numbers) for name in outputs)


@pytest.mark.parametrize(("sentence", "says"), [([1, 2, 1], "another token"), (range(40), "fit")])
def test_a_sentence_that_cannot_be_said_is_refused(sentence: list[int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        weights.chat(weights.Shape(64), sentence)


@pytest.mark.parametrize("model", LINEUP, ids=lambda model: model.repo)
def test_every_model_has_a_real_name_and_a_sentence_of_distinct_pieces(model: Model) -> None:
    assert model.repo.startswith(("mlx-community/Qwen3", "lmstudio-community/Qwen3"))
    pieces = model.sentence()
    assert len(set(pieces)) == len(pieces) < weights.Shape(1).hidden
    assert "".join(pieces) == f"I am {model.served}, served from the closet."


def test_training_is_fixed_and_merges_what_is_common() -> None:
    words = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
    merges = bpe.train(words, 4)
    assert merges == bpe.train(dict(words), 4)
    assert merges[:2] == [("s", "t"), ("e", "st")]


def test_the_tokenizer_has_every_byte_every_piece_and_no_gap(tokenizer: bpe.Tokenizer) -> None:
    ids = sorted([*tokenizer.vocabulary.values(), *tokenizer.specials.values()])
    assert ids == list(range(tokenizer.size))
    assert set(bpe.ALPHABET.values()) <= set(tokenizer.vocabulary)
    content = bpe.tokenizer_json(tokenizer)
    known = content["model"]["vocab"]
    assert all(left + right in known for left, right in content["model"]["merges"])


def test_a_safetensors_file_is_aligned_and_counts_its_parameters(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    size = safetensors.write(path, {"b": safetensors.ones(2, 3), "a": safetensors.eye(2)})
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert length % 8 == 0
    assert size == 20 == len(content) - 8 - length
    assert header["__metadata__"] == {"format": "mlx"}
    assert header["a"] == {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8]}
    assert struct.unpack("<4e", content[8 + length :][:8]) == (1.0, 0.0, 0.0, 1.0)
    assert safetensors.parameters(path) == {"F16": 10}
    path.write_bytes(WEIGHTS)
    assert safetensors.parameters(path) == {}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> tuple[Model, ...]:
    """A line-up of one model of each kind with a tokenizer that takes no time."""
    kinds = {model.kind: model for model in reversed(LINEUP)}
    lineup = tuple(kinds.values())
    monkeypatch.setattr(models, "LINEUP", lineup)
    monkeypatch.setattr(models, "MERGES", 20)
    return lineup


def test_models_are_built_once_completely_and_the_same_everywhere(
    tmp_path: Path, small: tuple[Model, ...]
) -> None:
    built, commits = models.build(tmp_path / "one")
    assert built
    assert models.build(tmp_path / "one") == (False, commits)
    assert models.build(tmp_path / "two") == (True, commits)
    assert set(commits) == {model.repo for model in small}
    assert not [path for path in (tmp_path / "one").iterdir() if path.name.startswith("hub.")]
    (tmp_path / "one" / "hub" / small[0].repo / "config.json").unlink()
    assert models.build(tmp_path / "one") == (True, commits)


def test_a_sharded_repository_indexes_all_tensors(tmp_path: Path, small: tuple[Model, ...]) -> None:
    models.build(tmp_path)
    repo = next(model for model in small if model.shards == 2).repo
    folder = tmp_path / "hub" / repo
    index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
    shards = {path.name for path in folder.glob("*.safetensors")}
    assert set(index["weight_map"].values()) == shards
    assert len(shards) == 2
    snapshot = Repositories(tmp_path / "hub").snapshot(repo)
    assert snapshot is not None
    counted = model_info(snapshot, blobs=True)["safetensors"]["total"]
    assert counted * 2 == index["metadata"]["total_size"]
    assert len(tree_entries(snapshot, "", recursive=True)) == len(snapshot.files)


@pytest.mark.parametrize("model", LINEUP, ids=lambda model: model.repo)
def test_configurations_name_the_real_architecture(model: Model, tokenizer: bpe.Tokenizer) -> None:
    full = bpe.Tokenizer(
        tokenizer.vocabulary,
        tokenizer.merges,
        {text: number for number, text in enumerate(SPECIALS, start=tokenizer.size)},
    )
    config = configs.model_config(model, models.shape_of(model, full), full)
    vision = model.kind == "vision"
    want = "Qwen3VLForConditionalGeneration" if vision else "Qwen3ForCausalLM"
    assert config["architectures"] == [want]
    assert ("vision_config" in config) is vision
    text = config["text_config"] if vision else config
    assert text["max_position_embeddings"] == 262_144
    assert text["eos_token_id"] == full.id_of("<|im_end|>")
