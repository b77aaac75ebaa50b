import { multiply } from "../tensor/ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";
import { fakeQuantize, fakeQuantizeExactly } from "../tensor/training-ops.ts";
import { NumericError } from "../util/errors.ts";
import type { BlockScales } from "./blocks/block-format.ts";
import { groupsPerBlock } from "./blocks/block-run.ts";
import { groupScales } from "./blocks/group-scales.ts";
import { roundWithin } from "./grid.ts";
import { LatentBlockScales } from "./latent-block-scales.ts";
import { type LatentParameter, LatentWeight } from "./latent-weight.ts";
import { QTensor } from "./q-tensor.ts";
import type { BlockScheme } from "./scheme.ts";

/** Learned scales and offsets of groups, `[rows, groups]`, before they become factors. */
interface LatentGroups {
  readonly scales: Tensor<"f32">;
  readonly offsets: Tensor<"f32"> | null;
}

/** What a weight is quantized with now. */
interface CurrentGroups {
  /** Of groups, with the sign with which offsets are added. */
  readonly scales: Tensor<"f32">;
  readonly offsets: Tensor<"f32"> | null;
  /** Of blocks. */
  readonly units: Tensor<"f32">;
  readonly offsetUnits: Tensor<"f32"> | null;
}

/**
 * A latent weight under a scheme of blocks. Where blocks have groups, a scale of a group is learned
 * beside the scale of its block, and counts as the nearest whole multiple of that which the format
 * stores, with the gradients of LSQ to both (arXiv 1902.08153); so do offsets. The weight is rounded
 * to the values that this gives, with gradients to all of them.
 */
export class FakeQuantizedBlocks extends LatentWeight {
  declare readonly scheme: BlockScheme;
  private readonly blocks: LatentBlockScales;
  /** Null where a block is one group. */
  private readonly groups: LatentGroups | null;

  private constructor(
    weight: Tensor<"f32">,
    scheme: BlockScheme,
    blocks: LatentBlockScales,
    groups: LatentGroups | null,
  ) {
    super(weight, scheme);
    this.blocks = blocks;
    this.groups = groups;
  }

  /**
   * Begins with a weight `[outFeatures, inFeatures]`, which it takes over, and with the scales and
   * offsets of blocks that were chosen for it.
   */
  static of(weight: Tensor<"f32">, scheme: BlockScheme, start: BlockScales): FakeQuantizedBlocks {
    const { backend } = weight;
    const [rows = 0, columns = 0] = weight.shape;
    const { blocks: format } = scheme;
    const blocks = LatentBlockScales.of(backend, format, columns / format.columns, start);
    if (format.subScaleRange === null) {
      return new FakeQuantizedBlocks(weight, scheme, blocks, null);
    }
    const shape = [rows, columns / format.groupColumns];
    const { scales, offsets } = groupScales(format, start);
    return new FakeQuantizedBlocks(weight, scheme, blocks, {
      scales: Tensor.from(backend, "f32", shape, scales),
      offsets: offsets && Tensor.from(backend, "f32", shape, offsets),
    });
  }

  get groupScales(): Tensor<"f32"> {
    return this.groups?.scales ?? this.blocks.learned[0].value;
  }

  get learned(): readonly LatentParameter[] {
    const { blocks, groups } = this;
    if (!groups) return blocks.learned;
    return [
      { role: "scales", value: groups.scales },
      ...(groups.offsets ? [{ role: "offsets", value: groups.offsets }] : []),
      ...blocks.learned.map(({ role, value }) => ({ role: `block ${role}`, value })),
    ];
  }

  weights(): Tensor<"f32" | "bf16"> {
    return this.quantizeWith(this.currentGroups());
  }

