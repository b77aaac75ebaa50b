"""Tiny random models of families that fewbit does not run, made and compared by transformers.

foreign_models.py make FOLDER     writes FOLDER/<model_type>, and prints their names
foreign_models.py compare FOLDER  compares FOLDER/<model_type>-decoded with them; a JSON object a line
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)

size = {"hidden_size": 64, "vocab_size": 320, "num_hidden_layers": 2}
heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
plain = {**size, **heads, "intermediate_size": 96}
families = {
    "bloom": {"hidden_size": 64, "n_layer": 2, "n_head": 4, "vocab_size": 320},
    "falcon": {**size, "num_attention_heads": 4},
    "mamba": {**size, "state_size": 16},
    "granitemoe": {**plain, "intermediate_size": 48, "num_local_experts": 4},
    "gpt_oss": {**plain, "intermediate_size": 48, "head_dim": 16, "num_local_experts": 4},
    "deepseek_v3": {
        **plain,
        "num_key_value_heads": 4,
        "moe_intermediate_size": 32,
        "n_routed_experts": 8,
        "num_experts_per_tok": 2,
        "q_lora_rank": 32,
        "kv_lora_rank": 32,
        "qk_rope_head_dim": 8,
        "qk_nope_head_dim": 16,
        "v_head_dim": 16,
        "first_k_dense_replace": 1,
        "n_group": 2,
        "topk_group": 1,
    },
}
ids = torch.arange(3, 19)[None]


def logits_of(model):
    with torch.no_grad():
        return model.eval()(ids).logits


def make(folder):
    for name, fields in families.items():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **fields))
        model.save_pretrained(folder / name)
        print(name)


def compare(folder):
    for name in families:
        original = AutoModelForCausalLM.from_pretrained(folder / name, dtype=torch.float32)
        decoded, info = AutoModelForCausalLM.from_pretrained(
            folder / f"{name}-decoded", output_loading_info=True, dtype=torch.float32
        )
        before, after = logits_of(original), logits_of(decoded)
        answer = {
            "name": name,
            "missing": len(info["missing_keys"]),
            "unexpected": len(info["unexpected_keys"]),
            "deviation": (after - before).abs().max().item(),
            "largest": before.abs().max().item(),
        }
        print(json.dumps(answer))


{"make": make, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))
