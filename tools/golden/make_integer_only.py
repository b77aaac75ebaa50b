"""Golden vectors for the ops of forward passes without floats, on Python's integers. The functions are those of I-BERT
(arXiv 2101.01321): I-POLY, I-EXP, I-ERF of its algorithms 1 to 3 and I-SQRT of algorithm 4, with constants rounded down and a
scale of 2^-14; factors are gemmlowp's (make_fixed_point.py), magnitudes of tokens I-LLM's (arXiv 2405.17849): dyadic numbers.
Writes test/golden/integer-only.json. Run: python tools/golden/make_integer_only.py
"""
import json
import math
import pathlib
import random

from make_fixed_point import doubling_high_multiply, multiply, saturate

S = 2.0**-14


def i_poly(q, a, b, c, scale):
    q_b, q_c = math.floor(b / scale), math.floor(c / (a * scale * scale))
    return (q + q_b) ** 2 + q_c


def i_exp(q):
    q_ln2 = math.floor(math.log(2) / S)
    z = -q // q_ln2
    if z >= 30:
        return 0
    return i_poly(q + z * q_ln2, 0.3585, 1.353, 0.344, S) >> z


EXP_ONE = i_exp(0)
ERF_ONE = -math.floor(1 / (-0.2888 * S * S))


def i_erf(q):
    sign = (q > 0) - (q < 0)
    return -sign * i_poly(min(abs(q), math.floor(1.769 / S)), -0.2888, -1.769, 1, S)


