import { type GgmlType, ggmlRowBytes, ggmlTypeNamed } from "../../../formats/gguf/gguf-types.ts";
import type { MappingKind } from "../../../quant/blocks/mapping/block-mapping.ts";
import { blockFormats } from "../../../quant/blocks/index.ts";
import { UnsupportedError } from "../../../util/errors.ts";
import type { ModelTensor, SourceTensor } from "./list-tensors.ts";
import { mappingKind } from "./mapping-kind.ts";
import type { TensorRows } from "./tensor-rows.ts";
import { fittingType, floatTypes, type TypeRule } from "./type-rule.ts";

/** What a tensor becomes. */
export interface TypeDecision {
  readonly type: GgmlType;
  /** What becomes of its weights, of a stack at worst; floats keep their values where `exact`. */
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
  const isExact = tensor.parts.every((part) => floatKind(part, type) === "exact");
  const kind = isExact ? "exact" : "impossible";
  return { type, kind, note: type === asked ? null : fallbackNote(asked, tensor) };
}

/** What floats are written as when nothing else is asked for: as they are; float32 if they differ. */
function typeOfFloats({ parts }: ModelTensor): GgmlType {
  const dtypes = new Set(parts.map(({ dtype }) => dtype));
  for (const { dtype, source } of parts) {
    if (dtype !== null && /^(?:bf16|f16|f32|f64)$/.test(dtype)) continue;
    throw new UnsupportedError(`tensor ${source} is ${dtype ?? "packed"}: weights must be floats`);
  }
  const [dtype] = dtypes;
  return namedType(dtypes.size === 1 && dtype && dtype !== "f64" ? dtype : "f32");
}

/** What becomes of floats in a type. */
function floatKind({ dtype }: SourceTensor, { name }: GgmlType): MappingKind {
  return dtype !== "f64" && (name === "f32" || name === dtype) ? "exact" : "impossible";
}

/** Opens the weight of a packed module. */
export type OpenPacked = (part: SourceTensor) => Promise<TensorRows>;

/** Decides what packed weights become; those of a stack have one type, which is to hold all. */
export async function decidePacked(
  tensor: ModelTensor,
  open: OpenPacked,
  rule: TypeRule | null,
  requantize: boolean,
): Promise<TypeDecision | ExactnessFault> {
  const asked = rule?.typeOf(tensor) ?? null;
  if (asked === null) return decideFreely(tensor, open, requantize);
  const columns = tensor.shape.at(-1) ?? 1;
  const type = fittingType(asked, columns);
  const note = type === asked ? null : fallbackNote(asked, tensor);
  const [kind] = (await kindsOf(tensor, open, [type])).values();
  if (kind === "exact" || requantize) return { type, kind, note };
  const exact = await exactTypes(tensor, open, writable);
  // Where rows are no whole blocks, nobody asked for the type that llama.cpp takes then.
  const [other] = type === asked ? [] : exact.filter(({ name }) => !notEverywhere.has(name));
  if (other) return { type: other, kind: "exact", note: fallbackNote(asked, tensor) };
  return { tensor, type, kind, exact };
}

async function decideFreely(
  tensor: ModelTensor,
  open: OpenPacked,
  requantize: boolean,
): Promise<TypeDecision | ExactnessFault> {
  const own = commonBlocks(tensor);
  if (own) return { type: own, kind: "exact", note: null };
  const columns = tensor.shape.at(-1) ?? 1;
  const blocks = everywhere.filter(({ kind }) => kind === "blocks");
  const fitting = blocks.filter((type) => ggmlRowBytes(type, columns) !== null);
  const kinds = await kindsOf(tensor, open, fitting.length > 0 ? fitting : everywhere);
  const first = (wanted: MappingKind): GgmlType | undefined =>
    [...kinds].find(([, kind]) => kind === wanted)?.[0];
  const exact = first("exact");
  if (exact) {
    const note = fitting.length > 0 ? null : `rows of ${columns} columns fit no blocks`;
    return { type: exact, kind: "exact", note };
  }
  const near = fitting.length > 0 ? first("rounded") : undefined;
  const type = near ?? fittingType(namedType("q8_0"), columns);
  const kind = near ? "rounded" : "impossible";
  if (requantize) return { type, kind, note: null };
  return { tensor, type, kind, exact: await exactTypes(tensor, open, writable) };
}

