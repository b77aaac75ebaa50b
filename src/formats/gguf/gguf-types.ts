import type { DType } from "../../tensor/dtype.ts";

/**
 * What elements of a type are: plain numbers, blocks of codes with scales (schemes of fewbit),
 * indices of tables that ggml has in its source, or what ggml keeps activations in, which no
 * weight of a file has.
 */
export type GgmlKind = "plain" | "blocks" | "table" | "activations";

/** A type of ggml. A row is a whole number of blocks. */
export interface GgmlType {
  /** Its number in files. */
  readonly id: number;
  /** Its name in lower case; of a type of the kind `blocks` also the id of the scheme. */
  readonly name: string;
  readonly kind: GgmlKind;
  /** Columns and bytes of one block. */
  readonly columns: number;
  readonly bytes: number;
  /** What its elements are as plain numbers; null for other kinds. */
  readonly dtype: DType | null;
}

type Row = readonly [id: number, name: string, kind: GgmlKind, columns: number, bytes: number];

/** Source: `type_traits` of ggml.c, with the sizes of the blocks in ggml-common.h. */
const rows: readonly Row[] = [
  [0, "f32", "plain", 1, 4],
  [1, "f16", "plain", 1, 2],
  [2, "q4_0", "blocks", 32, 18],
  [3, "q4_1", "blocks", 32, 20],
  [6, "q5_0", "blocks", 32, 22],
  [7, "q5_1", "blocks", 32, 24],
  [8, "q8_0", "blocks", 32, 34],
  [9, "q8_1", "activations", 32, 36],
  [10, "q2_k", "blocks", 256, 84],
  [11, "q3_k", "blocks", 256, 110],
  [12, "q4_k", "blocks", 256, 144],
  [13, "q5_k", "blocks", 256, 176],
  [14, "q6_k", "blocks", 256, 210],
  [15, "q8_k", "activations", 256, 292],
  [16, "iq2_xxs", "table", 256, 66],
  [17, "iq2_xs", "table", 256, 74],
  [18, "iq3_xxs", "table", 256, 98],
  [19, "iq1_s", "table", 256, 50],
  [20, "iq4_nl", "table", 32, 18],
  [21, "iq3_s", "table", 256, 110],
  [22, "iq2_s", "table", 256, 82],
  [23, "iq4_xs", "table", 256, 136],
  [24, "i8", "plain", 1, 1],
  [25, "i16", "plain", 1, 2],
  [26, "i32", "plain", 1, 4],
  [27, "i64", "plain", 1, 8],
  [28, "f64", "plain", 1, 8],
  [29, "iq1_m", "table", 256, 56],
  [30, "bf16", "plain", 1, 2],
  [34, "tq1_0", "blocks", 256, 54],
  [35, "tq2_0", "blocks", 256, 66],
  [39, "mxfp4", "table", 32, 17],
  [40, "nvfp4", "table", 64, 36],
  [41, "q1_0", "blocks", 128, 18],
  [42, "q2_0", "blocks", 64, 18],
];

/** All types of ggml that a file may have today. */
const ggmlTypes: readonly GgmlType[] = rows.map(([id, name, kind, columns, bytes]) => {
  const dtype = kind === "plain" ? (name as DType) : null;
  return { id, name, kind, columns, bytes, dtype };
});

/** Types that ggml had once and no longer reads, by their numbers. */
export const removedTypes: ReadonlyMap<number, string> = new Map([
  [4, "q4_2"],
  [5, "q4_3"],
  [31, "q4_0_4_4"],
  [32, "q4_0_4_8"],
  [33, "q4_0_8_8"],
  [36, "iq4_nl_4_4"],
  [37, "iq4_nl_4_8"],
  [38, "iq4_nl_8_8"],
]);

const byId: ReadonlyMap<number, GgmlType> = new Map(ggmlTypes.map((type) => [type.id, type]));
const byName: ReadonlyMap<string, GgmlType> = new Map(ggmlTypes.map((type) => [type.name, type]));

/** Finds a type by its number in files; undefined when there is none. */
export function ggmlTypeOf(id: number): GgmlType | undefined {
  return byId.get(id);
}

/** Finds a type by its name in lower case, such as a scheme's id; undefined when there is none. */
export function ggmlTypeNamed(name: string): GgmlType | undefined {
  return byName.get(name);
}

/** Returns the bytes of `columns` values of a type; null when they are no whole blocks. */
export function ggmlRowBytes(type: GgmlType, columns: number): number | null {
  return columns % type.columns === 0 ? (columns / type.columns) * type.bytes : null;
}
