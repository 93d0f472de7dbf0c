"""Build the lab's model repositories into `<cache>/hub`, once: `python -m lab.hub.models`.

Real architectures, real file formats, weights and tokenizer made here from fixed rules: the same
bytes, hence the same commit, on every machine. A complete set costs a look at one file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from lab.hub import bpe, configs, weights
from lab.hub.lineup import END_OF_TURN, LINEUP, SPECIALS, VERDICTS, Model
from lab.hub.repository import Repositories
from lab.hub.safetensors import Tensor, write
from lab.parts.cache import cache_root, locked, read_json, write_json

MERGES = 3600
#: written last, beside the repositories; names the recipe and the commits it led to
STAMP = ".built.json"
RECIPE = ("bpe", "configs", "lineup", "models", "repository", "safetensors", "weights", "words")


def recipe() -> str:
    """A digest of the code that decides what the models are."""
    folder = Path(__file__).parent
    sources = b"".join((folder / f"{name}.py").read_bytes() for name in RECIPE)
    return hashlib.sha256(sources).hexdigest()


def make_tokenizer() -> bpe.Tokenizer:
    """One tokenizer for the whole line-up: it has a token for each piece that any model says."""
    pieces = [piece for model in LINEUP for piece in model.sentence()]
    return bpe.build(MERGES, [*pieces, *VERDICTS], SPECIALS)


def shape_of(model: Model, tokenizer: bpe.Tokenizer) -> weights.Shape:
    """The sizes of one model."""
    if model.kind == "embedding":
        return weights.Shape(tokenizer.size, hidden=64, kv_heads=2, head_dim=32)
    return weights.Shape(tokenizer.size)


def tensors_of(model: Model, shape: weights.Shape, tokenizer: bpe.Tokenizer) -> dict[str, Tensor]:
    """The weights of one model, under the names its architecture has for them."""
    if model.kind == "embedding":
        return weights.embedding(shape)
    sentence = [*(tokenizer.id_of(piece) for piece in model.sentence())]
    sentence.append(tokenizer.id_of(END_OF_TURN))
    if model.kind != "vision":
        return weights.chat(shape, sentence)
    text = weights.chat(
        shape, sentence, model="language_model.model", head="language_model.lm_head"
    )
    return {**text, **weights.vision(weights.VisionShape(), shape.hidden)}


def write_weights(folder: Path, tensors: Mapping[str, Tensor], shards: int) -> None:
    """Write the weight files and their index, cut into shards as the large models are."""
    names = sorted(tensors)
    length = -(-len(names) // shards)
    places: dict[str, str] = {}
    total = 0
    for number in range(shards):
        part = names[number * length : (number + 1) * length]
        file_name = "model.safetensors"
        if shards > 1:
            file_name = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        total += write(folder / file_name, {name: tensors[name] for name in part})
        places.update(dict.fromkeys(part, file_name))
    index = {"metadata": {"total_size": total}, "weight_map": places}
    text = json.dumps(index, indent=2) + "\n"
    (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")


def build_repository(folder: Path, model: Model, tokenizer: bpe.Tokenizer, spelled: str) -> None:
    """Write one repository; `spelled` is the tokenizer.json they all share."""
    folder.mkdir(parents=True)
    shape = shape_of(model, tokenizer)
    for name, text in configs.texts(model, shape, tokenizer).items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "tokenizer.json").write_text(spelled, encoding="utf-8")
    write_weights(folder, tensors_of(model, shape, tokenizer), model.shards)


def build(cache: Path) -> tuple[bool, dict[str, str]]:
    """Make `<cache>/hub` complete; returns (built now, commit of each repository)."""
    hub = cache / "hub"
    with locked(cache, "models"):
        stamp = read_json(hub / STAMP)
        complete = all((hub / model.repo / "config.json").is_file() for model in LINEUP)
        if complete and stamp.get("recipe") == recipe():
            return False, stamp["commits"]
        tokenizer = make_tokenizer()
        spelled = configs.dump(bpe.tokenizer_json(tokenizer))
        with tempfile.TemporaryDirectory(dir=cache, prefix="hub.") as scratch:
            for model in LINEUP:
                build_repository(Path(scratch) / model.repo, model, tokenizer, spelled)
            (hub / STAMP).unlink(missing_ok=True)
            for model in LINEUP:
                shutil.rmtree(hub / model.repo, ignore_errors=True)
                (hub / model.repo).parent.mkdir(parents=True, exist_ok=True)
                (Path(scratch) / model.repo).rename(hub / model.repo)
        commits = commits_of(hub)
        write_json(hub / STAMP, {"recipe": recipe(), "commits": commits})
    return True, commits


def commits_of(hub: Path) -> dict[str, str]:
    """The commit of each repository of the line-up, from its files."""
    repositories = Repositories(hub)
    snapshots = (repositories.snapshot(model.repo) for model in LINEUP)
    return {snapshot.repo: snapshot.commit for snapshot in snapshots if snapshot}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="lab.hub.models", description=__doc__)
    parser.add_argument("--cache", type=Path, default=cache_root(), help="default: %(default)s")
    parser.add_argument("--commits", action="store_true", help="print repository and commit")
    options = parser.parse_args()
    began = time.monotonic()
    built, commits = build(options.cache)
    news = "built" if built else "were there"
    took = time.monotonic() - began
    print(f"models: {len(commits)} in {options.cache / 'hub'} ({news}; {took:.1f} s)")
    if options.commits:
        sys.stdout.writelines(f"{repo} {commit}\n" for repo, commit in sorted(commits.items()))


if __name__ == "__main__":
    main()
