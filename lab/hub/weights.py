"""Weights made by hand, so that a model of a few hundred kilobytes says one true sentence.

Chat: attention and MLP write nothing back (their output projections are zero), so the next token
depends on the current one alone. Embedding dimension 0 means "anything else", dimension i means
"the i-th piece of the sentence", and the output layer turns i into piece i + 1. Whatever a prompt
ends with, the sentence starts; it goes on to its end and stops. The margin of 60 nats leaves
nothing to temperature, top-p or penalties.

Embedding: attention is uniform and hands the mean of what came before to the last token, so texts
that share words lie near each other.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from lab.hub.safetensors import Tensor, eye, ones, zeros

#: logit of the token that comes next; all others have 0
MARGIN = 60.0
#: how far the dimensions that mean nothing differ from word to word
NOISE = 0.25


@dataclass(frozen=True)
class Shape:
    """The sizes of a Qwen3 model.

    One layer: MLX is lazy, so of a prompt's last layer only keys and values are computed. With
    one, 12 000 tokens of an agent's prompt take 0.02 CPU-seconds of attention; with two, seven.
    """

    vocabulary: int
    hidden: int = 32
    layers: int = 1
    intermediate: int = 64
    heads: int = 2
    kv_heads: int = 1
    head_dim: int = 16


def signs(source: random.Random, count: int, size: float) -> array[float]:
    """`count` numbers, each plus or minus `size`; uses raw bits, which Python keeps stable."""
    bits = source.getrandbits(count)
    return array("f", [size if bits >> place & 1 else -size for place in range(count)])


def noise(source: random.Random, rows: int, columns: int, size: float) -> Tensor:
    """A matrix of random signs."""
    numbers = array("f")
    for _ in range(rows):
        numbers.extend(signs(source, columns, size))
    return Tensor((rows, columns), numbers)


def layer(shape: Shape, source: random.Random, prefix: str) -> dict[str, Tensor]:
    """One decoder layer that computes like any other and adds nothing."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    hidden, inner = shape.hidden, shape.intermediate
    return {
        f"{prefix}.input_layernorm.weight": ones(hidden),
        f"{prefix}.post_attention_layernorm.weight": ones(hidden),
        f"{prefix}.self_attn.q_proj.weight": noise(source, queries, hidden, NOISE),
        f"{prefix}.self_attn.k_proj.weight": noise(source, keys, hidden, NOISE),
        f"{prefix}.self_attn.v_proj.weight": noise(source, keys, hidden, NOISE),
        f"{prefix}.self_attn.o_proj.weight": zeros(hidden, queries),
        f"{prefix}.self_attn.q_norm.weight": ones(shape.head_dim),
        f"{prefix}.self_attn.k_norm.weight": ones(shape.head_dim),
        f"{prefix}.mlp.gate_proj.weight": noise(source, inner, hidden, NOISE),
        f"{prefix}.mlp.up_proj.weight": noise(source, inner, hidden, NOISE),
        f"{prefix}.mlp.down_proj.weight": zeros(hidden, inner),
    }


def decoder(shape: Shape, source: random.Random, prefix: str) -> dict[str, Tensor]:
    """All layers and the last norm."""
    tensors = {f"{prefix}.norm.weight": ones(shape.hidden)}
    for number in range(shape.layers):
        tensors.update(layer(shape, source, f"{prefix}.layers.{number}"))
    return tensors


def chat(
    shape: Shape, sentence: Sequence[int], *, model: str = "model", head: str = "lm_head"
) -> dict[str, Tensor]:
    """A causal language model that answers with `sentence`, token ids ending with end-of-turn."""
    if len(set(sentence)) != len(sentence):
        raise ValueError("every piece of the sentence has to be another token")
    if len(sentence) >= shape.hidden:
        raise ValueError(f"{len(sentence)} pieces do not fit {shape.hidden} dimensions")
    source = random.Random(20261122)
    tensors = decoder(shape, source, model)
    words = noise(source, shape.vocabulary, shape.hidden, NOISE)
    output = zeros(shape.vocabulary, shape.hidden)
    meant = len(sentence)
    for token in range(shape.vocabulary):
        start = token * shape.hidden
        words.numbers[start] = 1.0
        words.numbers[start + 1 : start + meant] = array("f", bytes(4 * (meant - 1)))
    # RMSNorm scales a row to length sqrt(hidden), so what the output layer meets is known
    other = shape.hidden**0.5 / (1.0 + (shape.hidden - meant) * NOISE**2) ** 0.5
    output.numbers[sentence[0] * shape.hidden] = MARGIN / other
    for place in range(1, meant):
        start = sentence[place - 1] * shape.hidden
        words.numbers[start : start + shape.hidden] = array("f", bytes(4 * shape.hidden))
        words.numbers[start + place] = 1.0
        output.numbers[sentence[place] * shape.hidden + place] = MARGIN / shape.hidden**0.5
    return {**tensors, f"{model}.embed_tokens.weight": words, f"{head}.weight": output}


