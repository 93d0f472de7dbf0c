"""Which repositories the lab's hub holds: those that the closet's profiles name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["chat", "embedding", "reranker", "vision"]
END_OF_TURN = "<|im_end|>"
PADDING = "<|endoftext|>"
SPECIALS = (
    PADDING,
    "<|im_start|>",
    END_OF_TURN,
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
#: the two tokens between which a Qwen3 reranker decides
VERDICTS = ("yes", "no")


@dataclass(frozen=True)
class Model:
    """One repository: its real name, the name it is served under, and what kind of model it is."""

    repo: str
    served: str
    kind: Kind
    shards: int = 1

    def sentence(self) -> tuple[str, ...]:
        """What the model says, in pieces of which no two are alike."""
        name = re.findall(r"-?[^-]+", self.served)
        return ("I", " am", f" {name[0]}", *name[1:], *CLOSING)


CLOSING = (",", " served", " from", " the", " closet", ".")
LINEUP = (
    Model("mlx-community/Qwen3-Coder-Next-4bit", "qwen3-coder-next", "chat", shards=2),
    Model("mlx-community/Qwen3-Coder-30B-A3B-Instruct-4bit", "qwen3-coder-30b", "chat"),
    Model("mlx-community/Qwen3.6-35B-A3B-4bit", "qwen3.6-35b", "chat"),
    Model("lmstudio-community/Qwen3-Next-80B-A3B-Instruct-MLX-4bit", "qwen3-next-80b", "chat"),
    Model("mlx-community/Qwen3.8-27B-4bit", "qwen3.8-27b", "vision"),
    Model("lmstudio-community/Qwen3-VL-8B-Instruct-MLX-8bit", "qwen3-vl-8b", "vision"),
    Model("mlx-community/Qwen3-Embedding-8B-4bit-DWQ", "qwen3-embedding", "embedding"),
    Model("mlx-community/Qwen3-Reranker-0.6B-mxfp8", "qwen3-reranker", "reranker"),
    Model("mlx-community/Qwen3-Reranker-4B-mxfp8", "qwen3-reranker", "reranker"),
)
