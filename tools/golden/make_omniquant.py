"""Golden vectors for OmniQuant: the quantizer of its authors (OpenGVLab/OmniQuant, quantize/quantizer.py: learnable weight
clipping, zero points rounded without a gradient) and their equivalent transformation (models/transformation.py), with some steps
of AdamW on a block, written anew in PyTorch float32. Differences from them, as fewbit has them: ranges hold zero, scales are
rounded to float16, symmetric integers use the full range, rotary pairs share a factor, what goes up is scaled against what goes
down, activations are rounded symmetrically. Writes test/golden/omniquant.json. Run: python tools/golden/make_omniquant.py

The block is that of tiny_block.py; bounds and upstream gradients come from congruential.py, too. The file holds the clipped
values with their gradients by weights and bounds, and for trainings without and with the transformation the losses of all
steps, the gradients by the factors in the first, then the packed codes, the scales, the factors, and the weights of two layers
with the factors in them.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

from tiny_block import HEAD, HEADS, KV_HEADS, forward, hexadecimal, problem, rounded, tensor, through

GROUP, LEAST, LEAST_FACTOR, BOUND, ALPHA = 16, 1e-5, 1e-2, 4.0, 0.5
STEPS, CLIP_RATE, SCALE_RATE = 12, 0.05, 0.02
Q, K, V, O = (f"self_attn.{name}_proj" for name in "qkvo")
GATE, UP, DOWN = (f"mlp.{name}_proj" for name in ("gate", "up", "down"))


def in_half(x):
    return through(x.half().float(), x)


def clipped(w, low_bound, high_bound, bits, symmetric):
    """Values of grouped weights, their codes, scales and zero points."""
    low = w.amin(-1, keepdim=True).clamp(max=0) * torch.sigmoid(low_bound)
    high = w.amax(-1, keepdim=True).clamp(min=0) * torch.sigmoid(high_bound)
    if symmetric:
        half = 2 ** (bits - 1)
        extent = torch.max(-low, high) / half
        scale = in_half(extent.clamp(min=LEAST)) * torch.where(-low > high, 1.0, -1.0)
        steps = w / scale
        codes = through(steps.round(), steps).clamp(-half, half - 1)
        return codes * scale, codes + half, scale, torch.full_like(scale, half)
    top = 2**bits - 1
    scale = in_half(((high - low) / top).clamp(min=LEAST))
    zero = (-low / scale).round().detach()
    steps = w / scale
    codes = (through(steps.round(), steps) + zero).clamp(0, top)
    return (codes - zero) * scale, codes, scale, zero


def parse(scheme):
    return int(scheme[1]), "-sym" in scheme


def gradient_cases():
    for scheme in ("w2g16", "w3g16", "w4g16", "w2g16-sym", "w3g16-sym", "w4g16-sym"):
        w = tensor(4, 64, 5, 0.1).reshape(-1, GROUP).requires_grad_()
        bounds = (1 + tensor(2, 16, 7, 1)).reshape(2, -1, 1)
        low, high = (bound.clone().requires_grad_() for bound in bounds)
        upstream = tensor(4, 64, 9, 1).reshape(-1, GROUP)
        values, _, scale, zero = clipped(w, low, high, *parse(scheme))
        (values * upstream).sum().backward()
        lists = {"values": values, "scales": scale, "zeros": zero, "lowBounds": low, "highBounds": high}
        lists |= {"dWeight": w.grad, "dLow": low.grad, "dHigh": high.grad}
        yield {"scheme": scheme} | {name: rounded(t) for name, t in lists.items()}


class Clipping:
    def __init__(self, weight):
        self.low, self.high = (
            torch.full((weight.numel() // GROUP, 1), BOUND, requires_grad=True) for _ in range(2)
        )

    def packed(self, weight, how):
        values, *rest = clipped(weight.reshape(-1, GROUP), self.low, self.high, *how)
        return values.reshape(weight.shape), *rest


# What each row of values feeds; grouped queries share keys and values.
COLUMNS = torch.arange(HEADS * HEAD).reshape(HEADS, HEAD) % HEAD
COLUMNS = (COLUMNS + HEAD * (torch.arange(HEADS) * KV_HEADS // HEADS)[:, None]).ravel()
PAIRS = torch.arange(HEAD) % (HEAD // 2)
KEYS = (PAIRS + HEAD // 2 * torch.arange(KV_HEADS)[:, None]).ravel()
QUERIES = (PAIRS + HEAD // 2 * (torch.arange(HEADS) * KV_HEADS // HEADS)[:, None]).ravel()


def kept(factor):
    return through(factor.clamp(min=LEAST_FACTOR).half().float(), factor)


def scaled(weights, factors):
    """Weights with the factors in them, and what each layer's inputs are divided by: those behind norms."""
    attention, value, mlp, up, scores = (kept(factor) for factor in factors)
    columns = {Q: attention, K: attention, V: attention, O: value[COLUMNS], GATE: mlp, UP: mlp, DOWN: up}
    rows = {Q: 1 / scores[QUERIES], K: scores[KEYS], V: 1 / value, UP: 1 / up}
    moved = {name: weight * rows[name][:, None] if name in rows else weight for name, weight in weights.items()}
    inputs = {name: 1.0 if name in (O, DOWN) else factor for name, factor in columns.items()}
    return {name: weight * columns[name] for name, weight in moved.items()}, inputs


