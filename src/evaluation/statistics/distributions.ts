/*
 * The two distributions that intervals and p values need. Written for clarity: they are evaluated a
 * few times a figure, never in a loop over draws.
 */

/** Above this many degrees of freedom Student's distribution is taken to be the normal one. */
const normalFrom = 1000;
const simpsonSteps = 400;

/** Returns the probability that a standard normal variable exceeds `x`; exact far into the tail. */
export function normalTail(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  if (x < 0) return 1 - normalTail(-x);
  if (x === Number.POSITIVE_INFINITY) return 0;
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  if (x < 2.5) {
    // Φ(x) − ½ = φ(x) · (x + x³/3 + x⁵/(3·5) + …)
    let term = x;
    let sum = x;
    for (let k = 3; Math.abs(term) > 1e-17 * sum; k += 2) {
      term *= (x * x) / k;
      sum += term;
    }
    return 0.5 - density * sum;
  }
  // Laplace's continued fraction of Mills' ratio: 1 / (x + 1 / (x + 2 / (x + 3 / …)))
  let fraction = x;
  for (let k = 120; k >= 1; k--) fraction = x + k / fraction;
  return density / fraction;
}

/** Returns the `x` that a standard normal variable exceeds with probability `tail`, in (0, 1). */
export function normalQuantile(tail: number): number {
  return bisect(-40, 40, (x) => normalTail(x) > tail);
}

/**
 * Returns the `t` that Student's variable exceeds with probability `tail`, in (0, 0.5].
 * @param freedom degrees of freedom, at least 1; need not be whole
 */
export function studentQuantile(tail: number, freedom: number): number {
  if (freedom > normalFrom) return normalQuantile(tail);
  // With t = √ν · tan θ the density becomes cos^(ν−1) θ, which needs no gamma function.
  const mass = (to: number): number => integrateCosinePower(to, freedom - 1);
  const half = mass(Math.PI / 2);
  const angle = bisect(0, Math.PI / 2, (theta) => 0.5 - mass(theta) / (2 * half) > tail);
  return Math.sqrt(freedom) * Math.tan(angle);
}

/** Simpson's rule for `∫ cos^power` from 0 to `to`. */
function integrateCosinePower(to: number, power: number): number {
  const step = to / simpsonSteps;
  const at = (i: number): number => Math.max(0, Math.cos(i * step)) ** power;
  let sum = at(0) + at(simpsonSteps);
  for (let i = 1; i < simpsonSteps; i++) sum += (i % 2 === 1 ? 4 : 2) * at(i);
  return (sum * step) / 3;
}

/** Finds where `above` turns from true to false between `low` and `high`. */
function bisect(low: number, high: number, above: (x: number) => boolean): number {
  let from = low;
  let to = high;
  for (let i = 0; i < 50; i++) {
    const middle = (from + to) / 2;
    if (above(middle)) from = middle;
    else to = middle;
  }
  return (from + to) / 2;
}