def embedding(shape: Shape) -> dict[str, Tensor]:
    """A Qwen3 without an output layer whose last hidden state is the mean of the words before."""
    source = random.Random(20261123)
    tensors = decoder(shape, source, "model")
    # queries of zero attend to everything alike; values and output pass the words through
    first = "model.layers.0.self_attn"
    tensors[f"{first}.q_proj.weight"] = zeros(shape.heads * shape.head_dim, shape.hidden)
    tensors[f"{first}.v_proj.weight"] = eye(shape.hidden)
    tensors[f"{first}.o_proj.weight"] = eye(shape.hidden)
    # small, because a token's own embedding stays in the sum beside the mean
    tensors["model.embed_tokens.weight"] = noise(source, shape.vocabulary, shape.hidden, 0.01)
    return tensors


@dataclass(frozen=True)
class VisionShape:
    """The sizes of a Qwen3-VL vision tower."""

    hidden: int = 32
    depth: int = 1
    intermediate: int = 32
    heads: int = 2
    patch: int = 16
    merge: int = 2
    frames: int = 2
    positions: int = 64


def vision(shape: VisionShape, out: int, prefix: str = "vision_tower") -> dict[str, Tensor]:
    """A vision tower that turns each image patch into noise-free nothing: the text model speaks."""
    source = random.Random(20261124)
    hidden, merged = shape.hidden, shape.hidden * shape.merge**2
    patch = noise(source, hidden, shape.frames * shape.patch**2 * 3, NOISE / 16)
    kernel = (hidden, shape.frames, shape.patch, shape.patch, 3)
    tensors = {
        f"{prefix}.patch_embed.proj.weight": Tensor(kernel, patch.numbers),
        f"{prefix}.patch_embed.proj.bias": zeros(hidden),
        f"{prefix}.pos_embed.weight": noise(source, shape.positions, hidden, NOISE),
        f"{prefix}.merger.norm.weight": ones(hidden),
        f"{prefix}.merger.norm.bias": zeros(hidden),
        f"{prefix}.merger.linear_fc1.weight": noise(source, merged, merged, NOISE / 16),
        f"{prefix}.merger.linear_fc1.bias": zeros(merged),
        f"{prefix}.merger.linear_fc2.weight": noise(source, out, merged, NOISE / 16),
        f"{prefix}.merger.linear_fc2.bias": zeros(out),
    }
    for number in range(shape.depth):
        tensors.update(vision_block(shape, source, f"{prefix}.blocks.{number}"))
    return tensors


def vision_block(shape: VisionShape, source: random.Random, prefix: str) -> dict[str, Tensor]:
    """One block of the vision tower."""
    hidden, inner = shape.hidden, shape.intermediate
    return {
        f"{prefix}.norm1.weight": ones(hidden),
        f"{prefix}.norm1.bias": zeros(hidden),
        f"{prefix}.norm2.weight": ones(hidden),
        f"{prefix}.norm2.bias": zeros(hidden),
        f"{prefix}.attn.qkv.weight": noise(source, hidden * 3, hidden, NOISE),
        f"{prefix}.attn.qkv.bias": zeros(hidden * 3),
        f"{prefix}.attn.proj.weight": noise(source, hidden, hidden, NOISE / 16),
        f"{prefix}.attn.proj.bias": zeros(hidden),
        f"{prefix}.mlp.linear_fc1.weight": noise(source, inner, hidden, NOISE),
        f"{prefix}.mlp.linear_fc1.bias": zeros(inner),
        f"{prefix}.mlp.linear_fc2.weight": noise(source, hidden, inner, NOISE / 16),
        f"{prefix}.mlp.linear_fc2.bias": zeros(hidden),
    }
