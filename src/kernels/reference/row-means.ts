const lanes = 8;

/** The mean of `of(x)`, from sums of every eighth value, added in pairs. */
export function meanBy(x: Float32Array, of: (value: number) => number): number {
  const sums = new Float64Array(lanes);
  for (const [i, value] of x.entries()) sums[i % lanes] += of(value);
  const [a, b, c, d, e, f, g, h] = sums;
  return (a + b + (c + d) + (e + f + (g + h))) / Math.max(1, x.length);
}
