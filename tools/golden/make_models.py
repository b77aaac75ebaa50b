"""Writes test/golden/models/*.json: tiny models of every architecture, and the logits that Hugging Face
transformers gives them in float32 on the CPU.

    python tools/golden/make_models.py            needs torch and transformers
    python tools/golden/make_models.py gemma      those whose names begin so

No weights are stored: both sides compute them from the tensor's name and the element's index (the other
side is test/golden/formula-weights.ts). With fnv = FNV-1a of the name in UTF-8 (32 bits) and all integer
arithmetic modulo 2^32, element i is

    x = fnv + i * 0x9E3779B9
    x = (x ^ (x >> 16)) * 0x85EBCA6B ; x = (x ^ (x >> 13)) * 0xC2B2AE35 ; x = x ^ (x >> 16)
    v = 2 * (x >> 8) / 2^24 - 1                            in [-1, 1), exact in float32

and the weight is 1 + v/4 for norms, v/4 for biases, v for embedding and learned positions, and
v * float32(2.5 / sqrt(in)) for matrices [out, in], whatever way round they are stored; then rounded to the
storage dtype (nearest even) and widened again.

The TinyStories models of the shared test data get a file, too (last-logits.json): their reference.json
was made before the weights were rounded to float16, which moves the logits by up to 0.01.
"""

import json
import math
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
from transformers.pytorch_utils import Conv1D

OUT = Path(__file__).resolve().parents[2] / "test" / "golden" / "models"
LENGTH = 24
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


TABLES = re.compile(r"(embed_tokens|embed_positions|embed_in|wte|wpe)\.weight$")


