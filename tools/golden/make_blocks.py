"""Golden vectors for block formats: what gguf-py decodes arbitrary bytes to, as a hash of all values and the first ones.
Needs gguf and numpy. Writes test/golden/blocks.json. Run: python tools/golden/make_blocks.py
"""
import hashlib
import json
import pathlib

import gguf
import numpy as np

BLOCKS = 512
SHOWN = 4
TYPES = ["Q4_0", "Q4_1", "Q8_0", "Q4_K"]


def random_bytes(count, seed):
    """The upper bytes of a 32-bit linear congruential generator (test/golden/golden-bytes.ts)."""
    state, out = seed, np.empty(count, np.uint8)
    for i in range(count):
        state = (1664525 * state + 1013904223) % 2**32
        out[i] = state >> 24
    return out


def golden(name):
    kind = gguf.GGMLQuantizationType[name]
    size = gguf.GGML_QUANT_SIZES[kind][1]
    with np.errstate(all="ignore"):
        values = gguf.quants.dequantize(random_bytes(BLOCKS * size, int(kind) + 1).reshape(BLOCKS, size), kind)
    values = values.astype("<f4").reshape(-1)
    # Which of the many NaNs it is, the formats do not say.
    values[np.isnan(values)] = np.nan
    return {
        "seed": int(kind) + 1,
        "blocks": BLOCKS,
        "first": [float(value) for value in values[:SHOWN]],
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
    }


def main():
    folder = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden"
    vectors = {name.lower(): golden(name) for name in TYPES}
    (folder / "blocks.json").write_text(json.dumps(vectors, indent=2) + "\n")


if __name__ == "__main__":
    main()
