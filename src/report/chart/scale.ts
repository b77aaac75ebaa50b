/** How values become positions along an axis. */
export interface Scale {
  /** Position of a value on the page, in pixels. */
  readonly position: (value: number) => number;
  /** Values that get a line and a number, in ascending order. */
  readonly ticks: readonly number[];
}

/** Positions of the ends of an axis, in pixels: of the smallest and of the largest value. */
export type Range = readonly [low: number, high: number];

/** Makes a linear scale that holds all values, with some room and ticks at round numbers. */
export function linearScale(values: readonly number[], range: Range, mostTicks: number = 7): Scale {
  const [low, high] = extent(values);
  const room = 0.06 * (high - low);
  const ends = [low - room, high + room] as const;
  return { position: interpolate(ends, range), ticks: roundTicks(...ends, mostTicks) };
}

/**
 * Makes a logarithmic scale that holds all positive values, with a little room at both ends and
 * ticks at round multiples of powers of ten, the fewer the more powers there are; over less than
 * half a power at round numbers.
 */
export function logScale(values: readonly number[], range: Range): Scale {
  const [low, high] = extent(values.filter((value) => value > 0 && Number.isFinite(value)));
  const room = Math.max((Math.log10(high) - Math.log10(low)) * 0.08, 0.004);
  const ends = [Math.log10(low) - room, Math.log10(high) + room] as const;
  const place = interpolate(ends, range);
  return { position: (value) => place(Math.log10(value)), ticks: logTicks(...ends) };
}

/**
 * Chooses round numbers for an axis over [low, high]: multiples of 1, 2 or 5 times a power of ten,
 * at most `most` of them, all inside the range. Empty for an empty range.
 */
export function roundTicks(low: number, high: number, most: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [];
  const rough = span / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  // Multiplied, not summed up, and cut to the digits of the step: 0.3, not 0.30000000000000004.
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toFixed(digits)),
  );
}

function logTicks(low: number, high: number): number[] {
  const span = high - low;
  if (span < 0.5) return roundTicks(10 ** low, 10 ** high, 6);
  const factors = span > 4 ? [1] : span > 1.3 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 6, 8];
  const every = Math.max(1, Math.ceil(span / mostPowers));
  const first = every * Math.floor(low / every);
  const powers = Array.from(
    { length: Math.ceil((high - first) / every) + 1 },
    (_, index) => first + every * index,
  );
  return powers
    .flatMap((power) => factors.map((factor) => rounded(factor * 10 ** power)))
    .filter((tick) => Math.log10(tick) >= low && Math.log10(tick) <= high);
}

/** Most powers of ten that an axis shows. */
const mostPowers = 9;

/** Smallest and largest finite value, widened on both sides where they are equal. */
function extent(values: readonly number[]): readonly [number, number] {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return [0.1, 1];
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  if (low < high) return [low, high];
  return low === 0 ? [0, 1] : [low - 0.05 * Math.abs(low), low + 0.05 * Math.abs(low)];
}

function interpolate(domain: Range, range: Range): (value: number) => number {
  const [low, high] = domain;
  return (value) => range[0] + ((value - low) / (high - low)) * (range[1] - range[0]);
}

/** Removes the rounding noise of binary fractions. */
function rounded(value: number): number {
  return Number(value.toPrecision(12));
}
