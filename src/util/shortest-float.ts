/**
 * Returns the number of the fewest decimal digits that float32 rounds to `value`: 0.00001 for the
 * float32 next to it, which is 0.000009999999747378752.
 * @param value a float32
 */
export function shortestFloat(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return Number.isFinite(value) ? Number(value.toPrecision(9)) : value;
}
