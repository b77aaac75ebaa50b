"""Golden vectors for XNOR-Net (allenai/XNOR-Net: util.lua, newLayers/BinActiveZ.lua) and BNN (arXiv 1602.02830, equations 1
and 4): what a step does to a layer, with the authors' order of operations written anew for linear layers, in float64. Writes
test/golden/binary.json. Run: python tools/golden/make_binary.py

Inputs come from congruential.py. As in fewbit, sign(0) = +1 and alpha is rounded to float16; the code's constant factor of a
layer, (1 - 1/channels) n, is left out of the gradient.
"""
import json
import pathlib

import torch

from congruential import matrix

TOKENS, OUT, IN = 4, 6, 10


class Sign(torch.autograd.Function):
    """Straight-through sign with the slope 1 where |x| is at most the bound."""

    @staticmethod
    def forward(ctx, x, bound):
        ctx.save_for_backward(x)
        ctx.bound = bound
        return torch.where(x >= 0, 1.0, -1.0).double()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x.abs() <= ctx.bound), None


def tensor(rows, columns, seed, spread=1.0):
    return torch.from_numpy(matrix(rows, columns, seed)).double() * spread


def xnor_net():
    weight, x, d_out = tensor(OUT, IN, 1, 2.0), tensor(TOKENS, IN, 2, 2.0).requires_grad_(), tensor(TOKENS, OUT, 3)
    # A training step: mean-centre, clamp, binarize, forward and backward, then the gradient of the latent weights.
    limited = (weight - weight.mean(1, keepdim=True)).clamp(-1, 1).float().double()
    alpha = limited.abs().mean(1, keepdim=True).half().double()
    binary = (alpha * torch.where(limited >= 0, 1.0, -1.0)).requires_grad_()
    scale = x.detach().abs().mean(1, keepdim=True)
    seen = scale * Sign.apply(x, 1.0)
    y = seen @ binary.T
    y.backward(d_out)
    mask = (limited.abs() <= 1).double()
    d_weight = binary.grad * (1 / IN + alpha * mask)
    # K stands for the magnitude of x: gradients pass by it as they are.
    d_x = (d_out @ binary.detach()) * (x.detach().abs() <= 1)
    return {"limited": limited, "alpha": alpha, "y": y, "dW": d_weight, "dX": d_x}


def bnn():
    weight, x, d_out = tensor(OUT, IN, 4, 2.0), tensor(TOKENS, IN, 5, 2.0).requires_grad_(), tensor(TOKENS, OUT, 6)
    clipped = weight.clamp(-1, 1).requires_grad_()
    gain = (tensor(1, OUT, 7)[0] + 1).half().double().requires_grad_()
    y = (Sign.apply(x, 1.0) @ Sign.apply(clipped, 1.0).T) * gain
    y.backward(d_out)
    return {"limited": clipped, "gain": gain, "y": y, "dW": clipped.grad, "dX": x.grad, "dGain": gain.grad}


def numbers(value):
    return [float(f"{v:.9g}") for v in value.detach().flatten().tolist()]


def main():
    cases = {"xnorNet": xnor_net(), "bnn": bnn()}
    out = {name: {key: numbers(value) for key, value in case.items()} for name, case in cases.items()}
    path = pathlib.Path(__file__).parents[2] / "test/golden/binary.json"
    path.write_text(json.dumps({"torch": torch.__version__, **out}, separators=(", ", ": ")) + "\n")


if __name__ == "__main__":
    main()
