"""Golden vectors for OneBit's layer and distillation loss: values and gradients by PyTorch's automatic differentiation, float64, with
the authors' order of operations, sign gradient and loss terms (xuyuzhuang11/OneBit) written anew. sign(0) = +1. Writes
test/golden/onebit.json. Run: python tools/golden/make_onebit.py

Inputs come from congruential.py; h and g are rounded to float16.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

from congruential import matrix

TOKENS, OUT, IN, VOCABULARY = 4, 6, 10, 9


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w):
        ctx.save_for_backward(w)
        return torch.where(w >= 0, 1.0, -1.0).double()

    @staticmethod
    def backward(ctx, g):
        (w,) = ctx.saved_tensors
        return g * (1.001 - torch.tanh(w) ** 2)


def tensor(rows, columns, seed, gradient=True):
    return torch.from_numpy(matrix(rows, columns, seed)).double().requires_grad_(gradient)


def layer(normalise):
    x, w = tensor(TOKENS, IN, 1), tensor(OUT, IN, 2)
    h = (tensor(1, OUT, 3, False)[0] + 1).half().double().requires_grad_()
    g = (tensor(1, IN, 4, False)[0] + 1).half().double().requires_grad_()
    y = F.linear(x * g, Sign.apply(w)) * h
    if normalise:
        y = F.layer_norm(y, (OUT,), eps=1e-5)
    y.backward(tensor(TOKENS, OUT, 5, False))
    named = {"y": y, "dX": x.grad, "dW": w.grad, "dH": h.grad, "dG": g.grad}
    return {name: numbers(value) for name, value in named.items()}


def losses():
    teacher, student = tensor(TOKENS, VOCABULARY, 6, False) * 4, tensor(TOKENS, VOCABULARY, 7)
    kl = F.kl_div(student.log_softmax(-1), teacher.softmax(-1), reduction="sum") / TOKENS
    state_t, state_s = tensor(TOKENS, IN, 8, False), tensor(TOKENS, IN, 9)
    unit = [F.normalize(state, dim=-1) for state in (state_t, state_s)]
    hidden = ((unit[0] - unit[1]) ** 2).sum(-1).mean()
    (2 * kl + 3 * hidden).backward()
    return {
        "kl": float(f"{kl.item():.9g}"),
        "hidden": float(f"{hidden.item():.9g}"),
        "dLogits": numbers(student.grad),
        "dState": numbers(state_s.grad),
    }


def numbers(t):
    return [float(f"{x:.7g}") for x in t.detach().reshape(-1).tolist()]


def main():
    document = {
        "tokens": TOKENS,
        "outFeatures": OUT,
        "inFeatures": IN,
        "vocabulary": VOCABULARY,
        "onebit": layer(True),
        "svid": layer(False),
        "loss": losses(),
    }
    path = pathlib.Path(__file__).parents[2] / "test/golden/onebit.json"
    path.write_text(json.dumps(document, indent=1) + "\n")


main()
