"""Golden vectors for SpinQuant (arXiv 2405.16406): steps of Cayley SGD on orthogonal matrices (arXiv 2002.01113,
algorithm 1) as the optimizer of the paper's authors takes them, written anew in PyTorch float64. Rows are scaled to length
1; the step is bounded by the largest sum of a column; five iterations stand for the inverse. No QR in between.

Writes test/golden/spinquant.json. Run: python tools/golden/make_spinquant.py
"""
import json
import pathlib

import torch

import congruential

SIZES = [6, 16]
# The first is so small that it is not bounded, the last has a momentum.
STEPS = [(0.01, 0.0), (1.5, 0.0), (0.05, 0.9)]
COUNT = 3


def values(size, seed):
    return torch.from_numpy(congruential.matrix(size, size, seed)).double()


def step(r, m, gradient, rate, beta):
    unit = r / (r.norm(dim=1, keepdim=True) + 1e-8)
    v = beta * m - gradient.T
    half = v @ unit - unit.T @ (unit @ (v @ unit)) / 2
    w = half - half.T
    alpha = min(1 / (w.abs().sum(0).max().item() + 1e-8), rate)
    x = unit.T
    y = x + alpha * v
    for _ in range(5):
        y = x + alpha * (w @ ((x + y) / 2))
    return y.T, w @ x, alpha


def rounded(x):
    return [round(value, 8) for value in x.ravel().tolist()]


def main():
    cases = []
    for size in SIZES:
        start = torch.linalg.qr(values(size, 5))[0].float().double()
        for rate, beta in STEPS:
            r, m, states = start, torch.zeros(size, size).double(), []
            for i in range(COUNT):
                r, m, alpha = step(r, m, values(size, 10 + i), rate, beta)
                states.append({"rotation": rounded(r), "momentum": rounded(m), "alpha": alpha})
            case = {"size": size, "rate": rate, "momentum": beta, "start": rounded(start)}
            cases.append({**case, "states": states})
    path = pathlib.Path(__file__).parents[2] / "test/golden/spinquant.json"
    path.write_text(json.dumps(cases) + "\n")


main()