def smooth(activations, weights):
    largest = torch.stack([weight.abs().amax(0) for weight in weights]).amax(0)
    return activations.clamp(min=1e-5) ** ALPHA / largest.clamp(min=1e-5) ** (1 - ALPHA)


def starts(weights, shifted):
    """SmoothQuant's factors by the largest inputs of the float block, and 1 for queries and keys."""
    largest = {}

    def observe(x, weight):
        name = next(name for name, other in weights.items() if other is weight)
        largest[name] = x.abs().reshape(-1, x.shape[-1]).amax(0)
        return F.linear(x, weight)

    forward(weights, shifted, observe)
    by_channel = torch.zeros(KV_HEADS * HEAD)
    by_weight = torch.zeros(KV_HEADS * HEAD)
    for column, channel in enumerate(COLUMNS.tolist()):
        by_channel[channel] = max(by_channel[channel], largest[O][column])
        by_weight[channel] = max(by_weight[channel], weights[O][:, column].abs().max())
    return [
        smooth(largest[Q], [weights[Q], weights[K], weights[V]]),
        smooth(by_channel, [by_weight[None]]),
        smooth(largest[GATE], [weights[GATE], weights[UP]]),
        smooth(largest[DOWN], [weights[DOWN]]),
        torch.ones(KV_HEADS * HEAD // 2),
    ]


def round_tokens(x, levels):
    scale = x.abs().amax(-1, keepdim=True) / levels
    return through((x / scale).round() * scale, x)


def training(scheme, levels):
    weights, shifted, target = problem()
    clippings = {name: Clipping(weight) for name, weight in weights.items()}
    bounds = [bound for clipping in clippings.values() for bound in (clipping.low, clipping.high)]
    factors = [start.requires_grad_() for start in starts(weights, shifted)] if levels else []
    groups = [{"params": bounds, "lr": CLIP_RATE}, *([{"params": factors, "lr": SCALE_RATE}] if levels else [])]
    optimizer = torch.optim.AdamW(groups, weight_decay=0)

    def outputs():
        moved, inputs = scaled(weights, factors) if levels else (weights, {})
        packed = {name: clippings[name].packed(weight, parse(scheme)) for name, weight in moved.items()}
        values = {name: parts[0] for name, parts in packed.items()}

        def multiply(x, weight):
            name = next(name for name, other in values.items() if other is weight)
            return F.linear(round_tokens(x / inputs[name], levels) if levels else x, weight)

        return forward(values, shifted, multiply), packed, moved

    losses, gradients = [], []
    for step in range(STEPS):
        loss = F.mse_loss(outputs()[0], target)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            gradients = [rounded(parameter.grad, 9) for parameter in factors]
        optimizer.step()
        losses.append(loss.item())
    _, packed, moved = outputs()
    return {
        "scheme": scheme,
        "steps": STEPS,
        "losses": losses,
        "codes": {name: hexadecimal(codes) for name, (_, codes, _, _) in packed.items()},
        "scales": {name: rounded(scale, 6) for name, (_, _, scale, _) in packed.items()},
        "factors": [rounded(kept(factor), 5) for factor in factors],
        "gradients": gradients,
        "folded": {name: rounded(moved[name], 5) for name in (K, V)} if levels else {},
    }


def main():
    trainings = [training("w2g16", 0), training("w2g16-sym", 0), training("w2g16a4", 7), training("w3g16-syma6", 31)]
    golden = {"gradients": list(gradient_cases()), "trainings": trainings}
    target = pathlib.Path(__file__).parents[2] / "test" / "golden" / "omniquant.json"
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for example in trainings:
        print(example["scheme"], example["losses"])


main()
