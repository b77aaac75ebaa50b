"""Matrices that a test can make again without storing them (test/golden/golden-matrix.ts)."""
import numpy as np


def uniforms(count, seed):
    """32-bit linear congruential generator, value = state / 2^32 - 1/2."""
    state, out = seed, np.empty(count)
    for i in range(count):
        state = (1664525 * state + 1013904223) % 2**32
        out[i] = state / 2**32 - 0.5
    return out


def matrix(rows, columns, seed):
    """Sums of four uniforms, as float32."""
    return uniforms(rows * columns * 4, seed).reshape(rows, columns, 4).sum(-1).astype(np.float32)
