"""Golden vectors for GPTQ: the arithmetic of the paper's authors (IST-DASLab/gptq, algorithm 1 of arXiv
2210.17323), written anew in NumPy float64, with one change: scales are rounded to float16 before codes are
chosen, as fewbit does. Writes test/golden/gptq.json. Run: python tools/golden/make_gptq.py

Weights and inputs come from a generator that both sides compute (congruential.py), so that the file only holds
results: codes and the layer's objective tr(dW H dW^T).
"""
import json
import pathlib

import numpy as np

from congruential import matrix

ROWS, COLUMNS, TOKENS = 12, 80, 400


def inputs():
    """Correlated inputs: neighbouring columns are mixed, some columns are loud."""
    x = matrix(TOKENS, COLUMNS, 7).astype(np.float64)
    x[:, 1:] += 0.7 * x[:, :-1]
    x[:, ::9] *= 4.0
    return x.astype(np.float32).astype(np.float64)


def parameters(w, bits, sym):
    top = 2**bits - 1
    low, high = np.minimum(w.min(1), 0), np.maximum(w.max(1), 0)
    if sym:
        high = np.maximum(np.abs(low), high)
        low = -high
    flat = (low == 0) & (high == 0)
    low[flat], high[flat] = -1, 1
    scale = ((high - low) / top).astype(np.float16).astype(np.float64)
    zero = np.full_like(scale, (top + 1) / 2) if sym else np.clip(np.rint(-low / scale), 0, top)
    return scale, zero


def gptq(w, hessian, bits, sym, group, act_order, damping=0.01):
    w, h = w.astype(np.float64).copy(), hessian.copy()
    columns = w.shape[1]
    size = group or columns
    static = [parameters(w[:, i : i + size], bits, sym) for i in range(0, columns, size)]
    order = np.argsort(-np.diag(h), kind="stable") if act_order else np.arange(columns)
    w, h = w[:, order], h[order][:, order]
    h[np.diag_indices(columns)] += damping * np.mean(np.diag(h))
    upper = np.linalg.cholesky(np.linalg.inv(h)).T
    codes, decoded = np.zeros(w.shape, int), np.zeros(w.shape)
    current = None
    for j in range(columns):
        if act_order or not group:
            scale, zero = static[order[j] // size]
        else:
            if j % size == 0:
                current = parameters(w[:, j : j + size], bits, sym)
            scale, zero = current
        codes[:, j] = np.clip(np.rint(w[:, j] / scale + zero), 0, 2**bits - 1)
        decoded[:, j] = scale * (codes[:, j] - zero)
        error = (w[:, j] - decoded[:, j]) / upper[j, j]
        w[:, j:] -= np.outer(error, upper[j, j:])
    back = np.argsort(order)
    return codes[:, back], decoded[:, back]


def main():
    w, x = matrix(ROWS, COLUMNS, 1), inputs()
    hessian = x.T @ x
    cases = []
    for bits in (2, 3, 4):
        for sym in (False, True):
            for group in (None, 16, 32):
                for act_order in (False, True):
                    codes, decoded = gptq(w, hessian, bits, sym, group, act_order)
                    delta = w - decoded
                    scheme = f"w{bits}" + (f"g{group}" if group else "") + ("-sym" if sym else "")
                    cases.append(
                        {
                            "scheme": scheme,
                            "activationOrder": act_order,
                            "objective": float(np.einsum("ij,jk,ik->", delta, hessian, delta)),
                            "codes": "".join(format(c, "x") for c in codes.ravel()),
                        }
                    )
    golden = {"rows": ROWS, "columns": COLUMNS, "tokens": TOKENS, "cases": cases}
    target = pathlib.Path(__file__).parents[2] / "test" / "golden" / "gptq.json"
    target.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
