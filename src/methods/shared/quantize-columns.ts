import type { FitOptions } from "../../backend/kernels.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { groupsPerRow, type Scheme } from "../../quant/scheme.ts";
import { fitColumns, quantizeColumns } from "../../tensor/quantization-ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { floatsToHalves, halvesToFloats } from "../../util/half.ts";

/** How the scale of a group is searched for; null takes the grid's scale rule as it is. */
export type ScaleSearch = FitOptions["search"];

/**
 * The working state of quantizing one weight column by column: codes, scales and zero points on the
 * backend, and which group each column belongs to.
 */
export class ColumnQuantizer {
  readonly weight: Tensor<"f32">;
  readonly scheme: Scheme;
  private readonly search: ScaleSearch;
  private readonly codes: Tensor<"u8">;
  /** Scales and zero points that were found, `[rows, groups]`. */
  readonly scales: Tensor<"f32">;
  zeros: Tensor<"f32">;
  private readonly groupOf: Tensor<"i32">;

  /** `groupOf [in]` names the group of each column; by default ⌊j / groupSize⌋ of column j. */
  constructor(weight: Tensor<"f32">, scheme: Scheme, search: ScaleSearch, groupOf?: Int32Array) {
    const [rows = 0, columns = 0] = weight.shape;
    const { backend } = weight;
    this.weight = weight;
    this.scheme = scheme;
    this.search = search;
    const groups = groupsPerRow(scheme, columns);
    this.codes = Tensor.empty(backend, "u8", [rows, columns]);
    this.scales = Tensor.zeros(backend, "f32", [rows, groups]);
    this.zeros = Tensor.zeros(backend, "f32", [rows, groups]);
    const ofColumn = groupOf ?? contiguousGroups(columns, scheme.groupSize);
    this.groupOf = Tensor.from(backend, "i32", [columns], ofColumn);
  }

  /** Finds scale and zero point of `group` from the columns `[start, end)` of `weight` as is. */
  fit(group: number, start: number, end: number, weight: Tensor<"f32"> = this.weight): void {
    const { grid } = this.scheme;
    const options = { start, end, group, grid, rule: grid.scaleRule, search: this.search };
    fitColumns(this.scales, this.zeros, weight, options);
  }

  /** Finds all scales from the weight as it is now, in its natural column order. */
  fitAll(weight: Tensor<"f32"> = this.weight): void {
    for (const { group, start, end } of columnGroups(weight.shape[1] ?? 0, this.scheme.groupSize)) {
      this.fit(group, start, end, weight);
    }
  }

  /** Sets zero points `[rows, groups]`, rounded to float16; for grids that store them so. */
  setZeros(values: Float32Array): void {
    const rounded = halvesToFloats(floatsToHalves(values));
    this.zeros = Tensor.from(this.weight.backend, "f32", this.zeros.shape, rounded);
  }

  /** Quantizes the columns `[start, end)`; with `factor` their errors are carried on (GPTQ). */
  quantize(start: number, end: number, factor: Tensor<"f32"> | null): void {
    const { scales, zeros, groupOf, scheme } = this;
    const offsets = null;
    const options = { start, end, factor, scales, zeros, offsets, groupOf, grid: scheme.grid };
    quantizeColumns(this.codes, this.weight, options);
  }

  /** Gives the codes back, where they are not packed. */
  release(): void {
    this.codes.release();
  }

  /** Packs what was chosen. `order[j]` is the original column that stands at position j. */
  async finish(order?: Int32Array): Promise<QTensor> {
    const [outFeatures = 0, inFeatures = 0] = this.weight.shape;
    const scales = await this.scales.look((values) => floatsToHalves(values));
    const zeros = await this.zeros.look((values) => storedZeros(this.scheme, values));
    const packed = await this.codes.look((codes) =>
      QTensor.pack(this.scheme, {
        outFeatures,
        inFeatures,
        codes: order ? restoreColumns(codes, inFeatures, order) : codes,
        scales,
        ...zeros,
      }),
    );
    this.codes.release();
    return packed;
  }
}

/** Quantizes every weight `[out, in]` to the nearest value of its grid. Overwrites `weight`. */
export async function roundToNearest(
  weight: Tensor<"f32">,
  scheme: Scheme,
  search: ScaleSearch,
): Promise<QTensor> {
  return roundAll(weight, scheme, search).finish();
}

/** Sets every weight `[out, in]` to the decoded value of its nearest code, without packing. */
export function roundInPlace(weight: Tensor<"f32">, scheme: Scheme): void {
  roundAll(weight, scheme, null).release();
}

function roundAll(weight: Tensor<"f32">, scheme: Scheme, search: ScaleSearch): ColumnQuantizer {
  const quantizer = new ColumnQuantizer(weight, scheme, search);
  quantizer.fitAll();
  quantizer.quantize(0, weight.shape[1] ?? 0, null);
  return quantizer;
}

/** A run of columns `[start, end)` that share a scale. */
export interface ColumnGroup {
  readonly group: number;
  readonly start: number;
  readonly end: number;
}

/** Lists the groups of a row of `columns` weights; the last may be shorter. */
export function columnGroups(columns: number, groupSize: number | null): ColumnGroup[] {
  const size = groupSize ?? columns;
  return Array.from({ length: Math.ceil(columns / size) }, (_, group) => ({
    group,
    start: group * size,
    end: Math.min(columns, (group + 1) * size),
  }));
}

function storedZeros({ grid }: Scheme, zeros: Float32Array): { zeros?: Uint8Array | Uint16Array } {
  if (grid.zeroPoint === "none") return {};
  return { zeros: grid.zeroPoint === "integer" ? Uint8Array.from(zeros) : floatsToHalves(zeros) };
}

function contiguousGroups(columns: number, groupSize: number | null): Int32Array {
  return Int32Array.from({ length: columns }, (_, j) =>
    groupSize ? Math.floor(j / groupSize) : 0,
  );
}

function restoreColumns(codes: Uint8Array, columns: number, order: Int32Array): Uint8Array {
  const restored = new Uint8Array(codes.length);
  for (let row = 0; row < codes.length; row += columns) {
    for (let j = 0; j < columns; j++) restored[row + order[j]] = codes[row + j];
  }
  return restored;
}
