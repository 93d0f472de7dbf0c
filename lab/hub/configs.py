"""The small files of a model repository: configuration, chat template, model card."""

from __future__ import annotations

import json
from typing import Any

from lab.hub.bpe import Tokenizer
from lab.hub.lineup import END_OF_TURN, PADDING, Model
from lab.hub.weights import Shape, VisionShape

#: what the large Qwen3 models accept; nothing is allocated for it until it is used
CONTEXT_LENGTH = 262_144
ROPE_THETA = 1_000_000
NORM_EPSILON = 1e-6

#: ChatML as Qwen writes it: tools in the system message, text or lists of parts as content
CHAT_TEMPLATE = """\
{%- macro plain(content) -%}
{%- if content is string -%}{{ content }}
{%- elif content -%}
{%- for part in content -%}
{%- if part is string -%}{{ part }}
{%- elif part.text is defined -%}{{ part.text }}
{%- elif part.type in ('image', 'image_url', 'input_image') -%}
<|vision_start|><|image_pad|><|vision_end|>
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- endmacro -%}
{%- if tools -%}
{{- '<|im_start|>system\\n' -}}
{%- if messages[0].role == 'system' -%}{{- plain(messages[0].content) + '\\n\\n' -}}{%- endif -%}
{{- '# Tools\\n\\nYou may call one or more functions.\\n<tools>' -}}
{%- for tool in tools -%}{{- '\\n' + (tool | tojson) -}}{%- endfor -%}
{{- '\\n</tools><|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
{%- if not (tools and loop.first and message.role == 'system') -%}
{{- '<|im_start|>' + message.role + '\\n' + plain(message.content) -}}
{%- if message.tool_calls -%}
{%- for call in message.tool_calls -%}
{{- '\\n' + ((call.function if call.function else call) | tojson) -}}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""

CARD = """\
---
library_name: mlx
tags:
- mlx
---
# {repo}

Not the model of that name: a stand-in of a few hundred kilobytes, made by hand for the simulated
LAN of the Ansible collection closet.inference. Architecture and file layout are real; {says}.
"""
SAYS = {
    "chat": 'all it ever says is "{sentence}"',
    "vision": 'whatever it is shown, it says "{sentence}"',
    "embedding": "its vector is the mean of a text's tokens",
    "reranker": "it finds every document equally relevant",
}
GIT_ATTRIBUTES = """\
*.safetensors filter=lfs diff=lfs merge=lfs -text
tokenizer.json filter=lfs diff=lfs merge=lfs -text
"""


def dump(content: Any) -> str:
    """JSON the way model repositories hold it."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def text_config(shape: Shape, tokenizer: Tokenizer) -> dict[str, Any]:
    """The keys that describe a Qwen3 text model."""
    return {
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "intermediate_size": shape.intermediate,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "rms_norm_eps": NORM_EPSILON,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": CONTEXT_LENGTH,
        "rope_theta": ROPE_THETA,
        "rope_scaling": None,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "use_cache": True,
        "use_sliding_window": False,
        "tie_word_embeddings": False,
        "bos_token_id": tokenizer.id_of(PADDING),
        "eos_token_id": tokenizer.id_of(END_OF_TURN),
        "pad_token_id": tokenizer.id_of(PADDING),
        "torch_dtype": "float16",
    }


def model_config(model: Model, shape: Shape, tokenizer: Tokenizer) -> dict[str, Any]:
    """The content of config.json."""
    text = text_config(shape, tokenizer)
    if model.kind != "vision":
        return {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", **text}
    tower = VisionShape()
    # three equal axes (time, height, width) share the rotary dimensions, as in Qwen3-VL
    text["rope_scaling"] = {"rope_type": "default", "mrope_section": [4, 2, 2]}
    text["model_type"] = "qwen3_vl_text"
    return {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "model_type": "qwen3_vl",
        "text_config": text,
        "vision_config": {
            "model_type": "qwen3_vl",
            "depth": tower.depth,
            "hidden_size": tower.hidden,
            "intermediate_size": tower.intermediate,
            "out_hidden_size": shape.hidden,
            "num_heads": tower.heads,
            "patch_size": tower.patch,
            "spatial_merge_size": tower.merge,
            "temporal_patch_size": tower.frames,
            "num_position_embeddings": tower.positions,
            "in_channels": 3,
            "deepstack_visual_indexes": [],
        },
        "image_token_id": tokenizer.id_of("<|image_pad|>"),
        "video_token_id": tokenizer.id_of("<|video_pad|>"),
        "vision_start_token_id": tokenizer.id_of("<|vision_start|>"),
        "vision_end_token_id": tokenizer.id_of("<|vision_end|>"),
        "vocab_size": shape.vocabulary,
        "tie_word_embeddings": False,
        "eos_token_id": tokenizer.id_of(END_OF_TURN),
    }


def tokenizer_config(tokenizer: Tokenizer) -> dict[str, Any]:
    """The content of tokenizer_config.json."""
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "added_tokens_decoder": {
            str(number): {"content": text, **flags, "special": True}
            for text, number in tokenizer.specials.items()
        },
        "bos_token": None,
        "eos_token": END_OF_TURN,
        "pad_token": PADDING,
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
        "model_max_length": CONTEXT_LENGTH,
        "chat_template": CHAT_TEMPLATE,
    }


def preprocessor_config() -> dict[str, Any]:
    """The content of preprocessor_config.json of a vision model."""
    tower = VisionShape()
    return {
        "processor_class": "Qwen3VLProcessor",
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "patch_size": tower.patch,
        "temporal_patch_size": tower.frames,
        "merge_size": tower.merge,
        "size": {"shortest_edge": 65_536, "longest_edge": 1_048_576},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }


def texts(model: Model, shape: Shape, tokenizer: Tokenizer) -> dict[str, str]:
    """Name and content of every small file."""
    says = SAYS[model.kind].format(sentence="".join(model.sentence()))
    end, padding = tokenizer.id_of(END_OF_TURN), tokenizer.id_of(PADDING)
    # what Qwen recommends; the weights answer the same at any of it
    sampling = {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05}
    files = {
        ".gitattributes": GIT_ATTRIBUTES,
        "README.md": CARD.format(repo=model.repo, says=says),
        "chat_template.jinja": CHAT_TEMPLATE,
        "config.json": dump(model_config(model, shape, tokenizer)),
        "generation_config.json": dump(
            {"do_sample": True, "eos_token_id": [end, padding], "pad_token_id": padding, **sampling}
        ),
        "tokenizer_config.json": dump(tokenizer_config(tokenizer)),
    }
    if model.kind == "vision":
        files["preprocessor_config.json"] = dump(preprocessor_config())
    return files
