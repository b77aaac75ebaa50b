"""Golden vectors for LLM-QAT: what its authors' quantizers make of weights, of activations, and of keys and values, and
the gradients that they pass. Written anew from the arithmetic of facebookresearch/LLM-QAT, models/utils_quant.py, in
float32 with torch. Writes test/golden/llm-qat.json. Run: python tools/golden/make_llm_qat.py

Values come from congruential.py, times `spread`. Magnitudes are below 2, where the authors pass every gradient.
"""
import json
import pathlib

import torch

from congruential import matrix


class Symmetric(torch.autograd.Function):
    """Rows to 2^(bits-1) - 1 levels on either side of 0, the outermost at the largest magnitude."""

    @staticmethod
    def forward(ctx, x, bits):
        ctx.save_for_backward(x)
        levels_a_unit = (2 ** (bits - 1) - 1) / (x.abs().amax(-1, keepdim=True) + 1e-6)
        return (x * levels_a_unit).round() / (levels_a_unit + 1e-6)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return torch.where(x.abs() >= 2, torch.zeros_like(gradient), gradient), None


def few_levels(w, bits):
    """Rows to 2 or 4 levels around 0 by their mean magnitude; gradients pass."""
    mean = w.detach().abs().mean(-1, keepdim=True)
    if bits == 1:
        rounded = mean * torch.sign(w.detach() / mean)
    else:
        unit = 2 * mean
        rounded = unit * (((w.detach() / unit).clamp(-0.99, 0.99) * 2 - 0.5).round() + 0.5) / 2
    return rounded - w.detach() + w


def weights_of(w, bits):
    return Symmetric.apply(w, bits) if bits >= 3 else few_levels(w, bits)


def numbers(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def weight_cases():
    for bits, seed in ((1, 3), (2, 5), (3, 7), (4, 11), (8, 13)):
        rows, columns, spread = 5, 24, 0.1
        w = torch.tensor(matrix(rows, columns, seed)) * spread
        w.requires_grad_()
        x = torch.tensor(matrix(3, columns, seed + 1)).requires_grad_()
        upstream = torch.tensor(matrix(3, rows, seed + 2))
        rounded = weights_of(w, bits)
        out = Symmetric.apply(x, 8) @ rounded.T
        (out * upstream).sum().backward()
        yield {
            "bits": bits, "rows": rows, "columns": columns, "seed": seed, "spread": spread,
            "weights": numbers(rounded), "out": numbers(out), "byWeight": numbers(w.grad), "byInput": numbers(x.grad),
        }


def row_cases():
    for bits in (8, 4):
        x = torch.tensor(matrix(4, 32, 17))
        yield {"bits": bits, "rows": 4, "columns": 32, "seed": 17, "values": numbers(Symmetric.apply(x, bits))}


def main():
    path = pathlib.Path(__file__).parents[2] / "test/golden/llm-qat.json"
    golden = {"linears": list(weight_cases()), "rows": list(row_cases())}
    path.write_text(json.dumps(golden, indent=1) + "\n")


main()
