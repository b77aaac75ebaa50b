/**
 * Makes the matrix `[height, width]` that `tools/golden/congruential.py` makes: sums of four
 * uniforms of a 32-bit congruential generator, times `spread`, as float32.
 */
export function goldenMatrix(
  height: number,
  width: number,
  seed: number,
  spread: number = 1,
): Float32Array {
  let state = seed;
  const uniform = (): number => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  return Float32Array.from({ length: height * width }, () => {
    const sum = [uniform(), uniform(), uniform(), uniform()];
    return (sum[0] + sum[1] + (sum[2] + sum[3])) * spread;
  });
}
