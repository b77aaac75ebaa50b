import { NumericError } from "./errors.ts";
import { countNonFiniteBits, floatsToHalves } from "./half.ts";

/** What an error says of values that are too large, and the way out. */
export interface HalvesSubject {
  /** What the values are, such as `tensor lm_head.weight`. */
  readonly what: string;
  readonly hint: string;
  /** The field that asked for float16, and what it was. */
  readonly field?: string;
  readonly value?: unknown;
}

/**
 * Rounds float32 values to float16 bit patterns.
 * @throws NumericError where one is finite and beyond the range of float16
 */
export function fitHalves(values: Float32Array, subject: HalvesSubject): Uint16Array {
  const halves = floatsToHalves(values);
  expectFit(halves, values, subject);
  return halves;
}

/**
 * Makes sure that float32 values stayed finite as the float16 bits that they were rounded to.
 * @throws NumericError where one is finite and beyond the range of float16
 */
export function expectFit(
  halves: Uint16Array,
  values: Float32Array,
  { what, ...rest }: HalvesSubject,
): void {
  if (countNonFiniteBits(halves, 0x7c00) === 0) return;
  let largest = 0;
  let overflows = false;
  for (const [i, value] of values.entries()) {
    if (!Number.isFinite(value)) continue;
    largest = Math.max(largest, Math.abs(value));
    overflows ||= (halves[i] & 0x7c00) === 0x7c00;
  }
  if (!overflows) return;
  throw new NumericError(
    `${what} reach ${largest.toPrecision(3)} and do not fit into float16, whose largest value ` +
      "is 65504",
    rest,
  );
}
