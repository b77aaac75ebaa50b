"""Golden vectors for AutoRound: the quantizers of SignRound's authors (the package auto-round 0.16, data_type/int.py: shifted
rounding, ranges kept in part, asymmetric and full-range symmetric integers, scales in float16) and a few steps of signed
gradient descent on a block, written anew in PyTorch float32. Writes test/golden/auto-round.json.
Run: python tools/golden/make_auto_round.py

The block is that of tiny_block.py; shifts, factors and upstream gradients come from congruential.py, too. The file holds the
quantized values with their gradients by shifts and factors, and for the training the losses of all steps, then the packed
codes and the scales, for both kinds of grids.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

from tiny_block import forward, hexadecimal, problem, rounded, tensor, through

GROUP, LEAST = 16, 1e-5
STEPS, MOMENTUM = 10, 0.5


def in_half(scale):
    return through(scale.half().float(), scale)


def quantize(w, shift, low_factor, high_factor, bits, grid):
    """Values of grouped weights, their codes, scales and zero points. The package has no grid without a zero: that of `seq`
    (ParetoQ) cuts the range into equal parts, and is rounded, shifted and differentiated as its others are."""
    low = w.amin(-1, keepdim=True).clamp(max=0) * low_factor
    high = w.amax(-1, keepdim=True).clamp(min=0) * high_factor
    if grid == "seq":
        scale = in_half(torch.max(-low, high)).clamp(min=LEAST)
        steps = (w / scale + shift) * 2 - 0.5
        codes = through(steps.round(), steps).clamp(-2, 1)
        inside = (w / scale + shift).abs() <= 0.995
        codes = torch.where(inside, codes, codes.detach())
        return (codes + 0.5) / 2 * scale, codes + 2, scale, torch.ones_like(scale)
    if grid == "sym":
        half = 2 ** (bits - 1)
        extent = torch.max(-low, high)
        scale = in_half(torch.where(-low > high, extent, -extent) / half)
        scale = torch.where(scale < 0, scale.clamp(max=-LEAST), scale.clamp(min=LEAST))
        steps = w / scale + shift
        codes = through(steps.round(), steps).clamp(-half, half - 1)
        return codes * scale, codes + half, scale, torch.full_like(scale, half)
    top = 2**bits - 1
    scale = in_half((high - low) / top).clamp(min=LEAST)
    zero = -low / scale
    zero = through(zero.round(), zero)
    steps = w / scale + shift
    codes = (through(steps.round(), steps) + zero).clamp(0, top)
    return (codes - zero) * scale, codes, scale, zero


def parse(scheme):
    return int(scheme[1]), scheme.partition("-")[2]


def gradient_cases():
    for scheme in ("w2g16", "w3g16", "w4g16", "w8g16", "w2g16-sym", "w3g16-sym", "w4g16-sym", "w8g16-sym", "w2g16-seq"):
        w = tensor(4, 64, 5, 0.1).reshape(-1, GROUP)
        shift = tensor(4, 64, 6, 0.25).reshape(-1, GROUP).requires_grad_()
        factors = (0.75 + tensor(2, 16, 7, 0.12)).reshape(2, -1, 1)
        low, high = (factor.clone().requires_grad_() for factor in factors)
        upstream = tensor(4, 64, 9, 1).reshape(-1, GROUP)
        values, _, scale, zero = quantize(w, shift, low, high, *parse(scheme))
        (values * upstream).sum().backward()
        lists = {"values": values, "scales": scale, "zeros": zero, "lowFactors": low, "highFactors": high}
        lists |= {"dShifts": shift.grad, "dLow": low.grad, "dHigh": high.grad}
        yield {"scheme": scheme} | {name: rounded(t) for name, t in lists.items()}


class Layer:
    def __init__(self, weight):
        self.weight = weight.reshape(-1, GROUP)
        self.shape = weight.shape
        self.shift = torch.zeros_like(self.weight, requires_grad=True)
        count = len(self.weight)
        self.low, self.high = (torch.ones(count, 1, requires_grad=True) for _ in range(2))

    @property
    def parameters(self):
        return self.shift, self.low, self.high

    def packed(self, bits, grid):
        values, *rest = quantize(self.weight, *self.parameters, bits, grid)
        return values.reshape(self.shape), *rest


def training(scheme, momentum):
    weights, shifted, target = problem()
    layers = {name: Layer(weight) for name, weight in weights.items()}
    parameters = [parameter for layer in layers.values() for parameter in layer.parameters]
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    losses = []
    for step in range(STEPS):
        values = {name: layer.packed(*parse(scheme))[0] for name, layer in layers.items()}
        loss = F.mse_loss(forward(values, shifted), target)
        gradients = torch.autograd.grad(loss, parameters)
        rate = (1 - step / STEPS) / STEPS
        with torch.no_grad():
            for parameter, gradient, total in zip(parameters, gradients, sums):
                total.mul_(momentum).add_(gradient)
                parameter.sub_(rate * torch.sign(total))
            for layer in layers.values():
                layer.low.clamp_(0, 1)
                layer.high.clamp_(0, 1)
        losses.append(loss.item())
    packed = {name: layer.packed(*parse(scheme)) for name, layer in layers.items()}
    return {
        "scheme": scheme,
        "steps": STEPS,
        "momentum": momentum,
        "losses": losses,
        "codes": {name: hexadecimal(codes) for name, (_, codes, _, _) in packed.items()},
        "scales": {name: rounded(scale, 6) for name, (_, _, scale, _) in packed.items()},
    }


def main():
    trainings = [training("w2g16", 0), training("w3g16-sym", 0), training("w2g16", MOMENTUM), training("w2g16-seq", 0)]
    golden = {"gradients": list(gradient_cases()), "trainings": trainings}
    target = pathlib.Path(__file__).parents[2] / "test" / "golden" / "auto-round.json"
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for example in trainings:
        print(example["scheme"], example["losses"])


main()
