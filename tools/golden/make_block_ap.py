"""Golden vectors for Block-AP: the quantizer of EfficientQAT's authors (OpenGVLab/EfficientQAT, quantize/quantizer.py:
learned scales and zero points, straight-through rounding) and a few steps of its block-wise training, written anew in PyTorch
float32, with one change: scales are rounded to float16 in the forward pass, as fewbit does. Writes
test/golden/block-ap.json. Run: python tools/golden/make_block_ap.py

The block is that of tiny_block.py; upstream gradients come from congruential.py, too. The file holds the quantized
values with their gradients, and for the training the losses of all steps, the packed codes and the scales after them.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F

from tiny_block import forward, hexadecimal, problem, rounded, tensor, through

GROUP = 16
STEPS, WEIGHT_RATE, SCALE_RATE = 8, 2e-3, 4e-3


def start(w, top):
    low, high = w.amin(-1, keepdim=True), w.amax(-1, keepdim=True)
    scale = ((high - low) / top).clamp(1e-4, 1e4)
    return scale, torch.round(-(low / scale).clamp(-1e4, 1e4))


def quantize(w, scale, zero, top):
    """Values of grouped weights and their codes."""
    scale = through(scale.clamp(1e-4, 1e4), scale)
    zero = through(zero.round(), zero)
    zero = through(zero.clamp(0, top), zero)
    steps = w / scale
    codes = (through(steps.round(), steps) + zero).clamp(0, top)
    return (codes - zero) * scale, codes


def gradient_cases():
    for bits, shrink, shift in ((2, 1, 0), (2, 0.7, 0.3), (3, 0.8, -0.4), (4, 0.9, 0.2)):
        w = tensor(4, 64, 5, 0.1).reshape(-1, GROUP).requires_grad_()
        scale, zero = start(w.detach(), 2**bits - 1)
        scale = (scale * shrink).half().float().requires_grad_()
        zero = (zero + shift).requires_grad_()
        upstream = tensor(4, 64, 9, 1).reshape(-1, GROUP)
        values, _ = quantize(w, scale, zero, 2**bits - 1)
        (values * upstream).sum().backward()
        lists = {"scales": scale, "zeros": zero, "values": values}
        lists |= {"dWeight": w.grad, "dScales": scale.grad, "dZeros": zero.grad}
        yield {"scheme": f"w{bits}g{GROUP}"} | {name: rounded(t) for name, t in lists.items()}


class Layer(torch.nn.Module):
    def __init__(self, weight, top):
        super().__init__()
        self.top = top
        self.weight = torch.nn.Parameter(weight)
        scale, zero = start(weight.reshape(-1, GROUP), top)
        self.scale, self.zero = torch.nn.Parameter(scale), torch.nn.Parameter(zero)

    def packed(self):
        scale = through(self.scale.half().float(), self.scale)
        values, codes = quantize(self.weight.reshape(-1, GROUP), scale, self.zero, self.top)
        return values.reshape(self.weight.shape), codes, scale


def training():
    top = 3
    weights, shifted, target = problem()
    layers = {name: Layer(weight.clone(), top) for name, weight in weights.items()}
    groups = [
        {"params": [layer.weight for layer in layers.values()], "lr": WEIGHT_RATE},
        {"params": [p for layer in layers.values() for p in (layer.scale, layer.zero)], "lr": SCALE_RATE},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0)
    losses = []
    for step in range(STEPS):
        factor = 0.05 + 0.95 * (1 + math.cos(math.pi * step / STEPS)) / 2
        optimizer.param_groups[0]["lr"] = WEIGHT_RATE * factor
        optimizer.param_groups[1]["lr"] = SCALE_RATE * factor
        values = {name: layer.packed()[0] for name, layer in layers.items()}
        loss = F.mse_loss(forward(values, shifted), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    packed = {name: layer.packed() for name, layer in layers.items()}
    return {
        "scheme": f"w2g{GROUP}",
        "steps": STEPS,
        "rates": {"weights": WEIGHT_RATE, "scales": SCALE_RATE},
        "losses": losses,
        "codes": {name: hexadecimal(codes) for name, (_, codes, _) in packed.items()},
        "scales": {name: rounded(scale, 6) for name, (_, _, scale) in packed.items()},
    }


def main():
    golden = {"gradients": list(gradient_cases()), "training": training()}
    target = pathlib.Path(__file__).parents[2] / "test" / "golden" / "block-ap.json"
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(golden["training"]["losses"])


main()
