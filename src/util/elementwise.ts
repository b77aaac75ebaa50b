/*
 * Work on whole arrays, element by element. Loops: the engine makes an object of each number that it
 * hands to a function, so that `map` and `from` take ten to a hundred times as long.
 */

/** `factor · x` in float32. */
export function scaledFloats(values: Float32Array | Float64Array, factor: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = factor * values[i];
  return out;
}

/** `p·a + q·b`, rounded to float32 once. */
export function weightedSum(p: number, a: Float32Array, q: number, b: Float32Array): Float32Array {
  const out = new Float32Array(a.length);
  for (let i = 0; i < out.length; i++) out[i] = p * a[i] + q * b[i];
  return out;
}

/** `|x|` */
export function magnitudesOf(values: Float32Array): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = Math.abs(values[i]);
  return out;
}

/** Largest |x|; 0 of none, NaN where one is. */
export function largestMagnitude(values: Float32Array | Float64Array): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
}

/** `Xᵀ` of a matrix `[size, size]`. */
export function transposed(values: Float32Array, size: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let row = 0, at = 0; row < size; row++) {
    for (let j = 0; j < size; j++, at++) out[at] = values[j * size + row];
  }
  return out;
}
