"""Golden vectors for fixed-point factors: the integer arithmetic of gemmlowp (SaturatingRoundingDoublingHighMul and
RoundingDivideByPOT, as arXiv 1712.05877 describes them) on Python's integers. Writes test/golden/fixed-point.json. Run:
python tools/golden/make_fixed_point.py
"""
import json
import pathlib
import random

LOW, HIGH = -(2**31), 2**31 - 1


def saturate(value):
    return max(LOW, min(HIGH, value))


def truncating_divide(a, b):
    return abs(a) // b * (1 if a >= 0 else -1)


def doubling_high_multiply(a, b):
    if a == b == LOW:
        return HIGH
    product = a * b
    nudge = 2**30 if product >= 0 else 1 - 2**30
    return truncating_divide(product + nudge, 2**31)


def rounding_divide(value, exponent):
    mask = (1 << exponent) - 1
    remainder = value & mask
    threshold = (mask >> 1) + (1 if value < 0 else 0)
    return (value >> exponent) + (1 if remainder > threshold else 0)


def multiply(value, multiplier, shift):
    shifted = saturate(value << max(-shift, 0))
    return rounding_divide(doubling_high_multiply(shifted, multiplier), max(shift, 0))


def main():
    draw = random.Random(7)
    edges = [0, 1, -1, 2, -2, 3, -3, 255, -256, 2**30, -(2**30), 2**30 + 1, HIGH, HIGH - 1, LOW, LOW + 1]
    multipliers = [0, 2**30, 2**30 + 1, 2**31 - 1, 1518500250, 3 * 2**29]
    cases = [(v, m, s) for v in edges for m in multipliers for s in (0, 1, 5, 31, -1, -7)]
    for _ in range(400):
        value = draw.randrange(LOW, HIGH + 1) >> draw.randrange(0, 24)
        cases.append((value, draw.randrange(2**30, 2**31), draw.randrange(-4, 20)))
    golden = {"cases": [[v, m, s, multiply(v, m, s)] for v, m, s in cases]}
    target = pathlib.Path(__file__).parents[2] / "test" / "golden" / "fixed-point.json"
    target.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
