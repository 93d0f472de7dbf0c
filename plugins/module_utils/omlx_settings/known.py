# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that omlx knows in settings.json and model_settings.json, and their valid values.

Every key may also be null, which removes it from the file.

Source: omlx v0.5.0, omlx/settings.py and omlx/model_settings.py; ranges from its own validation.
The source of 0.7.0 was not available. Its changes are from reports of users (MTP depth, whose old
key is ignored) and from the admin routes around that release (1 to 8,
MAX_LIGHTNING_MTP_DRAFT_TOKENS). Newer versions report their other keys themselves, see schema.py.
omlx ignores unknown keys and drops them at its next save, so a typo would never be noticed.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.closet.inference.plugins.module_utils.schema import (
    Check,
    anything,
    either,
    list_of,
    mapping,
    number,
    text,
    truth,
    word,
)

TEXT, WHOLE, NUMBER, FLAG = text, number(), number(whole=False), truth
TEXTS, MAPPING = list_of(text), mapping
POSITIVE = number(1)
SHARE = number(0, 1, whole=False)
# omlx loads a list too; a comma list only upstream
TEXT_OR_TEXTS = either(list, TEXTS, TEXT)

KINDS: Mapping[str, Check] = {
    "text": TEXT,
    "whole": WHOLE,
    "number": NUMBER,
    "flag": FLAG,
    "texts": TEXTS,
    "text or texts": TEXT_OR_TEXTS,
    "mapping": MAPPING,
    "any": anything,
}
"""In the words of roles/omlx/files/closet_omlx_ask.py."""

SETTINGS: Mapping[str, Mapping[str, Check]] = {
    "server": {
        "host": TEXT_OR_TEXTS,
        "port": number(1, 65535),
        "log_level": word("trace", "debug", "info", "warning", "error", "critical"),
        "cors_origins": TEXTS,
        "server_aliases": TEXTS,
        "sse_keepalive_mode": word("chunk", "comment", "off"),
        "auto_start_on_launch": FLAG,
        "burst_decode_mode": word("off", "light", "balanced", "aggressive"),
        "preserve_mid_system_cache": FLAG,
    },
    "model": {
        "model_dirs": TEXTS,
        "model_dir": TEXT,
        "model_fallback": FLAG,
        "hide_helper_models": FLAG,
    },
    "memory": {
        "prefill_memory_guard": FLAG,
        "memory_guard_tier": word("safe", "balanced", "aggressive", "custom"),
        "memory_guard_custom_ceiling_gb": number(0, whole=False),
        "soft_threshold": SHARE,
        "hard_threshold": SHARE,
        "prefill_safe_zone_ratio": number(0.5, 0.99, whole=False),
        "prefill_min_chunk_tokens": number(1, 1024),
    },
    "scheduler": {
        "max_concurrent_requests": POSITIVE,
        "embedding_batch_size": POSITIVE,
        "chunked_prefill": FLAG,
    },
    "cache": {
        "enabled": FLAG,
        "hot_cache_only": FLAG,
        "ssd_cache_dir": TEXT,
        "ssd_cache_max_size": TEXT,
        "hot_cache_max_size": TEXT,
        "initial_cache_blocks": POSITIVE,
    },
    "auth": {"skip_api_key_verification": FLAG},
    "mcp": {"config_path": TEXT},
    "huggingface": {"endpoint": TEXT, "hf_cache_enabled": FLAG},
    "modelscope": {"endpoint": TEXT},
    "network": {"http_proxy": TEXT, "https_proxy": TEXT, "no_proxy": TEXT, "ca_bundle": TEXT},
    "sampling": {
        "max_context_window": POSITIVE,
        "max_context_window_policy": POSITIVE,
        "max_tokens": POSITIVE,
        "temperature": number(0, 2, whole=False),
        "top_p": SHARE,
        "top_k": number(0),
        "repetition_penalty": NUMBER,
    },
    "logging": {"log_dir": TEXT, "retention_days": POSITIVE},
    "claude_code": {
        "context_scaling_enabled": FLAG,
        "target_context_size": POSITIVE,
        "mode": word("cloud", "local"),
        "opus_model": TEXT,
        "sonnet_model": TEXT,
        "haiku_model": TEXT,
    },
    "integrations": {
        **{
            f"{tool}_model": TEXT
            for tool in ("codex", "opencode", "openclaw", "hermes", "pi", "copilot")
        },
        "openclaw_tools_profile": TEXT,
        "markitdown_enabled": FLAG,
        "markitdown_expose_model": FLAG,
        "markitdown_max_file_size_mb": POSITIVE,
        "markitdown_max_files_per_request": POSITIVE,
        "markitdown_pdf_processing_engine": TEXT,
    },
    "ui": {"language": TEXT},
    "idle_timeout": {"idle_timeout_seconds": number(60)},
}

