"""Golden vectors for ARB (arXiv 2410.03129), written from the paper in numpy, float64; the authors have not published their
code. Writes test/golden/arb.json. Run: python tools/golden/make_arb.py

`rc`: algorithm 3, row scales mean|W|, column scales mean|W / rows|, then each the least-squares answer to the other, 15 times;
signs are those of W. `x`: the same form with the errors of outputs, tr((W - V) M (W - V)^T), M = X^T X: the row scales of
equation 9 without means, column scales by least squares on the outputs themselves (numpy's solver, not normal equations),
signs turned one by one. Weights and inputs come from congruential.py.
"""
import json
import pathlib

import numpy as np

from congruential import matrix

ROUNDS, SWEEPS = 4, 4


def alternate(w, steps=15):
    size = np.abs(w)
    rows = size.mean(1)
    columns = (size / rows[:, None]).mean(0)
    for _ in range(steps):
        rows = size @ columns / (columns @ columns)
        columns = rows @ size / (rows @ rows)
    return rows, columns


def error(w, m, signs, rows, columns):
    gap = w - signs * np.outer(rows, columns)
    return float(((gap @ m) * gap).sum())


def best_rows(w, m, signs, columns):
    u = signs * columns
    return ((w @ m) * u).sum(1) / ((u @ m) * u).sum(1)


def best_columns(w, x, signs, rows):
    """Least squares over every output of every row."""
    system = np.concatenate([x * (row * sign) for row, sign in zip(rows, signs)])
    return np.linalg.lstsq(system, (w @ x.T).reshape(-1), rcond=None)[0]


def turn(w, m, signs, rows, columns):
    signs = signs.copy()
    for i, row in enumerate(rows):
        gap = row * signs[i] * columns - w[i]
        for _ in range(SWEEPS):
            turned = 0
            for j in range(len(columns)):
                move = -2 * row * signs[i, j] * columns[j]
                if 2 * (gap @ m[:, j]) * move + move**2 * m[j, j] < 0:
                    signs[i, j] *= -1
                    gap[j] += move
                    turned += 1
            if turned == 0:
                break
    return signs


def refine(w, x, rows, columns):
    m = x.T @ x
    signs = np.where(w < 0, -1.0, 1.0)
    errors = [error(w, m, signs, rows, columns)]
    for _ in range(ROUNDS):
        signs = turn(w, m, signs, rows, columns)
        rows = best_rows(w, m, signs, columns)
        columns = best_columns(w, x, signs, rows)
        rows = best_rows(w, m, signs, columns)
        errors.append(error(w, m, signs, rows, columns))
    energy = error(w, m, 0 * signs, rows, columns)
    return signs, rows, columns, [e / energy for e in errors]


def digits(values):
    return [float(f"{x:.8g}") for x in np.ravel(values)]


def main():
    cases = []
    for height, width, tokens, seed in ((6, 12, 40, 3), (20, 16, 64, 5), (9, 11, 50, 7)):
        w = matrix(height, width, seed).astype(np.float64)
        plain = matrix(tokens, width, seed + 1).astype(np.float64)
        x = plain.copy()
        x[:, 1:] += 0.7 * plain[:, :-1]
        rows, columns = alternate(w)
        signs, by_rows, by_columns, errors = refine(w, x, rows, columns)
        product = np.outer(by_rows, by_columns)
        cases.append(
            {
                "rows": height,
                "columns": width,
                "tokens": tokens,
                "seed": seed,
                "rc": digits(np.outer(rows, columns)),
                "x": digits(signs * product),
                "errors": digits(errors),
            }
        )
    path = pathlib.Path(__file__).parents[2] / "test/golden/arb.json"
    path.write_text(json.dumps({"rounds": ROUNDS, "sweeps": SWEEPS, "cases": cases}, separators=(",", ":")) + "\n")
    for case in cases:
        print(case["errors"])


main()
