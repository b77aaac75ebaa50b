/** Makes the bytes that `tools/golden/make_blocks.py` makes: upper bytes of a generator's states. */
export function goldenBytes(count: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: count }, () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

/** The same values with every NaN the same. */
export function withPlainNaN(values: Float32Array): Float32Array {
  return values.map((value) => (Number.isNaN(value) ? Number.NaN : value));
}