MODEL: Mapping[str, Check] = {
    **dict.fromkeys(("is_pinned", "is_default", "is_hidden", "is_favorite"), FLAG),
    **dict.fromkeys(("model_alias", "display_name", "description", "active_profile_name"), TEXT),
    "ttl_seconds": POSITIVE,
    "model_type_override": word(
        "llm", "vlm", "embedding", "reranker", "audio_stt", "audio_tts", "audio_sts"
    ),
    "trust_remote_code": FLAG,
    "max_context_window": POSITIVE,
    "max_tokens": POSITIVE,
    "temperature": number(0, 2, whole=False),
    "top_p": SHARE,
    "top_k": number(0),
    "min_p": SHARE,
    "repetition_penalty": NUMBER,
    "presence_penalty": NUMBER,
    "force_sampling": FLAG,
    "max_tool_result_tokens": POSITIVE,
    "chat_template_kwargs": MAPPING,
    "forced_ct_kwargs": TEXTS,
    "enable_thinking": FLAG,
    "preserve_thinking": FLAG,
    "thinking_budget_enabled": FLAG,
    "thinking_budget_tokens": POSITIVE,
    "reasoning_parser": TEXT,
    "guided_grammar": TEXT,
    "guided_grammar_enabled": FLAG,
    "turboquant_kv_enabled": FLAG,
    "turboquant_kv_bits": NUMBER,
    "turboquant_skip_last": FLAG,
    "index_cache_freq": POSITIVE,
    "specprefill_enabled": FLAG,
    "specprefill_draft_model": TEXT,
    "specprefill_keep_pct": SHARE,
    "specprefill_threshold": POSITIVE,
    "dflash_enabled": FLAG,
    "dflash_draft_model": TEXT,
    "dflash_draft_quant_enabled": FLAG,
    "dflash_draft_quant_weight_bits": POSITIVE,
    "dflash_draft_quant_activation_bits": POSITIVE,
    "dflash_draft_quant_group_size": POSITIVE,
    "dflash_max_ctx": POSITIVE,
    "dflash_in_memory_cache": FLAG,
    "dflash_in_memory_cache_max_entries": POSITIVE,
    "dflash_in_memory_cache_max_bytes": POSITIVE,
    "dflash_ssd_cache": FLAG,
    "dflash_ssd_cache_max_bytes": POSITIVE,
    "dflash_draft_window_size": POSITIVE,
    "dflash_draft_sink_size": number(0),
    "dflash_verify_mode": word("dflash", "adaptive", "ddtree", "off"),
    "mtp_enabled": FLAG,
    "mtp_fixed_depth": number(1, 8),
    "mtp_adaptive_max_depth": number(1, 8),
    "vlm_mtp_enabled": FLAG,
    "vlm_mtp_draft_model": TEXT,
    "vlm_mtp_draft_block_size": POSITIVE,
}

# the release of roles/omlx/files/omlx.txt
PINNED = "omlx 0.7.0"
# keys of a model that a later omlx ignores without a word, and what it has in their place
SUCCESSORS: Mapping[str, tuple[str, ...]] = {
    "mtp_num_draft_tokens": ("mtp_fixed_depth", "mtp_adaptive_max_depth"),
}

# omlx drops an entry that turns on two of these together, with no more than a line in its log
EXCLUSIVE = (
    ("mtp_enabled", "dflash_enabled"),
    ("vlm_mtp_enabled", "dflash_enabled"),
    ("vlm_mtp_enabled", "specprefill_enabled"),
    ("vlm_mtp_enabled", "mtp_enabled"),
    ("vlm_mtp_enabled", "turboquant_kv_enabled"),
    # of later ones: validate_moe_expert_offload and __post_init__ of upstream's model_settings.py
    ("moe_expert_offload_enabled", "mtp_enabled"),
    ("moe_expert_offload_enabled", "vlm_mtp_enabled"),
    ("moe_expert_offload_enabled", "dflash_enabled"),
    ("qwen35_oq_a8_enabled", "qwen35_ane_prefill_enabled"),
)

# never shown: keys, and addresses that may carry a name and a password
SECRETS = frozenset(
    [
        ("auth", "api_key"),
        ("auth", "secret_key"),
        ("auth", "sub_keys"),
        ("network", "http_proxy"),
        ("network", "https_proxy"),
    ]
)
