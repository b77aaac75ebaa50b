/**
 * Corrects p values of several questions asked at once, so that the chance of even one false answer
 * stays at the level that a p value is compared with: the `i`-th smallest of `m` is multiplied by
 * `m − i + 1`, and none comes before a smaller one. Source: Holm 1979.
 * @returns corrected p values, in the order given
 */
export function correctPValues(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((a, b) => values[a] - values[b]);
  const corrected = new Array<number>(values.length).fill(1);
  let largest = 0;
  for (const [rank, index] of order.entries()) {
    largest = Math.max(largest, Math.min(1, values[index] * (values.length - rank)));
    corrected[index] = largest;
  }
  return corrected;
}
