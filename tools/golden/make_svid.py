"""Golden vectors for SVID: the rank-1 approximation of |A| by numpy's singular value decomposition and by multiplicative
updates of a non-negative factorization, in float64. Writes test/golden/svid.json. Run: python tools/golden/make_svid.py

Weights come from congruential.py. The file holds a and b of |A| ~ a b^T, both with one norm, and the relative squared
error of sign(A) * (a b^T).
"""
import json
import pathlib

import numpy as np

from congruential import matrix


def by_svd(m):
    u, s, vt = np.linalg.svd(m)
    return np.sqrt(s[0]) * np.abs(u[:, 0]), np.sqrt(s[0]) * np.abs(vt[0])


def by_nmf(m, steps=500):
    rng = np.random.default_rng(0)
    a, b = rng.random(m.shape[0]) + 0.1, rng.random(m.shape[1]) + 0.1
    for _ in range(steps):
        a *= (m @ b) / (a * (b @ b))
        b *= (a @ m) / (b * (a @ a))
    ratio = np.sqrt(np.linalg.norm(b) / np.linalg.norm(a))
    return a * ratio, b / ratio


def main():
    cases = []
    for rows, columns, seed in ((6, 24, 3), (24, 6, 5), (1, 16, 7), (13, 40, 11)):
        w = matrix(rows, columns, seed).astype(np.float64)
        a, b = by_svd(np.abs(w))
        other_a, other_b = by_nmf(np.abs(w))
        assert np.allclose(a, other_a, rtol=1e-6) and np.allclose(b, other_b, rtol=1e-6)
        error = w - np.sign(w) * np.outer(a, b)
        cases.append(
            {
                "rows": rows,
                "columns": columns,
                "seed": seed,
                "a": [float(f"{x:.9g}") for x in a],
                "b": [float(f"{x:.9g}") for x in b],
                "relativeError": float(f"{(error**2).sum() / (w**2).sum():.9g}"),
            }
        )
    path = pathlib.Path(__file__).parents[2] / "test/golden/svid.json"
    path.write_text(json.dumps({"cases": cases}, indent=1) + "\n")


main()
