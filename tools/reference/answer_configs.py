"""What transformers makes of a config.json: the model is built with random weights and run on one
text, so that windows are those of its masks.

A case is {"config": object}; the answer lists what decides the logits besides the weights.
"""

import json
import os
import tempfile

import torch
import transformers
from ask_python import serve

LENGTH = 20

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)


def read_config(config):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "config.json"), "w") as file:
            json.dump(config, file)
        return transformers.AutoConfig.from_pretrained(folder)


def masks_of(model, config):
    """The attention mask that each block was given, for a text of LENGTH tokens."""
    masks = []
    for layer in model.model.layers:
        layer.self_attn.register_forward_pre_hook(
            lambda module, args, kwargs: masks.append(kwargs["attention_mask"]), with_kwargs=True
        )
    with torch.no_grad():
        model(torch.arange(LENGTH)[None] % config.vocab_size)
    return masks


def window_of(mask, index, config):
    """Tokens that the last query sees; a window that is longer than the text, from the config."""
    seen = int((mask[0, 0, -1] == 0).sum())
    if seen < LENGTH:
        return seen
    slides = config.model_type == "mistral"
    if config.model_type not in ("llama", "mistral"):
        slides = config.layer_types[index] == "sliding_attention"
    return config.sliding_window if slides else None


def answer(case):
    config = read_config(case["config"])
    model = transformers.AutoModelForCausalLM.from_config(
        config, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    masks = masks_of(model, config)
    layers = model.model.layers
    attention, mlp = layers[0].self_attn, layers[0].mlp
    frequencies = model.model.rotary_emb.inv_freq.tolist()
    return {
        "blocks": [
            [
                bool(getattr(layer.self_attn, "use_rope", True)),
                window_of(masks[index], index, config),
            ]
            for index, layer in enumerate(layers)
        ],
        "frequencies": frequencies[:: max(1, len(frequencies) // 8)],
        "scale": model.model.rotary_emb.attention_scaling,
        "shape": [
            config.vocab_size,
            config.hidden_size,
            config.intermediate_size,
            config.num_attention_heads,
            config.num_key_value_heads,
            attention.head_dim,
        ],
        "biases": [
            attention.q_proj.bias is not None,
            attention.o_proj.bias is not None,
            mlp.gate_proj.bias is not None,
        ],
        "headNorms": hasattr(attention, "q_norm"),
        "context": config.max_position_embeddings,
        "eps": config.rms_norm_eps,
        "tied": model.lm_head.weight is model.model.embed_tokens.weight,
    }


serve(answer, ["torch", "transformers"])
