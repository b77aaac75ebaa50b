import type { Checkpoint } from "../checkpoint.ts";
import type { LayerScheme } from "./compressed-settings.ts";
import { FormatError } from "../../util/errors.ts";
import { quoteName } from "../wording.ts";
import { expectTensor, floatDTypes, readStoredScales, type Scales } from "./module-tensors.ts";

/** Scales of a layer, and the group of each column. */
export interface CompressedScales {
  /** Columns of a group; null: one group a row. */
  readonly groupSize: number | null;
  readonly groups: number;
  readonly groupOf: Int32Array | null;
  storedScales(): Promise<Scales>;
  arrange(stored: Scales): Scales;
}

/** Opens `weight_scale` and `weight_g_idx` of a layer. @throws FormatError */
export async function openScales(
  checkpoint: Checkpoint,
  name: string,
  { strategy, groupSize }: LayerScheme,
  [out, inFeatures]: readonly number[],
): Promise<CompressedScales> {
  const scale = `${name}.weight_scale`;
  const groups = groupSize === null ? 1 : inFeatures / groupSize;
  if (!Number.isInteger(groups)) {
    throw new FormatError(
      `quantization_config: \`group_size\` ${groupSize} does not divide the ${inFeatures} columns ` +
        `of ${quoteName(name)}`,
    );
  }
  const isOne = strategy === "tensor";
  const { shape } = checkpoint.info(scale);
  const fits = isOne && shape.length <= 1 ? shape : isOne ? [1, 1] : [out, groups];
  expectTensor(checkpoint, scale, floatDTypes, fits);
  return {
    groupSize: groups === 1 ? null : groupSize,
    groups,
    groupOf: await readGroups(checkpoint, name, groups, inFeatures),
    storedScales: () => readStoredScales(checkpoint, scale),
    arrange: (values) => {
      if (!isOne) return values;
      return values instanceof Uint16Array
        ? new Uint16Array(out).fill(values[0])
        : new Float32Array(out).fill(values[0]);
    },
  };
}

async function readGroups(
  checkpoint: Checkpoint,
  name: string,
  groups: number,
  inFeatures: number,
): Promise<Int32Array | null> {
  const gIdx = `${name}.weight_g_idx`;
  if (!checkpoint.has(gIdx)) return null;
  expectTensor(checkpoint, gIdx, ["i32"], [inFeatures]);
  const order = await checkpoint.viewAs(gIdx, "i32");
  // Observers leave −1 everywhere where columns are in their own order.
  if (order.every((group) => group === -1)) return null;
  const wrong = order.findIndex((group) => group < 0 || group >= groups);
  if (wrong >= 0) {
    throw new FormatError(
      `tensor ${quoteName(gIdx)}: column ${wrong} is in the group ${order[wrong]} of ${groups}`,
    );
  }
  const width = inFeatures / groups;
  return order.every((group, i) => group === Math.floor(i / width)) ? null : order;
}
