const smallest = 1e-4;

/**
 * Returns the factors of AWQ for one ratio r: `t = max(a^r, 1e-4)`, or with weight statistics
 * `t = max(a^r / (w̄^(1−r) + 1e-4), 1e-4)`; then `t ← t / √(max t · min t)`. Channels whose factor
 * is not a finite positive number get 1.
 *
 * @param activations mean |x| of each channel
 * @param weights mean relative size w̄ of each channel's weights; null leaves them out
 */
export function activationFactors(
  activations: Float32Array,
  ratio: number,
  weights: Float32Array | null = null,
): Float32Array {
  const factors = Float64Array.from(activations, (activation, j) => {
    const factor = activation ** ratio;
    const divisor = weights ? weights[j] ** (1 - ratio) + smallest : 1;
    return Math.max(factor / divisor, smallest);
  });
  let [least, most] = [Infinity, 0];
  for (const factor of factors) {
    least = Math.min(least, factor);
    most = Math.max(most, factor);
  }
  const middle = Math.sqrt(most * least);
  return Float32Array.from(factors, (factor) => {
    const scaled = factor / middle;
    return Number.isFinite(scaled) && scaled > 0 ? scaled : 1;
  });
}

/**
 * Returns for each column the mean over the rows of several matrices of
 * `|w| / (max|w| of its group + 1e-6)` (AutoAWQ's weight statistic).
 *
 * @param matrices weights `[out, columns]` of all consumers
 */
export function relativeWeights(
  matrices: readonly Float32Array[],
  columns: number,
  groupSize: number | null,
): Float32Array {
  const sums = new Float64Array(columns);
  let rows = 0;
  const size = groupSize ?? columns;
  for (const matrix of matrices) {
    rows += matrix.length / columns;
    for (let row = 0; row < matrix.length; row += columns) {
      for (let start = 0; start < columns; start += size) {
        const end = Math.min(columns, start + size);
        let largest = 0;
        for (let j = start; j < end; j++) largest = Math.max(largest, Math.abs(matrix[row + j]));
        for (let j = start; j < end; j++) sums[j] += Math.abs(matrix[row + j]) / (largest + 1e-6);
      }
    }
  }
  return Float32Array.from(sums, (sum) => sum / Math.max(1, rows));
}
