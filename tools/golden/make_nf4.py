"""Golden vectors for NF4: what bitsandbytes 0.50.2 makes of weights on a CPU. Writes test/golden/nf4.json.
Run: python tools/golden/make_nf4.py, with bitsandbytes and PyTorch.

Weights come from congruential.py, rounded to float16: then the largest of a group is a float16, and the scale that
fewbit stores is the one of bitsandbytes. The file holds codes (as digits in base 16), scales, and the decoded weights as
the hexadecimal digits of their float32.
"""
import json
import pathlib

import numpy as np
import torch
from bitsandbytes import functional

from congruential import matrix

ROWS, COLUMNS, GROUP = 6, 192, 64


def main():
    weights = matrix(ROWS, COLUMNS, 9).astype(np.float16).astype(np.float32)
    packed, state = functional.quantize_4bit(
        torch.from_numpy(weights), blocksize=GROUP, compress_statistics=False, quant_type="nf4"
    )
    decoded = functional.dequantize_4bit(packed, state).numpy()
    # The first of two weights stands in the high half of a byte.
    codes = "".join(format(int(byte), "02x") for byte in packed.ravel())
    golden = {
        "rows": ROWS,
        "columns": COLUMNS,
        "seed": 9,
        "scheme": f"w4g{GROUP}-nf4",
        "values": [float(value) for value in state.code],
        "scales": state.absmax.tolist(),
        "codes": codes,
        "decoded": decoded.astype("<f4").tobytes().hex(),
    }
    target = pathlib.Path(__file__).parents[2] / "test" / "golden" / "nf4.json"
    target.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
