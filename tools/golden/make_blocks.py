"""Golden vectors for block formats and table types: what gguf-py decodes arbitrary bytes to, as a hash of all values and the first finite ones.
Needs gguf and numpy. Writes test/golden/blocks.json and tables.json. Run: python tools/golden/make_blocks.py
"""
import hashlib
import json
import pathlib

import gguf
import numpy as np

BLOCKS = 512
SHOWN = 4
TYPES = "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K TQ1_0 TQ2_0".split()

TABLES = "IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S IQ4_NL IQ4_XS MXFP4 NVFP4".split()

# What gguf-py does not know, as dequantize_row_q1_0 and dequantize_row_q2_0 of ggml have it: id, bytes, bits of a code,
# values of the codes in units of the scale.
OTHERS = {
    "Q1_0": (41, 18, 1, [-1, 1]),
    "Q2_0": (42, 18, 2, [-1, 0, 1, 2]),
}


def random_bytes(count, seed):
    """The upper bytes of a 32-bit linear congruential generator (test/golden/golden-bytes.ts)."""
    state, out = seed, np.empty(count, np.uint8)
    for i in range(count):
        state = (1664525 * state + 1013904223) % 2**32
        out[i] = state >> 24
    return out


def decode_known(name):
    kind = gguf.GGMLQuantizationType[name]
    size = gguf.GGML_QUANT_SIZES[kind][1]
    blocks = random_bytes(BLOCKS * size, int(kind) + 1).reshape(BLOCKS, size)
    return int(kind), gguf.quants.dequantize(blocks, kind)


def decode_other(name):
    kind, size, bits, levels = OTHERS[name]
    blocks = random_bytes(BLOCKS * size, kind + 1).reshape(BLOCKS, size)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes = (blocks[:, 2:, None] >> shifts & (2**bits - 1)).reshape(BLOCKS, -1)
    return kind, scales * np.array(levels, np.float32)[codes]


def golden(name):
    with np.errstate(all="ignore"):
        kind, values = decode_other(name) if name in OTHERS else decode_known(name)
    values = values.astype("<f4").reshape(-1)
    # Which of the many NaNs it is, the formats do not say.
    values[np.isnan(values)] = np.nan
    return {
        "seed": kind + 1,
        "blocks": BLOCKS,
        "first": [float(value) for value in values[np.isfinite(values)][:SHOWN]],
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
    }


def main():
    folder = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden"
    for file, names in {"blocks": [*TYPES, *OTHERS], "tables": TABLES}.items():
        vectors = {name.lower(): golden(name) for name in names}
        (folder / f"{file}.json").write_text(json.dumps(vectors, indent=2) + "\n")


if __name__ == "__main__":
    main()
