import type { Storage, TensorView } from "../../backend/kernels.ts";
import type { DType, TypedArray } from "../../tensor/dtype.ts";
import { elementCount, formatShape, type Shape } from "../../tensor/shape.ts";
import { ShapeError, UnsupportedError } from "../../util/errors.ts";

/** Name of a number of the call, or a number. */
export type Axis = string | number;

/** A view as C may get it. */
export interface BufferRule<A extends Axis, IsOptional extends boolean> {
  /** Name for messages. */
  readonly name: string;
  /** What it may hold; none stands for anything. */
  readonly dtypes: readonly DType[];
  /** Axes whose product is the number of its elements. */
  readonly axes: readonly A[];
  /** Whether the shape must be the axes one by one. */
  readonly isExact: boolean;
  /** Whether the view may be absent; C gets NULL then. */
  readonly isOptional: IsOptional;
}

/** Makes a rule from a name and the axes whose product is the number of elements. */
type RuleMaker = <const Axes extends readonly Axis[]>(
  name: string,
  ...axes: Axes
) => BufferRule<Axes[number], false>;

/** Returns what makes rules for views that hold one of these dtypes. */
export function viewOf(...dtypes: readonly DType[]): RuleMaker {
  return (name, ...axes) => ({ name, dtypes, axes, isExact: false, isOptional: false });
}

/** Makes rules for float32. */
export const f32: RuleMaker = viewOf("f32");
/** Makes rules for float64. */
export const f64: RuleMaker = viewOf("f64");
/** Makes rules for int32. */
export const i32: RuleMaker = viewOf("i32");
/** Makes rules for bytes. */
export const u8: RuleMaker = viewOf("u8");

/** The rule for a view that may be absent. */
export function optional<A extends Axis>(rule: BufferRule<A, false>): BufferRule<A, true> {
  return { ...rule, isOptional: true };
}

/** The rule for a view whose shape is the axes, one by one. */
export function exact<A extends Axis>(rule: BufferRule<A, false>): BufferRule<A, false> {
  return { ...rule, isExact: true };
}

/** The rule for float32 rows and columns, whatever the leading axes are. */
export function f32Matrix(name: string): BufferRule<"rows" | "columns", false> {
  return f32(name, "rows", "columns");
}

/** The rule for one float32 number a group of a weight. */
export function f32Groups(name: string): BufferRule<"rows" | "groups", false> {
  return exact(f32(name, "rows", "groups"));
}

/** A rule that knows where the numbers of a call stand among its values. */
export interface PlacedRule {
  /** Names of the kernel and the view, for messages. */
  readonly what: string;
  readonly dtypes: readonly DType[];
  readonly isExact: boolean;
  readonly isOptional: boolean;
  /** For each axis where its length stands; −1 where `fixed` is the length. */
  readonly places: readonly number[];
  readonly fixed: readonly number[];
}

/** Finds the numbers that a rule names; the first of `names` stands at `start`. */
export function placeRule(
  kernel: string,
  { name, dtypes, axes, isExact, isOptional }: BufferRule<Axis, boolean>,
  names: readonly string[],
  start: number,
): PlacedRule {
  const places = axes.map((axis) => (typeof axis === "number" ? -1 : start + names.indexOf(axis)));
  const fixed = axes.map((axis) => (typeof axis === "number" ? axis : 0));
  return { what: `${kernel} ${name}`, dtypes, isExact, isOptional, places, fixed };
}

/**
 * Returns the typed array of a view after checking what C relies on.
 * @throws UnsupportedError for another dtype
 * @throws ShapeError for another shape, or an array of another length than the shape
 */
export function storageOf(
  rule: PlacedRule,
  { dtype, shape, storage }: TensorView,
  values: readonly unknown[],
): Storage {
  const { what, dtypes, isExact, places, fixed } = rule;
  if (dtypes.length > 0) expectDType(what, dtype, dtypes);
  let fits = !isExact || shape.length === places.length;
  let expected = 1;
  for (let i = 0; i < places.length; i++) {
    const length = places[i] < 0 ? fixed[i] : (values[places[i]] as number);
    if (isExact && shape[i] !== length) fits = false;
    expected *= length;
  }
  const count = elementCount(shape);
  if (!fits || count !== expected) throw shapeFault(rule, shape, values);
  const { length } = storage as TypedArray;
  if (length === count) return storage;
  throw new ShapeError(
    `${what}: expected ${count} elements for shape ${formatShape(shape)}, got ${length}`,
  );
}

/** @throws UnsupportedError for a dtype that is none of these */
export function expectDType(what: string, dtype: DType, dtypes: readonly DType[]): void {
  if (dtype === dtypes[0] || dtypes.includes(dtype)) return;
  throw new UnsupportedError(`${what}: expected ${dtypes.join(" or ")}, got ${dtype}`);
}

/** Returns the number of elements of a view. */
export function countOf({ shape }: TensorView): number {
  return elementCount(shape);
}

/** Returns the length of the last axis of a view. */
export function columnsOf({ shape }: TensorView): number {
  return shape.at(-1) ?? 1;
}

/** Returns the product of the axes before the last. */
export function rowsOf(view: TensorView): number {
  const columns = columnsOf(view);
  return columns === 0 ? 0 : countOf(view) / columns;
}

/** Returns the number that C knows the dtype of a view by (`native/ops/dtype.h`). */
export function dtypeCode({ dtype }: TensorView): number {
  return dtypeCodes[dtype] ?? -1;
}

const dtypeCodes: { readonly [K in DType]?: number } = {
  f32: 0,
  f16: 1,
  bf16: 2,
  f64: 3,
  i8: 4,
  u8: 5,
};

function shapeFault(rule: PlacedRule, shape: Shape, values: readonly unknown[]): ShapeError {
  const lengths = rule.places.map((place, i) =>
    place < 0 ? rule.fixed[i] : (values[place] as number),
  );
  const expected = rule.isExact
    ? `shape ${formatShape(lengths)}`
    : `${lengths.join(" × ")} elements`;
  return new ShapeError(`${rule.what}: expected ${expected}, got shape ${formatShape(shape)}`);
}
