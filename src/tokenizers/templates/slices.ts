import { fail } from "./failure.ts";
import type { Meter } from "./limits.ts";
import { pointsOf } from "./text.ts";
import {
  isNarrow,
  List,
  Markup,
  Range,
  Sequence,
  textOf,
  Tuple,
  typeName,
  type Value,
} from "./values.ts";

/** Start, stop and step of a slice; null: not given. */
export interface Bounds {
  readonly start: Value;
  readonly stop: Value;
  readonly step: Value;
}

function boundOf(value: Value): bigint | null {
  if (value === null || typeof value === "bigint") return value;
  if (typeof value === "boolean") return value ? 1n : 0n;
  return fail("TypeError", "slice indices must be integers or None");
}

const clamp = (value: bigint, low: bigint, high: bigint): number =>
  Number(value < low ? low : value > high ? high : value);

/** Places that a slice of `size` items takes, in its order. */
function placesOf(
  { start, stop, step }: Bounds,
  size: number,
): { from: number; step: number; count: number } {
  const stride = boundOf(step) ?? 1n;
  if (stride === 0n) fail("ValueError", "slice step cannot be zero");
  const length = BigInt(size);
  const [low, high] = stride > 0n ? [0n, length] : [-1n, length - 1n];
  const place = (bound: Value, otherwise: bigint): number => {
    const given = boundOf(bound);
    if (given === null) return Number(otherwise);
    return clamp(given < 0n ? given + length : given, low, high);
  };
  const from = place(start, stride > 0n ? 0n : length - 1n);
  const to = place(stop, stride > 0n ? length : -1n);
  const width = clamp(stride, -BigInt(size) - 1n, BigInt(size) + 1n);
  const count = Math.max(0, Math.ceil((to - from) / width));
  return { from, step: width, count };
}

function take<T>(items: ArrayLike<T>, bounds: Bounds): T[] {
  const { from, step, count } = placesOf(bounds, items.length);
  return Array.from({ length: count }, (_, i) => items[from + i * step]);
}

function sliceText(text: string, bounds: Bounds): string {
  if (!isNarrow(text)) return take(pointsOf(text), bounds).join("");
  const { from, step, count } = placesOf(bounds, text.length);
  return step === 1 ? text.slice(from, from + count) : take(text, bounds).join("");
}

/**
 * Returns `value[start:stop:step]`.
 * @throws TemplateFailure for values without a slice and for bounds that are no ints
 */
export function sliceValue(value: Value, bounds: Bounds, meter: Meter): Value {
  const text = textOf(value);
  if (text !== undefined) {
    if (isNarrow(text) && bounds.step === null) meter.take(text.length);
    else meter.parts(text.length);
    const cut = sliceText(text, bounds);
    return value instanceof Markup ? new Markup(cut) : cut;
  }
  if (value instanceof Sequence) {
    meter.take(8 * value.items.length);
    const items = take(value.items, bounds);
    return value instanceof Tuple ? new Tuple(items) : new List(items);
  }
  if (value instanceof Range) {
    const { from, step, count } = placesOf(bounds, value.count);
    const stride = value.step * BigInt(step);
    const start = value.start + BigInt(from) * value.step;
    return new Range(start, start + BigInt(count) * stride, stride);
  }
  return fail("TypeError", `'${typeName(value)}' object is not subscriptable`);
}

/**
 * Returns the item at an index of a text, list, tuple or range, counted from the end if it is
 * negative; undefined where there is none or `value` has no indices.
 */
export function itemAt(value: Value, index: bigint, meter: Meter): Value | undefined {
  const text = textOf(value);
  if (text !== undefined) {
    const narrow = isNarrow(text);
    if (narrow) meter.take(text.length);
    else meter.parts(text.length);
    const points = narrow ? text : pointsOf(text);
    const place = index < 0n ? index + BigInt(points.length) : index;
    if (place < 0n || place >= BigInt(points.length)) return undefined;
    const point = points[Number(place)];
    return value instanceof Markup ? new Markup(point) : point;
  }
  const size =
    value instanceof Sequence ? value.items.length : value instanceof Range ? value.count : 0;
  const place = index < 0n ? index + BigInt(size) : index;
  if (place < 0n || place >= BigInt(size)) return undefined;
  if (value instanceof Range) return value.at(Number(place));
  return value instanceof Sequence ? value.items[Number(place)] : undefined;
}
