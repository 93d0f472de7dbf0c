# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which format each option of our roles has, by its name: the first pattern that matches. Pure."""

from __future__ import annotations

import fnmatch

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import formats

# The first pattern that an option's name matches.
OPTIONS: tuple[tuple[str, formats.Format], ...] = (
    # one by one, where the name's end tells less than its meaning
    ("closet_api_key", formats.ANY),  # keys have a check of their own, which also knows the files
    ("closet_client_key", formats.ANY),
    ("closet_tailnet", formats.DOMAIN),
    ("closet_tailnet_name", formats.LABEL),
    ("closet_tailnet_server", formats.URL),
    ("closet_url_host", formats.HOST),
    ("closet_host", formats.NAME),
    ("closet_profile", formats.NAME),
    ("profile", formats.NAME),
    ("closet", formats.NAME),
    ("confirm", formats.NAME),
    ("rotate", formats.LINE),
    ("gateway_upstream", formats.ENDPOINT),
    ("gateway_upstream_health", formats.URL_PATH),
    ("gateway_api_paths", formats.URL_PATH),
    ("gateway_base_path", formats.CADDY_PATH),
    ("models_confirm_command", formats.LINE),
    ("models_endpoint", formats.URL),
    ("models_proxy", formats.PROXY),
    ("models_peers", formats.URL),
    ("models_remove", formats.MODEL),
    ("models_share_address", formats.ADDRESS),
    ("models_ca_bundle", formats.PATH),
    ("models_hub_cache", formats.PATH),
    ("models_python", formats.PATH),
    ("models_connections", formats.whole(1, 64, "")),
    ("models_memory_ceiling_bytes", formats.whole(0, 1 << 50, "bytes")),
    ("ollama_registry", formats.ENDPOINT),
    ("ollama_url", formats.ARCHIVE),
    ("ollama_keep_alive", formats.DURATION),
    ("ollama_context_tokens", formats.whole(1, 1 << 24, "tokens")),
    ("ollama_parallel", formats.whole(0, 1000, "")),
    ("omlx_pin", formats.COMMIT),
    ("omlx_disk_cache_size", formats.SIZE),
    ("omlx_ttl_seconds", formats.whole(0, 31_536_000, "seconds")),
    ("omlx_max_concurrent_requests", formats.whole(1, 1000, "")),
    ("omlx_log_days", formats.whole(1, 3650, "days")),
    ("mlx_lm_max_tokens", formats.whole(1, 1 << 24, "tokens")),
    ("mlx_lm_prompt_cache_size", formats.whole(0, 10000, "")),
    ("mcp_secrets_folder", formats.FILE_HERE),
    ("mcp_vscode_folder", formats.PATH_BELOW),
    ("opencode_registry", formats.URL),
    ("opencode_instructions", formats.TEXT),
    ("opencode_instruction_files", formats.PERSONS_FILE),
    ("power_interval_s", formats.whole(10, 3600, "seconds")),
    ("preflight_minimum_macos", formats.MACOS),
    ("tailscale_hostname", formats.LABEL),
    ("tailscale_login_server", formats.URL),
    ("tailscale_url", formats.ARCHIVE),
    ("wired_memory_limit_mb", formats.MEBIBYTES),
    # by what the name ends in
    ("*_port", formats.PORT),
    ("*_*_timeout_s", formats.PATIENCE),
    ("*_s", formats.SECONDS),
    ("*_limit_mb", formats.MEBIBYTES),
    ("*_gb", formats.GIGABYTES),
    ("*_size_kib", formats.whole(1, 1 << 30, "KiB")),
    ("*_count", formats.whole(0, 1000, "")),
    ("*_keep", formats.COUNT),
    ("*_addresses", formats.HOST),
    ("*_networks", formats.NETWORK),
    ("*_programs", formats.PATH),
    ("*_keys", formats.SECRET),
    ("*_key", formats.SECRET),
    ("*_token", formats.SECRET),
    ("*_tags", formats.TAG),
    ("*_owners", formats.LINE),
    ("*_flags", formats.LINE),
    ("*_url", formats.URL),
    ("*_checksum", formats.CHECKSUM),
    ("*_user", formats.ACCOUNT),
    ("*_group", formats.ACCOUNT),
    ("*_account", formats.ACCOUNT),
    ("*_home", formats.PATH),
    ("*_path", formats.PATH),
    ("*_dir", formats.PATH),
    ("*_store", formats.PATH),
    ("*_launchd_log", formats.ROTATED),
    ("*_log", formats.PATH),
    ("*_requirements", formats.FILE_HERE),
    ("*_version", formats.VERSION),
    ("*_python", formats.PYTHON),
    ("*_model", formats.MODEL),
    ("*_models", formats.MODEL),
    ("*_answer", formats.MODEL),
    ("*_closet_name", formats.LINE),
    ("*_refusal", formats.LINE),
)

# These may be empty although their default is not: an empty value means something of its own.
MAY_BE_EMPTY = ("models_hub_cache", "tailscale_hostname")


def format_of(name: str) -> formats.Format | None:
    """The format of an option's text or number, or of its elements; None: it has none."""
    return next((its for pattern, its in OPTIONS if fnmatch.fnmatchcase(name, pattern)), None)