  async freeze(): Promise<QTensor> {
    const { outFeatures, inFeatures, scheme } = this;
    const kept = tidy(() => {
      const now = this.currentGroups();
      const weights = this.quantizeWith(now);
      // Formats without offsets have others in their places, which are not looked at.
      const { scales, units, offsets = scales, offsetUnits = units } = withoutNulls(now);
      return [weights, scales, offsets, units, offsetUnits];
    });
    const [values, scales, offsets, units, offsetUnits] = await Promise.all(
      kept.map(async (part) => (await part.read()) as Float32Array),
    );
    for (const part of new Set(kept)) part.release();
    const stored = await this.blocks.freeze();
    const { subScaleRange, largestSubOffset, columns, groupColumns } = scheme.blocks;
    const perBlock = columns / groupColumns;
    return QTensor.packBlocks(scheme, {
      outFeatures,
      inFeatures,
      codes: codesOf(values, { scales, offsets: stored.offsets && offsets }, scheme),
      ...stored,
      subScales: subScaleRange && Int8Array.from(factorsOf(scales, units, perBlock)),
      subOffsets:
        largestSubOffset === null
          ? null
          : Uint8Array.from(factorsOf(offsets, offsetUnits, perBlock)),
    });
  }

  override releaseLearned(): void {
    this.blocks.release();
    this.groups?.scales.release();
    this.groups?.offsets?.release();
  }

  private currentGroups(): CurrentGroups {
    const { groups, scheme } = this;
    const { scales: units, offsets } = this.blocks.current();
    const format = scheme.blocks;
    const offsetUnits = offsets && format.offset === "subtracted" ? negated(offsets) : offsets;
    const { subScaleRange, largestSubOffset } = format;
    if (!groups || !subScaleRange)
      return { scales: units, offsets: offsetUnits, units, offsetUnits };
    const groupSize = groupsPerBlock(format);
    const multiples = (of: Tensor<"f32">, scales: Tensor<"f32">, low: number, high: number) =>
      fakeQuantizeExactly(of, { scales, zeros: null, groupSize }, roundWithin(low, high));
    const [low, high] = subScaleRange;
    const ofGroups = offsets && groups.offsets;
    const shifts = ofGroups && multiples(ofGroups, offsets, 0, largestSubOffset ?? 0);
    return {
      scales: multiples(groups.scales, units, low, high),
      offsets: shifts && (format.offset === "subtracted" ? negated(shifts) : shifts),
      units,
      offsetUnits,
    };
  }

  private quantizeWith({ scales, offsets }: CurrentGroups): Tensor<"f32" | "bf16"> {
    const { groupColumns: groupSize, origin, levels } = this.scheme.blocks;
    const groups = { scales, zeros: null, offsets, groupSize };
    return fakeQuantize(this.weight, groups, roundWithin(origin, origin + levels - 1));
  }
}

function withoutNulls({ offsets, offsetUnits, ...rest }: CurrentGroups) {
  return { ...rest, offsets: offsets ?? undefined, offsetUnits: offsetUnits ?? undefined };
}

function negated(x: Tensor<"f32">): Tensor<"f32"> {
  const [, columns = 0] = x.shape;
  return multiply(x, Tensor.from(x.backend, "f32", [columns], new Float32Array(columns).fill(-1)));
}

/** The whole numbers by which units of blocks were multiplied; 0 where a unit is 0. */
function factorsOf(values: Float32Array, units: Float32Array, perBlock: number): Float32Array {
  return values.map((value, group) => {
    const unit = units[Math.floor(group / perBlock)];
    return expectFinite(unit === 0 ? unit : Math.round(value / unit));
  });
}

/** The codes of values that lie on the grids of their groups. */
function codesOf(
  values: Float32Array,
  { scales, offsets }: { scales: Float32Array; offsets: Float32Array | null },
  { blocks: { groupColumns, origin, levels } }: BlockScheme,
): Uint8Array {
  return Uint8Array.from(values, (value, i) => {
    const group = Math.floor(i / groupColumns);
    const scale = scales[group];
    const steps = scale === 0 ? 0 : (value - (offsets ? offsets[group] : 0)) / scale;
    return Math.min(Math.max(Math.round(expectFinite(steps + 0 * value) - origin), 0), levels - 1);
  });
}

function expectFinite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new NumericError("a trained weight or its scale is NaN or infinite", {
    hint: "training diverged: use a lower learning rate",
  });
}
