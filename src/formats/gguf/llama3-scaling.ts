/** What Llama 3 scales rotations by, with the names of config.json. */
export interface Llama3Scaling {
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

/** Difference of a factor and the computed one, relative; converters compute in float32. */
const tolerance = 1e-4;

/**
 * Finds the scaling whose factors these are. Wavelengths below `original / high` stay, those above
 * `original / low` are divided by `factor`, and between them it changes steadily:
 * `1 / f = (1 − s) / factor + s` with `s = (original / wavelength − low) / (high − low)`. Only the
 * ratios of original, low and high show in the factors; low is taken to be 1, as in all models of
 * Meta, and where the original context is then no whole number, larger.
 * Source: `LlamaModel.generate_extra_tensors` of llama.cpp's converter.
 * @param factors divisors of the frequencies `theta^(−2i/d)`, d/2 of them
 * @returns null when no such scaling gives these factors
 */
export function fitLlama3Scaling(factors: Float32Array, theta: number): Llama3Scaling | null {
  const factor = Math.round(factors.reduce((most, value) => Math.max(most, value), 1) * 1e4) / 1e4;
  const usual = { factor, low_freq_factor: 1, high_freq_factor: 4 };
  for (let exponent = 4; exponent <= 24; exponent++) {
    const found = { ...usual, original_max_position_embeddings: 2 ** exponent };
    if (gives(found, factors, theta)) return found;
  }
  const line = fitLine(factors, theta, factor);
  if (!line) return null;
  for (let low = 1; low <= 16; low += 0.5) {
    const original = Math.round((low * line.original) / line.low);
    const high = Math.round(1e4 * (low + low / line.low)) / 1e4;
    const found = {
      factor,
      low_freq_factor: low,
      high_freq_factor: high,
      original_max_position_embeddings: original,
    };
    if (gives(found, factors, theta)) return found;
  }
  return null;
}

/** Computes the divisors of a scaling. */
function llama3Factors(scaling: Llama3Scaling, theta: number, count: number): number[] {
  const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
  const original = scaling.original_max_position_embeddings;
  return Array.from({ length: count }, (_, i) => {
    const wavelength = wavelengthOf(i, theta, count);
    if (wavelength < original / high) return 1;
    if (wavelength > original / low) return factor;
    const share = (original / wavelength - low) / (high - low);
    return 1 / ((1 - share) / factor + share);
  });
}

function wavelengthOf(index: number, theta: number, count: number): number {
  return 2 * Math.PI * theta ** (index / count);
}

function gives(scaling: Llama3Scaling, factors: Float32Array, theta: number): boolean {
  const computed = llama3Factors(scaling, theta, factors.length);
  return computed.every((value, i) => Math.abs(value / factors[i] - 1) <= tolerance);
}

/**
 * Fits `s = original' / wavelength − low'`, with `original' = original / (high − low)` and so on, to
 * the factors between 1 and the largest; null where they are too few.
 */
function fitLine(
  factors: Float32Array,
  theta: number,
  factor: number,
): { original: number; low: number } | null {
  const points: [x: number, y: number][] = [];
  factors.forEach((value, i) => {
    if (value <= 1 + tolerance || value >= factor * (1 - tolerance)) return;
    const share = (1 / value - 1 / factor) / (1 - 1 / factor);
    points.push([1 / wavelengthOf(i, theta, factors.length), share]);
  });
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last || first[0] === last[0]) return null;
  const original = (first[1] - last[1]) / (first[0] - last[0]);
  const low = original * first[0] - first[1];
  return original > 0 && low > 0 ? { original, low } : null;
}
