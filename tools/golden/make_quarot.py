"""Golden vectors for QuaRot (arXiv 2404.00456, section 4): the arithmetic of the paper's authors, written anew in
PyTorch float64. Norms are folded into what reads them, the residual stream is multiplied by Q = diag(signs)·H, the values
of each head by R; logits of the small Llama below are the same before and after.

Hadamard matrices are those of Paley (residues by Euler's criterion) times those of Sylvester, their first column ones.

Writes test/golden/quarot.json. Run: python tools/golden/make_quarot.py
"""
import json
import math
import pathlib

import torch

import congruential

HIDDEN, FFN, HEADS, KV_HEADS, HEAD, VOCABULARY, TOKENS = 24, 20, 4, 2, 8, 12, 6
SIZES = [(8, 1), (24, 12), (112, 28), (80, 20), (576, 36), (1536, 12)]
BLOCK = "model.layers.0"
SHAPES = {
    "model.embed_tokens.weight": (VOCABULARY, HIDDEN),
    f"{BLOCK}.self_attn.q_proj.weight": (HEADS * HEAD, HIDDEN),
    f"{BLOCK}.self_attn.k_proj.weight": (KV_HEADS * HEAD, HIDDEN),
    f"{BLOCK}.self_attn.v_proj.weight": (KV_HEADS * HEAD, HIDDEN),
    f"{BLOCK}.self_attn.o_proj.weight": (HIDDEN, HEADS * HEAD),
    f"{BLOCK}.mlp.gate_proj.weight": (FFN, HIDDEN),
    f"{BLOCK}.mlp.up_proj.weight": (FFN, HIDDEN),
    f"{BLOCK}.mlp.down_proj.weight": (HIDDEN, FFN),
    f"{BLOCK}.input_layernorm.weight": (1, HIDDEN),
    f"{BLOCK}.post_attention_layernorm.weight": (1, HIDDEN),
    "model.norm.weight": (1, HIDDEN),
}


def values(rows, columns, seed):
    return torch.from_numpy(congruential.matrix(rows, columns, seed)).double()


def residues(q):
    """Jacobsthal's matrix of a prime q."""
    chi = [0 if d == 0 else (1 if pow(d, (q - 1) // 2, q) == 1 else -1) for d in range(q)]
    return torch.tensor([[chi[(i - j) % q] for j in range(q)] for i in range(q)]).double()


def bordered(q, corner):
    matrix = torch.ones(q + 1, q + 1).double()
    matrix[0, 0], matrix[1:, 0], matrix[1:, 1:] = 0, corner, residues(q)
    return matrix


def paley(order):
    if order == 1:
        return torch.ones(1, 1).double()
    q = order - 1
    if q % 4 == 3 and all(q % d for d in range(2, q)):
        h = torch.eye(order).double() + bordered(q, -1)
    else:
        q = order // 2 - 1
        mixed = torch.tensor([[1.0, 1.0], [1.0, -1.0]]).double()
        own = torch.tensor([[1.0, -1.0], [-1.0, -1.0]]).double()
        h = torch.kron(bordered(q, 1), mixed) + torch.kron(torch.eye(q + 1).double(), own)
    assert torch.equal(h @ h.T, order * torch.eye(order).double())
    return h * h[:, :1]


def hadamard(size, order):
    h = paley(order)
    while len(h) < size:
        h = torch.kron(h, torch.tensor([[1.0, 1.0], [1.0, -1.0]]).double())
    return h / math.sqrt(size)


def signs(size, seed):
    return torch.from_numpy(congruential.uniforms(size, seed)).sign()


def rotation(size, order, seed):
    return signs(size, seed)[:, None] * hadamard(size, order)


def logits(w, head):
    def norm(x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True)) * w[name].ravel()

    def split(x, count):
        return x.view(TOKENS, count, HEAD).transpose(0, 1)

    x = w["model.embed_tokens.weight"][torch.arange(TOKENS) * 5 % VOCABULARY]
    h = norm(x, f"{BLOCK}.input_layernorm.weight")
    q, k, v = (h @ w[f"{BLOCK}.self_attn.{name}_proj.weight"].T for name in "qkv")
    repeated = [split(y, KV_HEADS).repeat_interleave(HEADS // KV_HEADS, 0) for y in (k, v)]
    scores = split(q, HEADS) @ repeated[0].transpose(1, 2) / math.sqrt(HEAD)
    scores = scores.masked_fill(torch.ones(TOKENS, TOKENS).triu(1).bool(), -math.inf)
    mixed = (scores.softmax(-1) @ repeated[1]).transpose(0, 1).reshape(TOKENS, HEADS * HEAD)
    x = x + mixed @ w[f"{BLOCK}.self_attn.o_proj.weight"].T
    h = norm(x, f"{BLOCK}.post_attention_layernorm.weight")
    gate, up = (h @ w[f"{BLOCK}.mlp.{name}_proj.weight"].T for name in ("gate", "up"))
    x = x + (torch.nn.functional.silu(gate) * up) @ w[f"{BLOCK}.mlp.down_proj.weight"].T
    return norm(x, "model.norm.weight") @ head.T


def rotated(w, stream, heads):
    """The model with the rotations folded in; its head is `lm_head.weight`."""
    norms = {
        "self_attn.q_proj": "input_layernorm", "self_attn.k_proj": "input_layernorm",
        "self_attn.v_proj": "input_layernorm", "mlp.gate_proj": "post_attention_layernorm",
        "mlp.up_proj": "post_attention_layernorm",
    }
    out = {name: torch.ones_like(x) for name, x in w.items() if "norm" in name}
    out["model.embed_tokens.weight"] = w["model.embed_tokens.weight"] @ stream
    out["lm_head.weight"] = w["model.embed_tokens.weight"] * w["model.norm.weight"] @ stream
    for name, norm in norms.items():
        weight = w[f"{BLOCK}.{name}.weight"] * w[f"{BLOCK}.{norm}.weight"] @ stream
        if "v_proj" in name:
            weight = torch.block_diag(*[heads] * KV_HEADS).T @ weight
        out[f"{BLOCK}.{name}.weight"] = weight
    o = w[f"{BLOCK}.self_attn.o_proj.weight"] @ torch.block_diag(*[heads] * HEADS)
    out[f"{BLOCK}.self_attn.o_proj.weight"] = stream.T @ o
    out[f"{BLOCK}.mlp.down_proj.weight"] = stream.T @ w[f"{BLOCK}.mlp.down_proj.weight"]
    return out


def main():
    weights = {name: values(*shape, seed) for seed, (name, shape) in enumerate(SHAPES.items(), 50)}
    for name in weights:
        if "norm" in name:
            weights[name] = (1 + weights[name]).float().double()
    made = rotated(weights, rotation(HIDDEN, 12, 70), rotation(HEAD, 1, 71))
    before = logits(weights, weights["model.embed_tokens.weight"])
    assert torch.allclose(before, logits(made, made["lm_head.weight"]), rtol=0, atol=1e-12)
    products = [
        {"size": size, "values": (values(1, size, 80) @ rotation(size, order, 81)).ravel()[:24].tolist()}
        for size, order in SIZES
    ]
    kept = ["v_proj", "o_proj", "gate_proj", "down_proj", "embed_tokens", "lm_head"]
    tensors = {
        name: [round(value, 7) for value in tensor.ravel().tolist()]
        for name, tensor in made.items() if any(part in name for part in kept)
    }
    golden = {"shapes": SHAPES, "tensors": tensors, "products": products}
    path = pathlib.Path(__file__).parents[2] / "test/golden/quarot.json"
    path.write_text(json.dumps(golden) + "\n")


main()
