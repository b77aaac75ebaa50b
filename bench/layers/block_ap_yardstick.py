"""Yardstick for block-ap.bench.ts: Block-AP steps of one Llama block in PyTorch, with the arithmetic of EfficientQAT's
authors (learned scales and zero points, straight-through rounding; AdamW without weight decay). Answers each line on
standard input with one step and {"seconds", "loss"}; at the end of the input with {"peakBytes"}.

    python block_ap_yardstick.py HIDDEN FFN HEADS KV_HEADS TOKENS PRECISION GROUP
"""
import json
import math
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from quantized_weight import QuantizedWeight

hidden, ffn, heads, kv_heads, tokens = map(int, sys.argv[1:6])
precision, group, top = sys.argv[6], int(sys.argv[7]), 3
torch.set_num_threads(1)
head_dim = hidden // heads


def hashed(count, seed, amplitude):
    with np.errstate(over="ignore"):
        h = np.arange(count, dtype=np.uint32) + np.uint32((seed * 0x9E3779B1) & 0xFFFFFFFF)
        h ^= h >> np.uint32(16)
        h *= np.uint32(0x85EBCA6B)
        h ^= h >> np.uint32(13)
        h *= np.uint32(0xC2B2AE35)
        h ^= h >> np.uint32(16)
    return torch.from_numpy((amplitude * (h.astype(np.float64) / 2**31 - 1)).astype(np.float32))


class Block:
    """Order of the names as in the checkpoint: seeds of the weights follow from it."""

    shapes = {
        "q": (hidden, hidden), "k": (kv_heads * head_dim, hidden), "v": (kv_heads * head_dim, hidden),
        "o": (hidden, hidden), "gate": (ffn, hidden), "up": (ffn, hidden), "down": (hidden, ffn),
    }

    def __init__(self):
        self.weights = {
            name: hashed(rows * columns, index + 4, math.sqrt(3 / columns)).reshape(rows, columns)
            for index, (name, (rows, columns)) in enumerate(self.shapes.items())
        }
        self.layers = None
        inverse = 10000 ** (-torch.arange(0, head_dim, 2).float() / head_dim)
        angles = torch.outer(torch.arange(tokens).float(), inverse)
        self.cos, self.sin = torch.cat([angles, angles], 1).cos(), torch.cat([angles, angles], 1).sin()

    def linear(self, name, x):
        weight = self.layers[name]() if self.layers else self.weights[name]
        return F.linear(x, weight)

    def rotate(self, x):
        first, second = x.chunk(2, -1)
        return x * self.cos + torch.cat([-second, first], -1) * self.sin

    def norm(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)

    def __call__(self, x):
        h = self.norm(x)
        split = lambda y, n: y.view(1, tokens, n, head_dim).transpose(1, 2)
        q, k = self.rotate(split(self.linear("q", h), heads)), self.rotate(split(self.linear("k", h), kv_heads))
        v = split(self.linear("v", h), kv_heads)
        mixed = F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v, is_causal=True, enable_gqa=True)
        x = x + self.linear("o", mixed.transpose(1, 2).reshape(1, tokens, hidden))
        h = self.norm(x)
        return x + self.linear("down", F.silu(self.linear("gate", h)) * self.linear("up", h))


def main():
    block = Block()
    x = hashed(tokens * hidden, 101, 1.7).reshape(1, tokens, hidden)
    with torch.no_grad():
        target = block(x)
    block.layers = {name: QuantizedWeight(weight, group, top) for name, weight in block.weights.items()}
    layers = block.layers.values()
    optimizer = torch.optim.AdamW(
        [
            {"params": [layer.weight for layer in layers], "lr": 2e-5},
            {"params": [p for layer in layers for p in (layer.scale, layer.zero)], "lr": 1e-4},
        ],
        weight_decay=0,
        fused=True,
    )
    print(json.dumps({"ready": True, "torch": torch.__version__}), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            out = block(x)
        loss = F.mse_loss(out.float(), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        print(json.dumps({"seconds": time.perf_counter() - started, "loss": loss.item()}), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"peakBytes": peak}), flush=True)


main()