def hashed(name: str, count: int) -> np.ndarray:
    fnv = 0x811C9DC5
    for byte in name.encode():
        fnv = ((fnv ^ byte) * 0x01000193) & 0xFFFFFFFF
    mask = np.uint64(0xFFFFFFFF)
    x = (np.uint64(fnv) + np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B9)) & mask
    x = ((x ^ (x >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & mask
    x = ((x ^ (x >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & mask
    x = x ^ (x >> np.uint64(16))
    return ((x >> np.uint64(8)).astype(np.float32) * np.float32(2**-23) - np.float32(1)).astype(np.float32)


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    v = hashed(name, math.prod(shape)).reshape(shape)
    if name.endswith(".bias"):
        return v * np.float32(0.25)
    if len(shape) == 1:
        return np.float32(1) + v * np.float32(0.25)
    if TABLES.search(name):
        return v
    return v * np.float32(2.5 / math.sqrt(shape[1]))


def input_ids(name: str, vocabulary: int) -> list[list[int]]:
    """Two rows, so that the batch is tested, too."""
    v = (hashed(f"{name} ids", 2 * LENGTH) + 1) / 2
    return (v * vocabulary).astype(int).reshape(2, LENGTH).tolist()


def base(model_type: str, **more) -> dict:
    config = {
        "model_type": model_type,
        "hidden_size": 32,
        "intermediate_size": 44,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 72,
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-5,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
    }
    return {**config, **more}


def without(config: dict, *names: str, **more) -> dict:
    return {**{key: value for key, value in config.items() if key not in names}, **more}


def opt(**more) -> dict:
    return {"model_type": "opt", "hidden_size": 32, "ffn_dim": 44, "num_hidden_layers": 2,
            "num_attention_heads": 4, "vocab_size": 72, "max_position_embeddings": 64,
            "pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 2, **more}


def gpt2(**more) -> dict:
    return {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64,
            "vocab_size": 72, "bos_token_id": 0, "eos_token_id": 0, **more}


def neox(**more) -> dict:
    config = without(base("gpt_neox", hidden_act="gelu"), "num_key_value_heads", "rms_norm_eps")
    return {**config, "layer_norm_eps": 1e-5, **more}


def phi(**more) -> dict:
    return without(base("phi", hidden_act="gelu_new"), "rms_norm_eps", **more)


# Gemma reads its own name of the activation, and no other.
GEMMA = {"hidden_activation": "gelu_pytorch_tanh", "head_dim": 16, "pad_token_id": 0}
LAYER_ROPES = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 100000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 500.0},
}
CLIP = {"model_type": "clip_vision_model", "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 8, "patch_size": 4}
SIGLIP = {"model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 24,
          "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 16, "patch_size": 4}
VISUAL = {"depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": 4}
VISUAL25 = {"depth": 2, "hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 24, "num_heads": 2,
            "patch_size": 4, "fullatt_block_indexes": [1], "window_size": 16}
QWEN_TOKENS = {"image_token_id": 71, "video_token_id": 70, "vision_start_token_id": 69,
               "vision_end_token_id": 68}
GEMMA_TOKENS = {"image_token_index": 71, "boi_token_index": 70, "eoi_token_index": 69,
                "mm_tokens_per_image": 4}


def within(model_type: str, text: dict, vision: dict, **more) -> dict:
    """A model of several parts, with a tower that sees images."""
    return {"model_type": model_type, "text_config": text, "vision_config": vision, **more}


LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}

CASES: dict[str, tuple[str, dict]] = {
    "llama": ("float32", base("llama", rope_theta=10000.0, rope_scaling=None)),
    "llama-tied-multi-head": ("float16", base(
        "llama", num_key_value_heads=4, tie_word_embeddings=True, rope_theta=10000.0)),
    "llama-one-key-head": ("bfloat16", base("llama", num_key_value_heads=1, rms_norm_eps=1e-6)),
    "llama-linear-rope": ("float32", base(
        "llama", rope_theta=10000.0, rope_scaling={"type": "linear", "factor": 4.0})),
    "llama-llama3-rope": ("bfloat16", base(
        "llama", head_dim=16, rope_theta=5000.0, rope_scaling=LLAMA3)),
    "llama-llama3-rope-parameters": ("float32", base(
        "llama", head_dim=16, rope_parameters={"rope_theta": 5000.0, **LLAMA3})),
    "llama-llama3-rope-outer-context": ("float32", base(
        "llama", head_dim=16, rope_theta=5000.0, original_max_position_embeddings=16,
        rope_scaling={key: value for key, value in LLAMA3.items() if not key.startswith("original")})),
    "llama-yarn-rope": ("float32", base(
        "llama", head_dim=16, rope_theta=5000.0, rope_scaling={
            "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16})),
    "llama-rope-both": ("float32", base(
        "llama", rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        rope_scaling={"rope_type": "linear", "factor": 4.0})),
    "llama-dynamic-rope": ("float32", base(
        "llama", rope_scaling={"type": "dynamic", "factor": 2.0})),
    "llama-biases": ("float32", base("llama", attention_bias=True, mlp_bias=True)),
    "llama-gelu": ("float32", base("llama", hidden_act="gelu")),
    "llama-gelu-tanh": ("float32", base("llama", hidden_act="gelu_pytorch_tanh")),
    "mistral-window": ("bfloat16", base(
        "mistral", head_dim=12, sliding_window=6, rope_theta=10000.0, num_hidden_layers=3)),
    "mistral-no-window": ("float32", base("mistral", sliding_window=None)),
    "mistral-layer-types": ("float32", base(
        "mistral", head_dim=8, sliding_window=6, num_hidden_layers=3,
        layer_types=["full_attention", "sliding_attention", "full_attention"])),
    "ministral": ("float32", base("ministral", head_dim=8, sliding_window=6)),
    "qwen2-tied": ("bfloat16", base(
        "qwen2", tie_word_embeddings=True, rope_theta=1000000.0, use_sliding_window=False,
        sliding_window=4, max_window_layers=1)),
    "qwen2-window-layers": ("float32", base(
        "qwen2", use_sliding_window=True, sliding_window=5, max_window_layers=1, num_hidden_layers=3)),
    "qwen2-layer-types": ("float32", base(
        "qwen2", use_sliding_window=True, sliding_window=5,
        layer_types=["sliding_attention", "full_attention"])),
    "qwen3": ("bfloat16", base(
        "qwen3", head_dim=16, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})),
    "qwen3-biases-window": ("float32", base(
        "qwen3", head_dim=10, attention_bias=True, use_sliding_window=True, sliding_window=7,
        max_window_layers=0)),
    "smollm3-no-rope-layers": ("bfloat16", base(
        "smollm3", num_hidden_layers=3, no_rope_layers=[1, 0, 1], tie_word_embeddings=True,
        rope_theta=5000000.0, pad_token_id=0, bos_token_id=1, eos_token_id=2)),
    "smollm3-interval-window": ("float32", base(
        "smollm3", num_hidden_layers=3, no_rope_layer_interval=2, use_sliding_window=True,
        sliding_window=6, attention_bias=True, mlp_bias=True, pad_token_id=0, bos_token_id=1,
        eos_token_id=2)),
    "gemma": ("bfloat16", base(
        "gemma", head_dim=16, hidden_act="gelu", tie_word_embeddings=True, pad_token_id=0,
        rope_theta=10000.0)),
    "gemma-biases": ("float32", base(
        "gemma", head_dim=10, hidden_act="gelu_pytorch_tanh", attention_bias=True, pad_token_id=0,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0})),
    "gemma2": ("bfloat16", without(base("gemma2", **GEMMA), "hidden_act", **{
        "num_hidden_layers": 3, "sliding_window": 6, "query_pre_attn_scalar": 24,
        "attn_logit_softcapping": 4.0, "final_logit_softcapping": 3.0, "rope_theta": 10000.0,
        "tie_word_embeddings": True})),
    "gemma2-no-caps": ("float32", without(base("gemma2", **GEMMA), "hidden_act", **{
        "sliding_window": 6, "layer_types": ["full_attention", "sliding_attention"],
        "attn_logit_softcapping": None, "final_logit_softcapping": None, "attention_bias": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}})),
    "gemma2-defaults": ("float32", without(
        base("gemma2", pad_token_id=0), "hidden_act")),
    "gemma3": ("bfloat16", without(base("gemma3_text", **GEMMA), "hidden_act", **{
        "num_hidden_layers": 3, "sliding_window": 6, "sliding_window_pattern": 2,
        "query_pre_attn_scalar": 24, "rope_theta": 100000.0, "rope_local_base_freq": 500.0,
        "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "tie_word_embeddings": True})),
    "gemma3-rope-parameters": ("float32", without(base("gemma3_text", **GEMMA), "hidden_act", **{
        "sliding_window": 6, "layer_types": ["full_attention", "sliding_attention"],
        "rope_parameters": LAYER_ROPES})),
    "gemma3-cap": ("float32", without(base("gemma3_text", **GEMMA), "hidden_act", **{
        "num_hidden_layers": 7, "sliding_window": 5, "final_logit_softcapping": 3.0,
        "attention_bias": True})),
    "opt": ("float16", opt()),
    "opt-behind-narrow": ("float32", opt(do_layer_norm_before=False, word_embed_proj_dim=16)),
    "opt-no-biases": ("float32", opt(
        enable_bias=False, _remove_final_layer_norm=True, activation_function="gelu",
        tie_word_embeddings=False)),
    "gpt2": ("float32", gpt2()),
    "gpt2-no-scale": ("bfloat16", gpt2(
        scale_attn_weights=False, n_inner=44, activation_function="relu", tie_word_embeddings=False,
        layer_norm_epsilon=0.1)),
    "gpt-neox": ("float16", neox(rotary_pct=0.5, rotary_emb_base=500)),
    "gpt-neox-sequential": ("float32", neox(
        num_attention_heads=2, use_parallel_residual=False, attention_bias=False,
        hidden_act="gelu_new", tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "partial_rotary_factor": 0.25, "rope_theta": 500.0})),
    "gpt-neox-linear-rope": ("float32", neox(
        layer_norm_eps=0.1, rotary_pct=1.0, rope_scaling={"type": "linear", "factor": 4.0})),
    "phi": ("float16", phi(rope_theta=500.0, partial_rotary_factor=0.25, num_attention_heads=2)),
    "phi-qk-norm": ("float32", phi(
        qk_layernorm=True, layer_norm_eps=0.1, hidden_act="gelu", rope_parameters={
            "rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5})),
    "phi3": ("bfloat16", base("phi3", sliding_window=6, pad_token_id=0, eos_token_id=0)),
    "phi3-longrope": ("float32", base(
        "phi3", pad_token_id=0, eos_token_id=0, original_max_position_embeddings=64,
        max_position_embeddings=128, rope_theta=500.0, rope_scaling={
            "type": "longrope", "short_factor": [1.0, 1.5, 2.0, 3.0], "long_factor": [2.0, 4.0, 6.0, 8.0]})),
    "phi3-longrope-beyond": ("float32", base(
        "phi3", pad_token_id=0, eos_token_id=0, original_max_position_embeddings=16,
        tie_word_embeddings=True, rope_parameters={
            "rope_type": "longrope", "rope_theta": 500.0, "partial_rotary_factor": 0.75,
            "original_max_position_embeddings": 16, "short_factor": [1.0, 1.5, 2.0],
            "long_factor": [2.0, 4.0, 8.0]})),
    "granite": ("bfloat16", base(
        "granite", embedding_multiplier=3.0, attention_multiplier=0.5, residual_multiplier=0.3,
        logits_scaling=0.25, tie_word_embeddings=True, rope_theta=10000.0)),
    "granite-biases": ("float32", base("granite", attention_bias=True, mlp_bias=True)),
    "olmo2": ("float32", base("olmo2", rope_theta=500.0, pad_token_id=1, eos_token_id=2)),
    "olmo2-biases": ("bfloat16", base(
        "olmo2", attention_bias=True, tie_word_embeddings=True, pad_token_id=1, eos_token_id=2,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0})),
    "cohere": ("float16", without(base("cohere"), "rms_norm_eps", "tie_word_embeddings", **{
        "pad_token_id": 0, "bos_token_id": 5, "eos_token_id": 6, "rope_theta": 10000.0,
        "logit_scale": 0.25})),
    "mobilellm": ("float16", base(
        "mobilellm", head_dim=8, share_embedding=True, layer_sharing=False, rope_theta=10000.0)),
    "mobilellm-untied": ("float32", base("mobilellm", share_embedding=False, attention_bias=True)),
    "starcoder2": ("bfloat16", without(
        base("starcoder2", sliding_window=6, rope_theta=500.0), "rms_norm_eps", "hidden_act",
        "tie_word_embeddings")),
    "starcoder2-no-biases": ("float32", without(base("starcoder2", use_bias=False), "rms_norm_eps", **{
        "hidden_act": "gelu", "norm_epsilon": 0.1, "sliding_window": None,
        "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}})),
    "stablelm": ("bfloat16", without(base("stablelm", rope_theta=500.0), "rms_norm_eps", **{
        "num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 3,
        "use_qkv_bias": True})),
    "stablelm-parallel": ("float32", without(base("stablelm"), "rms_norm_eps", "hidden_act", **{
        "use_parallel_residual": True, "qk_layernorm": True, "layer_norm_eps": 0.1,
        "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0,
                            "partial_rotary_factor": 0.5}})),
    "stablelm-qk-norm": ("float16", without(base("stablelm"), "rms_norm_eps", **{
        "qk_layernorm": True, "partial_rotary_factor": 1.0, "tie_word_embeddings": True,
        "hidden_act": "gelu"})),
    "nemotron": ("bfloat16", without(base("nemotron", rope_theta=500.0), "rms_norm_eps", "hidden_act", **{
        "head_dim": 8})),
    "nemotron-biases": ("float32", without(base("nemotron"), "rms_norm_eps", **{
        "attention_bias": True, "mlp_bias": True, "norm_eps": 0.1, "hidden_act": "relu2", "head_dim": 16,
        "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0,
                            "partial_rotary_factor": 0.25}})),
    "nemotron-tied": ("float16", without(base("nemotron"), "rms_norm_eps", **{
        "num_key_value_heads": 4, "hidden_act": "gelu", "tie_word_embeddings": True, "partial_rotary_factor": 1.0})),
    "cohere-qk-norm": ("float32", without(base("cohere", use_qk_norm=True), "rms_norm_eps", **{
        "pad_token_id": 0, "bos_token_id": 5, "eos_token_id": 6, "logit_scale": 1.0,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}})),
    "mixtral": ("bfloat16", base(
        "mixtral", num_local_experts=4, num_experts_per_tok=2, sliding_window=None, rope_theta=500.0)),
    "mixtral-window": ("float32", base(
        "mixtral", num_local_experts=5, num_experts_per_tok=1, sliding_window=6, head_dim=12)),
    "qwen2-moe": ("bfloat16", base(
        "qwen2_moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=28,
        shared_expert_intermediate_size=36, norm_topk_prob=False, use_sliding_window=False,
        sliding_window=4, max_window_layers=1, rope_theta=500.0)),
    "qwen2-moe-steps": ("float32", base(
        "qwen2_moe", num_experts=3, num_experts_per_tok=2, moe_intermediate_size=28,
        shared_expert_intermediate_size=20, norm_topk_prob=True, num_hidden_layers=5,
        decoder_sparse_step=2, mlp_only_layers=[3], qkv_bias=False, use_sliding_window=True,
        sliding_window=6, max_window_layers=3, rope_parameters={"rope_type": "default", "rope_theta": 500.0})),
    "qwen3-moe-every": ("bfloat16", base(
        "qwen3_moe", num_experts=6, num_experts_per_tok=3, moe_intermediate_size=28, head_dim=12,
        norm_topk_prob=True, rope_theta=500.0, tie_word_embeddings=True)),
    "qwen3-moe-steps": ("float32", base(
        "qwen3_moe", num_local_experts=3, num_experts_per_tok=2, moe_intermediate_size=28,
        num_hidden_layers=3, decoder_sparse_step=1, mlp_only_layers=[1], attention_bias=True,
        use_sliding_window=True, sliding_window=6,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0})),
    "olmoe": ("float16", base(
        "olmoe", num_experts=4, num_experts_per_tok=2, rope_theta=500.0, clip_qkv=None,
        pad_token_id=1, eos_token_id=2)),
    "olmoe-normalized": ("float32", base(
        "olmoe", num_experts=3, num_experts_per_tok=2, norm_topk_prob=True, attention_bias=True,
        pad_token_id=1, eos_token_id=2,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0})),
    "llava": ("float16", within(
        "llava", base("llama", rope_theta=500.0), CLIP, image_token_index=71, vision_feature_layer=-2)),
    "llava-mistral": ("float32", within(
        "llava", base("mistral", sliding_window=6, tie_word_embeddings=True), CLIP,
        image_token_index=71, tie_word_embeddings=False)),
    "llava-next": ("bfloat16", within(
        "llava_next", base("qwen2", rope_parameters={"rope_type": "default", "rope_theta": 500.0}), CLIP,
        image_token_index=71, image_grid_pinpoints=[[8, 16], [16, 8]])),
    "qwen2-vl": ("bfloat16", base(
        "qwen2_vl", rope_theta=500.0, tie_word_embeddings=True, vision_config=VISUAL,
        rope_scaling={"type": "mrope", "mrope_section": [1, 1, 2]}, **QWEN_TOKENS)),
    "qwen2-vl-text-config": ("float32", within(
        "qwen2_vl", without(base("qwen2_vl_text"), "rms_norm_eps", "tie_word_embeddings", rope_parameters={
            "rope_type": "default", "rope_theta": 500.0, "mrope_section": [2, 1, 1]}), VISUAL,
        tie_word_embeddings=True, **QWEN_TOKENS)),
    "qwen2-vl-yarn": ("float32", within(
        "qwen2_vl", without(base("qwen2_vl_text"), "tie_word_embeddings", rope_scaling={
            "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16,
            "mrope_section": [2, 1, 1]}), VISUAL, **QWEN_TOKENS)),
    "qwen2-5-vl": ("float32", base(
        "qwen2_5_vl", rope_theta=500.0, vision_config=VISUAL25, use_sliding_window=True, sliding_window=5,
        max_window_layers=1, rope_scaling={"type": "mrope", "mrope_section": [1, 1, 2]}, **QWEN_TOKENS)),
    "gemma3-images": ("float32", within(
        "gemma3", without(base("gemma3_text", **GEMMA), "hidden_act", "tie_word_embeddings", **{
            "sliding_window": 6, "sliding_window_pattern": 2,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0}}), SIGLIP, **GEMMA_TOKENS)),
    "cohere-biases": ("float32", without(base("cohere"), "rms_norm_eps", **{
        "pad_token_id": 0, "bos_token_id": 5, "eos_token_id": 6, "attention_bias": True,
        "layer_norm_eps": 0.1})),
}


# What experts are called in checkpoints: prefix, and the layers that make up gate_up_proj and down_proj.
EXPERTS = {
    "mixtral": ("block_sparse_moe", ("w1", "w3"), ("w2",)),
    **{name: ("mlp", ("gate_proj", "up_proj"), ("down_proj",))
       for name in ("qwen2_moe", "qwen3_moe", "olmoe")},
}


def experts(model_type: str, own: str, shape: tuple[int, ...]) -> np.ndarray:
    """All experts of a block, which transformers has in one tensor, from the names that it saves them by."""
    prefix, *layers = EXPERTS[model_type]
    block, _, tensor = own.rpartition(".mlp.experts.")
    parts = layers[0] if tensor == "gate_up_proj" else layers[1]
    count, rows, columns = shape
    return np.stack([np.concatenate([
        weight(f"{block}.{prefix}.experts.{expert}.{part}.weight", (rows // len(parts), columns))
        for part in parts]) for expert in range(count)])


def known(config: dict) -> dict:
    """MobileLLM is not in transformers: by its code it is a Llama with a name of its own for ties."""
    if config["model_type"] != "mobilellm":
        return config
    return {**config, "model_type": "llama", "tie_word_embeddings": config["share_embedding"]}


def build(config: dict, dtype: str) -> torch.nn.Module:
    # From a file, since some configs change their class when they are read.
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(known(config)))
        parsed = AutoConfig.from_pretrained(folder)
    kind = AutoModelForImageTextToText if "vision_config" in config else AutoModelForCausalLM
    model = kind.from_config(
        parsed, attn_implementation="eager", dtype=torch.float32)
    model_type = config["model_type"]
    turned = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, Conv1D)}
    with torch.no_grad():
        for own, parameter in model.named_parameters():
            name = re.sub(r"^lm_head\.", "embed_out.", own) if model_type == "gpt_neox" else own
            if model_type == "mixtral":
                name = name.replace(".mlp.gate.", ".block_sparse_moe.gate.")
            shape = tuple(parameter.shape)
            values = torch.from_numpy(
                experts(model_type, own, shape) if len(shape) == 3
                else weight(name, shape[::-1] if name in turned else shape))
            values = values.T if name in turned else values
            parameter.copy_(values.to(DTYPES[dtype]).to(torch.float32))
    return model.eval()


def write_case(name: str, dtype: str, config: dict) -> None:
    model = build(json.loads(json.dumps(config)), dtype)
    ids = input_ids(name, config.get("text_config", config)["vocab_size"])
    positions = [0, 3, 7, 15, LENGTH - 1]
    with torch.no_grad():
        logits = model(torch.tensor(ids)).logits
    kept = [[[round(x, 5) for x in row[p].tolist()] for p in positions] for row in logits]
    case = {"dtype": dtype, "config": config, "ids": ids, "positions": positions, "logits": kept}
    (OUT / f"{name}.json").write_text(json.dumps(case, separators=(",", ":")) + "\n")
    print(f"{name:32} {model.num_parameters():7} parameters, "
          f"logits {logits.min():.2f}..{logits.max():.2f}, std {logits.std():.2f}")


def write_last_logits(models: Path) -> None:
    result = {}
    for name in ("babyllama-tok105", "stories260K"):
        ids = json.loads((models / name / "reference.json").read_text())["greedy_ids"]
        model = AutoModelForCausalLM.from_pretrained(models / name, dtype=torch.float32)
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1]
        result[name] = [round(x, 5) for x in logits.tolist()]
    (OUT.parent / "last-logits.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    chosen = sys.argv[1] if len(sys.argv) > 1 else ""
    for case_name, (storage, case_config) in CASES.items():
        if case_name.startswith(chosen):
            write_case(case_name, storage, case_config)
    shared = OUT.parents[3] / "shared" / "data" / "models"
    if chosen:
        print(f"only {chosen}: last-logits.json stays as it is")
    elif shared.exists():
        write_last_logits(shared)
    else:
        print(f"{shared} is not there: last-logits.json stays as it is")
