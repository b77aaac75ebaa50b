import { type GgmlType, ggmlRowBytes, ggmlTypeNamed } from "../../../formats/gguf/gguf-types.ts";
import type { MappingKind } from "../../../quant/blocks/mapping/block-mapping.ts";
import { blockFormats } from "../../../quant/blocks/index.ts";
import { UnsupportedError } from "../../../util/errors.ts";
import type { ModelTensor } from "./list-tensors.ts";
import { mappingKind } from "./mapping-kind.ts";
import type { TensorRows } from "./tensor-rows.ts";
import { fittingType, floatTypes, type TypeRule } from "./type-rule.ts";

/** What a tensor becomes. */
export interface TypeDecision {
  readonly type: GgmlType;
  /** What becomes of its weights; floats keep their values where `exact`. */
  readonly kind: MappingKind;
  /** Why it is not of the type that was asked for, or what it lost; null otherwise. */
  readonly note: string | null;
}

/** Types that not every backend of llama.cpp computes: no default. */
const notEverywhere: ReadonlySet<string> = new Set(["tq1_0", "tq2_0", "q2_0"]);

const bitsOf = ({ bytes, columns }: GgmlType): number => (8 * bytes) / columns;

/** All types that weights are written in, the smallest first. */
const writable: readonly GgmlType[] = [...blockFormats.map(({ id }) => id), ...floatTypes]
  .map(namedType)
  .toSorted((a, b) => bitsOf(a) - bitsOf(b));

/** Types to choose from where none is asked for, the smallest first. */
const everywhere = writable.filter(({ name }) => !notEverywhere.has(name));

/** Decides what vectors and float matrices become: what they are, or what was asked for. */
export function decideFloats(tensor: ModelTensor, rule: TypeRule | null): TypeDecision {
  const stored = typeOfFloats(tensor);
  const asked = tensor.role === "vector" ? namedType("f32") : (rule?.typeOf(tensor) ?? stored);
  const type = fittingType(asked, tensor.shape.at(-1) ?? 1);
  const isWidened = type.name === "f32" || type.name === tensor.dtype;
  const kind = isWidened && tensor.dtype !== "f64" ? "exact" : "impossible";
  return { type, kind, note: type === asked ? null : fallbackNote(asked, tensor) };
}

function typeOfFloats({ dtype, source }: ModelTensor): GgmlType {
  if (dtype === "f16" || dtype === "bf16") return namedType(dtype);
  if (dtype === "f32" || dtype === "f64") return namedType("f32");
  throw new UnsupportedError(`tensor ${source} is ${dtype ?? "packed"}: weights must be floats`);
}

/** Decides what a packed weight becomes. @throws UnsupportedError where nothing holds it exactly */
export function decidePacked(
  tensor: ModelTensor,
  rows: TensorRows,
  rule: TypeRule | null,
  requantize: boolean,
): TypeDecision | ExactnessFault {
  const asked = rule?.typeOf(tensor) ?? null;
  if (asked === null) return decideFreely(tensor, rows, requantize);
  const columns = tensor.shape.at(-1) ?? 1;
  const type = fittingType(asked, columns);
  const note = type === asked ? null : fallbackNote(asked, tensor);
  const kind = mappingKind(rows, type);
  if (kind === "exact" || requantize) return { type, kind, note };
  const exact = exactTypes(rows, columns, writable);
  // Where rows are no whole blocks, nobody asked for the type that llama.cpp takes then.
  const [other] = type === asked ? [] : exact.filter(({ name }) => !notEverywhere.has(name));
  if (other) return { type: other, kind: "exact", note: fallbackNote(asked, tensor) };
  return { tensor, type, kind, exact };
}

function decideFreely(
  tensor: ModelTensor,
  rows: TensorRows,
  requantize: boolean,
): TypeDecision | ExactnessFault {
  const columns = tensor.shape.at(-1) ?? 1;
  const own = ggmlTypeNamed(rows.packed?.scheme.blocks?.id ?? "");
  if (own) return { type: own, kind: "exact", note: null };
  const blocks = everywhere.filter(({ kind }) => kind === "blocks");
  const fitting = blocks.filter((type) => ggmlRowBytes(type, columns) !== null);
  const [exact] = exactTypes(rows, columns, fitting.length > 0 ? fitting : everywhere);
  if (exact) {
    const note = fitting.length > 0 ? null : `rows of ${columns} columns fit no blocks`;
    return { type: exact, kind: "exact", note };
  }
  const near = fitting.find((type) => mappingKind(rows, type) === "rounded");
  const type = near ?? fittingType(namedType("q8_0"), columns);
  const kind = near ? "rounded" : "impossible";
  if (requantize) return { type, kind, note: null };
  return { tensor, type, kind, exact: exactTypes(rows, columns, writable) };
}

/** A packed weight that the type it should have does not hold exactly. */
export interface ExactnessFault {
  readonly tensor: ModelTensor;
  readonly type: GgmlType;
  readonly kind: MappingKind;
  /** Types that hold it exactly, the smallest first. */
  readonly exact: readonly GgmlType[];
}

function exactTypes(
  rows: TensorRows,
  columns: number,
  types: readonly GgmlType[],
): readonly GgmlType[] {
  const fitting = types.filter((type) => ggmlRowBytes(type, columns) !== null);
  return fitting.filter((type) => mappingKind(rows, type) === "exact");
}

/** Says of all weights that cannot be exact how many there are, and what is exact. */
export function refuseInexact(faults: readonly ExactnessFault[]): UnsupportedError {
  const [{ tensor, type, kind, exact }] = faults;
  const scheme = tensor.packed?.scheme.id ?? "";
  const many = faults.length === 1 ? "" : ` (and ${faults.length - 1} more like it)`;
  const why =
    kind === "rounded"
      ? `its scales or offsets would have to be rounded to float16`
      : `its codes would have to be chosen anew`;
  const shared = exact.filter(({ name }) =>
    faults.every((fault) => fault.exact.some((other) => other.name === name)),
  );
  const names = shared.map(({ name }) => name).join(", ");
  return new UnsupportedError(
    `${type.name} does not hold ${tensor.source} of the scheme ${scheme} exactly${many}: ${why}`,
    {
      hint:
        `${names ? `exact are \`type: ${names}\`; or ` : ""}round it with \`requantize\`, ` +
        "which measures what that costs",
      field: "type",
      value: type.name,
    },
  );
}

function fallbackNote(asked: GgmlType, { shape }: ModelTensor): string {
  return `rows of ${shape.at(-1)} columns are no whole blocks of ${asked.columns} (${asked.name})`;
}

function namedType(name: string): GgmlType {
  const type = ggmlTypeNamed(name);
  if (!type) throw new UnsupportedError(`ggml has no type ${name}`);
  return type;
}
