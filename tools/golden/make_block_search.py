"""Golden vectors for the choice of ggml's blocks, by ggml itself: its quantizer in the shared library that npm's
node-llama-cpp ships, called with and without importance of the columns. Where gguf-py has a quantizer of the type,
both must agree. Writes test/golden/block-search.json. Run: python tools/golden/make_block_search.py [libggml-base.so]

Rows come from a generator that both sides compute (congruential.py): one of plain weights, one with zeros, equal
values, outliers and tiny groups (`odd_row`). The file only holds results: the bytes of the blocks, base64.
"""
import base64
import ctypes
import glob
import json
import pathlib
import sys

import gguf
import numpy as np

from congruential import matrix

COLUMNS = 512
HERE = pathlib.Path(__file__).resolve().parents[2]
TYPES = "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K TQ1_0 TQ2_0 Q1_0 Q2_0".split()
IDS = {"Q1_0": 41, "Q2_0": 42}
BLOCKS = {41: (128, 18), 42: (64, 18)}


def odd_row():
    row = matrix(1, COLUMNS, 12)[0] * np.float32(0.0625)
    row[0:16] = 0
    row[32:64] = np.float32(0.375)
    row[64:96] = -np.abs(row[64:96])
    row[100] = 8
    row[128:144] *= np.float32(2.0**-30)
    row[160:192] = np.abs(row[160:192])
    row[256:512] = np.rint(row[256:512] * 16) / 16
    return row


def main():
    [default] = glob.glob(f"{HERE}/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64/libggml-base.so") or [None]
    library = ctypes.CDLL(sys.argv[1] if len(sys.argv) > 1 else default)
    quantize = library.ggml_quantize_chunk
    quantize.restype = ctypes.c_size_t
    weights = np.stack([matrix(1, COLUMNS, 11)[0] * np.float32(0.0625), odd_row()]).astype(np.float32)
    importance = (np.abs(matrix(1, COLUMNS, 13)[0]) + np.float32(2.0**-6)).astype(np.float32)
    address = lambda array: array.ctypes.data_as(ctypes.c_void_p)
    cases = []
    for name in TYPES:
        number = IDS.get(name) or gguf.GGMLQuantizationType[name].value
        columns, size = BLOCKS.get(number) or gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
        case = {"format": name.lower()}
        for key, given in (("plain", None), ("important", address(importance))):
            out = np.zeros(weights.size // columns * size, np.uint8)
            row_count, length = ctypes.c_int64(len(weights)), ctypes.c_int64(COLUMNS)
            quantize(number, address(weights), address(out), ctypes.c_int64(0), row_count, length, given)
            case[key] = base64.b64encode(out.tobytes()).decode()
            try:
                if key == "plain":
                    other = gguf.quants.quantize(weights, gguf.GGMLQuantizationType[name])
                    assert (other.reshape(-1) == out).all(), name
            except (NotImplementedError, KeyError):
                pass
        cases.append(case)
    golden = {"columns": COLUMNS, "cases": cases}
    (HERE / "test/golden/block-search.json").write_text(json.dumps(golden, indent=1) + "\n")


main()
