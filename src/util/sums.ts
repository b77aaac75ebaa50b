/*
 * Float32 arrays, which are the long ones, have loops of their own: one that has met arrays of many
 * kinds takes several times as long.
 */

/** `Σ x` */
export function sum(values: ArrayLike<number>): number {
  let total = 0;
  if (values instanceof Float32Array) {
    for (let i = 0; i < values.length; i++) total += values[i];
    return total;
  }
  for (let i = 0; i < values.length; i++) total += values[i];
  return total;
}

/** `Σ x / n` */
export function meanOf(values: ArrayLike<number>): number {
  return sum(values) / values.length;
}

/** `Σ x²` */
export function squaredNorm(values: ArrayLike<number>): number {
  let total = 0;
  if (values instanceof Float32Array) {
    for (let i = 0; i < values.length; i++) total += values[i] * values[i];
    return total;
  }
  for (let i = 0; i < values.length; i++) total += values[i] * values[i];
  return total;
}

/** `Σ (a − b)²` */
export function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  if (a instanceof Float32Array && b instanceof Float32Array) {
    for (let i = 0; i < a.length; i++) total += (a[i] - b[i]) ** 2;
    return total;
  }
  for (let i = 0; i < a.length; i++) total += (a[i] - b[i]) ** 2;
  return total;
}
