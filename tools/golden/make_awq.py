"""Golden vectors for AWQ and SmoothQuant: the arithmetic of the papers' authors, written anew in PyTorch float64, with
one change: scales of weights are rounded to float16 before codes are chosen, as fewbit does.

- AWQ (arXiv 2306.00978): factors for a ratio, the search for the ratio of one linear layer on its output, and
  the search for clipping ranges; with all tokens instead of a sample.
- AWQ with AutoAWQ's weight statistic ("duo scaling").
- SmoothQuant (arXiv 2211.10438, equation 4).

Writes test/golden/awq.json. Run: python tools/golden/make_awq.py

Weights and inputs come from congruential.py, which the test computes too.
"""
import json
import pathlib

import numpy as np
import torch

import congruential

ROWS, COLUMNS, TOKENS, POINTS = 12, 80, 400, 20


def matrix(rows, columns, seed):
    return torch.from_numpy(congruential.matrix(rows, columns, seed)).double()


def inputs():
    """Correlated inputs: neighbouring columns are mixed, some columns are loud."""
    x = matrix(TOKENS, COLUMNS, 7)
    x[:, 1:] += 0.7 * x[:, :-1].clone()
    x[:, ::9] *= 4.0
    return x.float().double()


def grouped(w, group):
    return w.reshape(-1, group or w.shape[-1])


def quantize(w, bits, sym, group):
    """Round to nearest; the range of a group always includes zero."""
    rows = grouped(w, group)
    top = 2**bits - 1
    low, high = rows.amin(1, keepdim=True).clamp(max=0), rows.amax(1, keepdim=True).clamp(min=0)
    if sym:
        high = torch.maximum(low.abs(), high)
        low = -high
    scale = ((high - low) / top).half().double()
    zero = torch.full_like(scale, (top + 1) / 2) if sym else (-low / scale).round().clamp(0, top)
    return (((rows / scale).round() + zero).clamp(0, top) - zero).mul(scale).reshape(w.shape)


def factors(activations, ratio, weights=None):
    t = activations**ratio
    if weights is not None:
        t = t / (weights ** (1 - ratio) + 1e-4)
    t = t.clamp(min=1e-4)
    return t / (t.max() * t.min()).sqrt()


def weight_statistic(w, group):
    rows = grouped(w, group).abs()
    return (rows / (rows.amax(1, keepdim=True) + 1e-6)).reshape(w.shape).mean(0)


def search_ratio(w, x, bits, sym, group, duo):
    activations = x.abs().mean(0)
    statistic = weight_statistic(w, group) if duo else None
    expected, losses = x @ w.T, []
    for point in range(POINTS):
        t = factors(activations, point / POINTS, statistic)
        rounded = quantize(w * t, bits, sym, group) / t
        losses.append((x @ rounded.T - expected).square().sum().item())
    best = int(np.argmin(losses))
    return best / POINTS, losses, factors(activations, best / POINTS, statistic)


def search_clip(w, x, bits, sym, group):
    size = group or w.shape[1]
    chosen = torch.empty(w.shape[0], w.shape[1] // size)
    for g in range(w.shape[1] // size):
        part, inp = w[:, g * size : (g + 1) * size], x[:, g * size : (g + 1) * size]
        least = torch.full((w.shape[0],), float("inf"), dtype=torch.float64)
        for i in range(POINTS // 2):
            limit = part.abs().amax(1, keepdim=True) * (1 - i / POINTS)
            rounded = quantize(part.clamp(-limit, limit), bits, sym, None)
            error = (inp @ (rounded - part).T).square().sum(0)
            better = error < least
            least[better] = error[better]
            chosen[better, g] = i
    return chosen.int().flatten().tolist()


def smoothing(w, x, alpha):
    return x.abs().amax(0) ** alpha / w.abs().amax(0).clamp(min=1e-5) ** (1 - alpha)


def rounded(values, digits=7):
    return [float(f"{v:.{digits}g}") for v in values]


def main():
    w, x = matrix(ROWS, COLUMNS, 1), inputs()
    cases = []
    for bits in (3, 4):
        for sym in (False, True):
            for group in (None, 16):
                for duo in (False, True):
                    ratio, losses, t = search_ratio(w, x, bits, sym, group, duo)
                    cases.append(
                        {
                            "scheme": f"w{bits}" + (f"g{group}" if group else "") + ("-sym" if sym else ""),
                            "duoScaling": duo,
                            "ratio": ratio,
                            "losses": rounded(losses, 6),
                            "factors": rounded(t.tolist()),
                            "clip": search_clip(w * t, x / t, bits, sym, group),
                        }
                    )
    smooth = {str(alpha): rounded(smoothing(w, x, alpha).tolist()) for alpha in (0, 0.5, 0.8)}
    sizes = {"rows": ROWS, "columns": COLUMNS, "tokens": TOKENS, "points": POINTS}
    target = pathlib.Path(__file__).parents[2] / "test" / "golden" / "awq.json"
    target.write_text(json.dumps({**sizes, "cases": cases, "smoothing": smooth}) + "\n")


main()
