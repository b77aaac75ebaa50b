"""The grids of ggml's IQ types as bits, taken from gguf-py, which has them from ggml-common.h (ggml, MIT). Each grid is a set
of points with few levels, in ascending order of the numbers that their coordinates make as digits, the first being the least:
one bit says of each point of the space whether it belongs to the grid. Needs gguf and numpy. Writes
src/formats/gguf/tables/grid-points.generated.ts. Run: python tools/golden/make_gguf_grids.py
"""
import base64
import pathlib
import textwrap

import numpy as np
from gguf import quants

GRIDS = {
    "iq1Points": quants.IQ1_S,
    "iq2XxsPoints": quants.IQ2_XXS,
    "iq2XsPoints": quants.IQ2_XS,
    "iq2SPoints": quants.IQ2_S,
    "iq3XxsPoints": quants.IQ3_XXS,
    "iq3SPoints": quants.IQ3_S,
}


def points(kind):
    kind.init_grid()
    levels = np.array(kind.grid_map)
    digits = np.searchsorted(levels, kind.grid.reshape(kind.grid_shape))
    numbers = (digits * len(levels) ** np.arange(kind.grid_shape[1])).sum(-1)
    assert (np.diff(numbers) > 0).all(), "the order of a grid is not that of its numbers"
    bits = np.zeros(len(levels) ** kind.grid_shape[1], np.uint8)
    bits[numbers] = 1
    return base64.b64encode(np.packbits(bits, bitorder="little").tobytes()).decode()


def main():
    lines = ["// Made by tools/golden/make_gguf_grids.py; read by grids.ts.", ""]
    for name, kind in GRIDS.items():
        pieces = textwrap.wrap(points(kind), 90)
        lines += [f"export const {name} =", *(f'  "{piece}" +' for piece in pieces[:-1]), f'  "{pieces[-1]}";', ""]
    path = pathlib.Path(__file__).resolve().parents[2] / "src/formats/gguf/tables/grid-points.generated.ts"
    path.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
