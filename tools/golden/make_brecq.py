"""Golden vectors for AdaRound and BRECQ: the rounding variables of arXiv 2004.10568 (equations 22 to 25) and the block
reconstruction of arXiv 2102.05426 with its loss by gradients of the output, as yhhhli/BRECQ has them (quant/adaptive_rounding.py,
quant/block_recon.py), written anew in PyTorch float32. Writes test/golden/brecq.json.
Run: python tools/golden/make_brecq.py

The block is that of tiny_block.py; variables, upstream gradients and gradients by outputs come from congruential.py, too. The
file holds soft values and the penalty with their gradients by the variables, and for the training of the block, by Adam on
all windows at once, the losses of all steps, then the codes. It holds the same for one layer by itself.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

from tiny_block import forward, hexadecimal, problem, rounded, tensor, through

GROUP = 16
STEPS, RATE, WARM_UP, FIRST, LAST, PENALTY = 20, 0.15, 0.2, 20.0, 2.0, 0.02
BLOCK_TOKENS, LAYER_TOKENS = 48, 96


def soft(v):
    return torch.clamp(torch.sigmoid(v) * 1.2 - 0.1, 0, 1)


def penalty(v, power):
    return (1 - ((soft(v) - 0.5).abs() * 2).pow(power)).sum()


def power_at(count, steps):
    """The penalty's exponent in step `count`, from 1; None during the warm-up."""
    begin = WARM_UP * steps
    if count < begin:
        return None
    return LAST + (FIRST - LAST) * max(0.0, 1 - (count - begin) / (steps - begin))


class Layer:
    """Asymmetric integers over whole ranges with zero, scales in float16; its rounding is learned."""

    def __init__(self, weight, bits):
        self.shape = weight.shape
        grouped = weight.reshape(-1, GROUP)
        self.top = 2**bits - 1
        low = grouped.amin(-1, keepdim=True).clamp(max=0)
        high = grouped.amax(-1, keepdim=True).clamp(min=0)
        self.scale = ((high - low) / self.top).half().float()
        self.zero = (-low / self.scale).round()
        steps = grouped / self.scale
        self.floor = steps.floor()
        share = steps - self.floor
        self.v = (-torch.log(1.2 / (share + 0.1) - 1)).requires_grad_()

    def codes(self, share):
        return torch.clamp(self.floor + share + self.zero, 0, self.top)

    def values(self, hard=False):
        share = (self.v >= 0).float() if hard else soft(self.v)
        return ((self.codes(share) - self.zero) * self.scale).reshape(self.shape)

    def hard_codes(self):
        return self.codes((self.v >= 0).float())


def train(layers, loss_of, outputs):
    """Trains all variables; `loss_of` is a mean over tokens and outputs, the authors' a sum over outputs. Returns the losses of
    the steps, the best of those with all weights rounded (before, and after every fifth of the steps), and the codes there."""
    optimizer = torch.optim.Adam([layer.v for layer in layers.values()], lr=RATE, eps=1e-15)
    losses, states = [], []

    def judge():
        with torch.no_grad():
            loss = loss_of({name: layer.values(hard=True) for name, layer in layers.items()}).item()
        states.append((loss, {name: hexadecimal(layer.hard_codes()) for name, layer in layers.items()}))

    judge()
    for count in range(1, STEPS + 1):
        loss = loss_of({name: layer.values() for name, layer in layers.items()})
        power = power_at(count, STEPS)
        total = outputs * loss
        if power is not None:
            total = total + PENALTY * sum(penalty(layer.v, power) for layer in layers.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(loss.item())
        if count % (STEPS // 5) == 0:
            judge()
    best = min(states, key=lambda state: state[0])
    return {"losses": losses, "before": states[0][0], "after": best[0], "codes": best[1]}


def block_training(bits, kind):
    weights, shifted, target = problem()
    layers = {name: Layer(weight, bits) for name, weight in weights.items()}
    gradient = tensor(BLOCK_TOKENS, target.shape[-1], 50, 2).reshape(target.shape).abs() + 1

    def loss_of(values):
        error = forward(values, shifted) - target
        return (error * (gradient if kind == "fisher" else 1)).pow(2).mean()

    return {"scheme": f"w{bits}g{GROUP}", "loss": kind} | train(layers, loss_of, target.shape[-1])


def layer_training(bits):
    weight, inputs = tensor(24, 32, 60, 0.2), tensor(LAYER_TOKENS, 32, 61, 1)
    inputs[:, 1:] += 0.7 * inputs[:, :-1]
    expected = F.linear(inputs, weight)
    layers = {"layer": Layer(weight, bits)}

    def loss_of(values):
        return (F.linear(inputs, values["layer"]) - expected).pow(2).sum() / expected.pow(2).sum()

    return {"scheme": f"w{bits}g{GROUP}"} | train(layers, loss_of, len(weight))


def variables():
    low, step = tensor(4, 32, 70, 1), tensor(4, 32, 71, 0.3)
    v = tensor(4, 32, 72, 4).requires_grad_()
    upstream = tensor(4, 32, 73, 1)
    values = low + step * soft(v)
    (values * upstream).sum().backward()
    found = {"values": rounded(values), "dV": rounded(v.grad)}
    for power in (20, 7.5, 2):
        v.grad = None
        penalty(v, power).backward()
        found[f"penalty{power}"] = rounded(v.grad)
    return found


def input_step():
    """LSQ of inputs with a fixed zero point; gradients by inputs and by the share of the scale that is learned."""
    begin, zero = 0.0125, 120
    x, upstream = tensor(6, 16, 80, 1.5).requires_grad_(), tensor(6, 16, 81, 1)
    factor = torch.tensor(0.9, requires_grad=True)
    scale = factor * begin
    steps = x / scale
    codes = torch.clamp(through(steps.round(), steps) + zero, 0, 255)
    values = (codes - zero) * scale
    (values * upstream).sum().backward()
    return {"scale": begin, "zeroPoint": zero, "factor": 0.9, "values": rounded(values), "dX": rounded(x.grad), "dFactor": factor.grad.item()}


def main():
    settings = {"iters": STEPS, "learningRate": RATE, "warmUp": WARM_UP, "penalty": PENALTY}
    golden = {
        "settings": settings,
        "variables": variables(),
        "inputStep": input_step(),
        "blocks": [block_training(2, "squared"), block_training(3, "fisher")],
        "layers": [layer_training(2), layer_training(3)],
    }
    target = pathlib.Path(__file__).parents[2] / "test" / "golden" / "brecq.json"
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for example in golden["blocks"] + golden["layers"]:
        print(example["scheme"], example["losses"][-1], example["before"], example["after"])


main()