def i_sqrt(n):
    if n == 0:
        return 0
    x = 2 ** math.ceil(n.bit_length() / 2)
    while True:
        y = (x + n // x) // 2
        if y >= x:
            return x
        x = y


def silu_factor(q):
    tail = i_exp(-abs(q))
    whole = EXP_ONE + tail
    return (((tail if q < 0 else EXP_ONE) << 21) + whole) // (2 * whole)


def gelu_factor(q):
    return (((ERF_ONE + i_erf(q)) << 20) + ERF_ONE) // (2 * ERF_ONE)


def half_up(value, bits):
    return (value + ((1 << bits) >> 1)) >> bits


def code_of(x, largest):
    size = 0 if largest == 0 else (254 * abs(x) + largest) // (2 * largest)
    return -size if x < 0 else size


def factor_of(value):
    length = value.bit_length()
    return (0, 0) if value == 0 else ((value << 31) >> length, -length)


def times(a, b):
    return doubling_high_multiply(a[0], b[0]), max(-30, min(62, a[1] + b[1]))


def norm(x, weights, epsilon):
    largest = max(map(abs, x))
    shift = max(largest.bit_length() - 17, math.ceil((epsilon.bit_length() - 48) / 2))
    total = epsilon >> 2 * shift if shift >= 0 else epsilon << -2 * shift
    total += sum((half_up(v, shift) if shift > 0 else v << -shift) ** 2 for v in x)
    root = i_sqrt(total)
    if root == 0:
        return [0] * len(x)
    length = root.bit_length()
    quotient = min((1 << length + 24) // root, 2**25 - 1)
    return [half_up(multiply(v, quotient << 6, length + shift - 31) * w, 22) for v, w in zip(x, weights)]


def round_row(x, middle):
    largest = max(map(abs, x))
    return [middle + code_of(v, largest) for v in x], list(factor_of(largest))


def gate(gates, ups, kind, source):
    function = silu_factor if kind == "silu" else gelu_factor
    products = [half_up(g * function(multiply(g, *source)), 20) * u for g, u in zip(gates, ups)]
    bits = max(0, max(map(abs, products)).bit_length() - 31)
    kept = [(abs(p) >> bits) * (-1 if p < 0 else 1) for p in products]
    codes, (multiplier, shift) = round_row(kept, 128)
    return codes, [multiplier, shift - bits]


def attend(q, keys, values, score):
    """One query: codes and factor; keys and values are lists of these."""
    unit = times(q[1], score)
    scores = [multiply(sum(a * b for a, b in zip(q[0], k[0])), *times(unit, k[1])) for k in keys]
    powers = [i_exp(s - max(scores)) for s in scores]
    weights = [(p >> 8) * (v[1][0] >> 31 + v[1][1]) for p, v in zip(powers, values)]
    cut = max(0, max(weights).bit_length() - 24)
    largest = max(weights) >> cut
    codes = [(510 * (w >> cut) + largest) // (2 * largest) for w in weights]
    sums = [sum(c * v[0][i] for c, v in zip(codes, values)) for i in range(len(q[0]))]
    raised, lowered = 24 - largest.bit_length(), sum(powers).bit_length() - 22
    quotient = (largest << raised + 28) // (sum(powers) >> lowered)
    factor = times((quotient, raised + lowered - cut - 11), inverse_of_codes())
    return [multiply(s, *factor) for s in sums]


def inverse_of_codes():
    m, n = 1 / 32385, 0
    while m < 0.5:
        m, n = m * 2, n + 1
    return round(m * 2**31), n


def rotate(x, cos, sin):
    half = len(x) // 2
    first = [saturate(half_up(x[i] * cos[i] - x[half + i] * sin[i], 20)) for i in range(half)]
    return first + [saturate(half_up(x[half + i] * cos[i] + x[i] * sin[i], 20)) for i in range(half)]


def wide(x, row, offset, bias, factor, magnitude):
    total = saturate(sum(a * b for a, b in zip(x, row)) + offset)
    return saturate(multiply(total, *(times(magnitude, factor) if magnitude else factor)) + bias)


def draw_heads(draw, count, width):
    rows = [[draw.randrange(-(2**29), 2**29) >> draw.randrange(0, 14) for _ in range(width)] for _ in range(count)]
    return [round_row(row, 0) for row in rows]


def main():
    draw = random.Random(13)
    golden = {}
    points = [0, -1, -2, -11355, -11356, -11357, -22712, -340680, -400000] + [-draw.randrange(400000) for _ in range(60)]
    golden["exp"] = [[q, i_exp(q)] for q in points]
    signed = [0, 1, -1, 28982, 28983, -28984, 90000, -90000] + [draw.randrange(-90000, 90000) for _ in range(60)]
    golden["silu"] = [[q, silu_factor(q)] for q in signed]
    golden["gelu"] = [[q, gelu_factor(q)] for q in signed]
    squares = [0, 1, 2, 3, 4, 15, 16, 17, 2**50, 2**50 - 1] + [draw.randrange(2 ** draw.randrange(1, 51)) for _ in range(60)]
    golden["sqrt"] = [[n, i_sqrt(n)] for n in squares]
    golden["norm"] = []
    for size, epsilon in [(3, 0), (20, 0), (2**31, 7), (1000, 10**9), (2**24, 2**52), (1, 5)]:
        x = [draw.randrange(-size, size) for _ in range(40)]
        weights = [draw.randrange(-(2**22), 2**22 + 1) for _ in range(40)]
        golden["norm"].append({"x": x, "weights": weights, "epsilon": epsilon, "out": norm(x, weights, epsilon)})
    golden["gate"] = []
    for kind in ("silu", "gelu"):
        for size in (2**26, 2**12, 5):
            gates, ups = ([draw.randrange(-size, size) for _ in range(40)] for _ in range(2))
            source = [draw.randrange(2**30, 2**31), draw.randrange(0, 8)]
            codes, factor = gate(gates, ups, kind, source)
            golden["gate"].append(
                {"kind": kind, "gate": gates, "up": ups, "input": source, "codes": codes, "factor": factor}
            )
    golden["attention"] = []
    for count, exponent in [(1, 40), (9, 58), (40, 61)]:
        width = 8
        (query,), keys, values = draw_heads(draw, 1, width), draw_heads(draw, count, width), draw_heads(draw, count, width)
        score = [draw.randrange(2**30, 2**31), exponent]
        golden["attention"].append(
            {"query": query, "keys": keys, "values": values, "score": score, "out": attend(query, keys, values, score)}
        )
    x = [draw.randrange(-(2**31), 2**31) for _ in range(16)]
    angles = [draw.random() * 7 for _ in range(8)]
    cos, sin = ([round(f(a) * 2**20) for a in angles] for f in (math.cos, math.sin))
    golden["rope"] = {"x": x, "cos": cos, "sin": sin, "out": rotate(x, cos, sin)}
    golden["wide"] = []
    for magnitude in (None, [2**31 - 5, -20], [2**30 + 77, -3], [0, 0]):
        codes = [draw.randrange(256) for _ in range(70)]
        rows = [[draw.randrange(-127, 128) for _ in range(70)] for _ in range(5)]
        factors = [[draw.randrange(2**30, 2**31), draw.randrange(-2, 20)] for _ in range(5)]
        offsets, bias = ([draw.randrange(-(10**6), 10**6) for _ in range(5)] for _ in range(2))
        out = [wide(codes, *each, magnitude) for each in zip(rows, offsets, bias, factors)]
        golden["wide"].append(
            {"codes": codes, "rows": rows, "factors": factors, "offsets": offsets, "bias": bias, "magnitude": magnitude, "out": out}
        )
    golden["round"] = [
        {"x": x, "codes": codes, "factor": factor}
        for x in ([0, 0, 0], [-(2**31), 5, 2**31 - 1], [1, -2, 3], [draw.randrange(-(2**20), 2**20) for _ in range(20)])
        for codes, factor in [round_row(x, 0)]
    ]
    target = pathlib.Path(__file__).parents[2] / "test" / "golden" / "integer-only.json"
    target.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
