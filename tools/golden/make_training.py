"""Writes test/golden/training.json: loss, gradients and AdamW steps of tiny Llama models by PyTorch, in float32.

    python tools/golden/make_training.py            needs torch and transformers

Weights and token ids are computed by the formulas of make_models.py. Of each gradient, and of each parameter after the steps,
the golden file has the Euclidean norm and some elements.
"""

import json

import torch
from make_models import OUT, base, input_ids, weight
from transformers import AutoConfig, AutoModelForCausalLM

STEPS = 3
SETTINGS = {"learningRate": 1e-3, "betas": [0.9, 0.95], "epsilon": 1e-8, "weightDecay": 0.1, "clip": 1.0}
CASES = {
    "tied": base("llama", tie_word_embeddings=True),
    "untied": base("llama", num_hidden_layers=3, rope_theta=500.0, initializer_range=0.02),
}


def digest(tensor: torch.Tensor) -> dict:
    flat = tensor.detach().double().flatten()
    stride = max(1, flat.numel() // 12)
    return {"norm": flat.norm().item(), "stride": stride, "values": flat[::stride][:12].tolist()}


def run(name: str, config: dict) -> dict:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config)).float().train()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            # Smaller than in make_models.py: the loss of an untrained model, not one of saturated softmaxes.
            scale = 1.0 if key.endswith("norm.weight") else 0.25
            parameter.copy_(torch.from_numpy(weight(key, tuple(parameter.shape)) * scale))
    matrices = [p for p in model.parameters() if p.dim() == 2]
    rest = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": SETTINGS["weightDecay"]}, {"params": rest, "weight_decay": 0.0}],
        lr=SETTINGS["learningRate"],
        betas=tuple(SETTINGS["betas"]),
        eps=SETTINGS["epsilon"],
    )
    ids = input_ids(f"training {name}", config["vocab_size"])
    batch = torch.tensor(ids)
    losses, norms, gradients = [], [], {}
    for step in range(STEPS + 1):
        optimizer.zero_grad()
        loss = model(input_ids=batch, labels=batch).loss
        losses.append(loss.item())
        if step == STEPS:
            break
        loss.backward()
        if step == 0:
            gradients = {key: digest(p.grad) for key, p in model.named_parameters()}
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), SETTINGS["clip"]).item())
        optimizer.step()
    parameters = {key: digest(p) for key, p in model.named_parameters()}
    return {
        "name": name,
        "config": config,
        "ids": ids,
        "losses": losses,
        "norms": norms,
        "gradients": gradients,
        "parameters": parameters,
    }


golden = {"torch": torch.__version__, "settings": SETTINGS, "cases": [run(*case) for case in CASES.items()]}
(OUT.parent / "training.json").write_text(json.dumps(golden) + "\n")