/** The type whose blocks all weights of a tensor have; undefined where there is none. */
function commonBlocks({ parts }: ModelTensor): GgmlType | undefined {
  const [first] = parts;
  const id = first.packed?.scheme.blocks?.id;
  const isCommon = parts.every(({ packed }) => packed?.scheme.blocks?.id === id);
  return id !== undefined && isCommon ? ggmlTypeNamed(id) : undefined;
}

/**
 * Says what becomes of a tensor in each of some types: of a stack, what becomes of the matrix that
 * fares worst. Matrices are opened one after the other.
 */
async function kindsOf(
  { parts }: ModelTensor,
  open: OpenPacked,
  types: readonly GgmlType[],
): Promise<Map<GgmlType, MappingKind>> {
  const kinds = new Map<GgmlType, MappingKind>(types.map((type) => [type, "exact"]));
  let last: TensorRows | null = null;
  for (const part of parts) {
    const rows: TensorRows | null = part.packed ? await open(part) : null;
    // Samples of layers that are alike are one and the same.
    if (rows && rows === last) continue;
    last = rows;
    for (const [type, kind] of kinds) {
      if (kind === "impossible") continue;
      const own = rows ? mappingKind(rows, type) : floatKind(part, type);
      if (own !== "exact" && kind !== own) kinds.set(type, own);
    }
  }
  return kinds;
}

/** A packed weight that the type it should have does not hold exactly. */
export interface ExactnessFault {
  readonly tensor: ModelTensor;
  readonly type: GgmlType;
  readonly kind: MappingKind;
  /** Types that hold it exactly, the smallest first. */
  readonly exact: readonly GgmlType[];
}

async function exactTypes(
  tensor: ModelTensor,
  open: OpenPacked,
  types: readonly GgmlType[],
): Promise<readonly GgmlType[]> {
  const columns = tensor.shape.at(-1) ?? 1;
  const fitting = types.filter((type) => ggmlRowBytes(type, columns) !== null);
  const kinds = await kindsOf(tensor, open, fitting);
  return fitting.filter((type) => kinds.get(type) === "exact");
}

/** Says of all weights that cannot be exact how many there are, and what is exact. */
export function refuseInexact(faults: readonly ExactnessFault[]): UnsupportedError {
  const [{ tensor, type, kind, exact }] = faults;
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
    `${type.name} does not hold ${describe(tensor)} exactly${many}: ${why}`,
    {
      hint:
        `${names ? `exact are \`type: ${names}\`; or ` : ""}round it with \`requantize\`, ` +
        "which measures what that costs",
      field: "type",
      value: type.name,
    },
  );
}

/** Names a packed weight, or a stack of them, with the schemes that it has. */
function describe({ name, parts }: ModelTensor): string {
  const [{ source }] = parts;
  const schemes = [...new Set(parts.map(({ packed }) => packed?.scheme.id ?? "floats"))];
  if (parts.length === 1) return `${source} of the scheme ${schemes[0]}`;
  const how =
    schemes.length === 1 ? `the scheme ${schemes[0]}` : `the schemes ${schemes.join(", ")}`;
  return `${name}, one type for ${parts.length} experts of ${how},`;
}

function fallbackNote(asked: GgmlType, { shape }: ModelTensor): string {
  return `rows of ${shape.at(-1)} columns are no whole blocks of ${asked.columns} (${asked.name})`;
}

function namedType(name: string): GgmlType {
  const type = ggmlTypeNamed(name);
  if (!type) throw new UnsupportedError(`ggml has no type ${name}`);
  return type;
}
