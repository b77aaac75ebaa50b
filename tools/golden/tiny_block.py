"""A decoder block that is small enough for golden vectors of its training: its weights, inputs and forward pass in PyTorch
float32. `test/golden/tiny-block.ts` makes the same block; all values come from congruential.py."""
import math

import torch
import torch.nn.functional as F

from congruential import matrix

HIDDEN, FFN, HEADS, KV_HEADS, TOKENS, WINDOWS = 32, 48, 4, 2, 12, 4
HEAD = HIDDEN // HEADS
SHAPES = {
    "self_attn.q_proj": (HIDDEN, HIDDEN),
    "self_attn.k_proj": (KV_HEADS * HEAD, HIDDEN),
    "self_attn.v_proj": (KV_HEADS * HEAD, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HIDDEN),
    "mlp.gate_proj": (FFN, HIDDEN),
    "mlp.up_proj": (FFN, HIDDEN),
    "mlp.down_proj": (HIDDEN, FFN),
}


def tensor(rows, columns, seed, spread):
    return torch.from_numpy(matrix(rows, columns, seed)).float() * spread


def through(rounded, x):
    """`rounded`, with the gradients of x."""
    return (rounded - x).detach() + x


def forward(weights, x, multiply=F.linear):
    """Outputs of the block; `multiply(x, weight)` is what its linears do."""
    inverse = 10000 ** (-torch.arange(0, HEAD, 2).float() / HEAD)
    angles = torch.outer(torch.arange(TOKENS).float(), inverse)
    angles = torch.cat([angles, angles], 1)

    def norm(x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)

    def split(x, count):
        return x.view(WINDOWS, TOKENS, count, HEAD).transpose(1, 2)

    def rotate(x):
        first, second = x.chunk(2, -1)
        return x * angles.cos() + torch.cat([-second, first], -1) * angles.sin()

    def linear(name, x):
        return multiply(x, weights[name])

    h = norm(x)
    q = rotate(split(linear("self_attn.q_proj", h), HEADS))
    k = rotate(split(linear("self_attn.k_proj", h), KV_HEADS))
    v = split(linear("self_attn.v_proj", h), KV_HEADS)
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    x = x + linear("self_attn.o_proj", mixed.transpose(1, 2).reshape(x.shape))
    h = norm(x)
    gated = F.silu(linear("mlp.gate_proj", h)) * linear("mlp.up_proj", h)
    return x + linear("mlp.down_proj", gated)


def problem():
    """Weights by slot, inputs that are off by a little, and outputs for those that are not."""
    weights = {
        name: tensor(rows, columns, seed, 1.5 / math.sqrt(columns))
        for seed, (name, (rows, columns)) in enumerate(SHAPES.items(), 20)
    }
    originals = tensor(WINDOWS * TOKENS, HIDDEN, 40, 1).reshape(WINDOWS, TOKENS, HIDDEN)
    shifted = originals + tensor(WINDOWS * TOKENS, HIDDEN, 41, 0.1).reshape(originals.shape)
    with torch.no_grad():
        target = forward(weights, originals)
    return weights, shifted, target


def hexadecimal(codes):
    return "".join(format(int(code), "x") for code in codes.ravel().tolist())


def rounded(values, digits=7):
    return [round(value, digits) for value in values.detach().ravel().tolist()]
