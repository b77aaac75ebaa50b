"""Golden vectors for HQQ: the loop of the authors' code (mobiusml/hqq, hqq/core/optimize.py, without growth of
beta) written anew in PyTorch float64, with one change: scales and the first zero points are rounded to
float16, as fewbit does. Writes test/golden/hqq.json. Run: python tools/golden/make_hqq.py

Weights come from congruential.py. The file holds each iteration's mean error, the zero points
after the loop, and the codes that follow from them.
"""
import json
import pathlib

import torch

from congruential import matrix

ROWS, COLUMNS = 6, 96


def shrink(x, beta, p):
    return torch.sign(x) * torch.relu(x.abs() - x.abs() ** (p - 1) / beta)


def hqq(w, bits, group, beta, p, iterations=20):
    top = 2**bits - 1
    w = w.reshape(-1, group)
    low, high = w.amin(1, keepdim=True), w.amax(1, keepdim=True)
    scale = ((high - low) / top).half().double()
    zero = (-low / scale).half().double()
    errors, best = [], float("inf")
    for _ in range(iterations):
        codes = torch.round(w / scale + zero).clamp(0, top)
        decoded = (codes - zero) * scale
        error = (w - decoded).abs().mean().item()
        errors.append(error)
        zero = (codes - (w - shrink(w - decoded, beta, p)) / scale).mean(1, keepdim=True)
        if error >= best:
            break
        best = error
    codes = torch.round(w / scale + zero).clamp(0, top)
    return errors, zero, codes


def main():
    cases = []
    for spread, beta, p in ((1, 10, 0.7), (1, 4, 0.5), (2**-5, 10, 0.7)):
        for bits, group in ((2, 32), (3, 48), (4, 96)):
            w = torch.from_numpy(matrix(ROWS, COLUMNS, 3)).double() * spread
            errors, zero, codes = hqq(w, bits, group, beta, p)
            cases.append(
                {
                    "scheme": f"w{bits}g{group}-floatzero",
                    "spread": spread,
                    "beta": beta,
                    "norm": p,
                    "errors": errors,
                    "zeros": [round(z, 6) for z in zero.ravel().tolist()],
                    "codes": "".join(format(int(c), "x") for c in codes.ravel().tolist()),
                }
            )
    golden = {"rows": ROWS, "columns": COLUMNS, "cases": cases}
    target = pathlib.Path(__file__).parents[2] / "test" / "golden" / "hqq.json"
    target.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
