/** `y = factor · x^exponent`. */
export interface PowerLaw {
  readonly exponent: number;
  /** Smallest and largest exponent when one of the points is left out. */
  readonly range: readonly [number, number];
  readonly factor: number;
}

/** A pair of positive numbers. */
export type Pair = readonly [x: number, y: number];

/** Fits a power law by least squares of the logarithms; it takes three points at least. */
export function fitPowerLaw(points: readonly Pair[]): PowerLaw {
  const { exponent, factor } = fitLine(points);
  const others = points.map((_, left) => fitLine(points.filter((__, i) => i !== left)).exponent);
  return { exponent, factor, range: [Math.min(...others), Math.max(...others)] };
}

function fitLine(points: readonly Pair[]): Omit<PowerLaw, "range"> {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(logs.map((pair) => pair[0])), mean(logs.map((pair) => pair[1]))];
  const exponent =
    mean(logs.map((pair) => (pair[0] - x) * (pair[1] - y))) /
    mean(logs.map((pair) => (pair[0] - x) ** 2));
  return { exponent, factor: Math.exp(y - exponent * x) };
}
