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
  { strategy, groupSize, isOrdered }: LayerScheme,
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
    groupOf: await readGroups(checkpoint, name, [groups, inFeatures], isOrdered && groups > 1),
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
  [groups, inFeatures]: readonly [number, number],
  isNeeded: boolean,
): Promise<Int32Array | null> {
  const gIdx = `${name}.weight_g_idx`;
  if (!checkpoint.has(gIdx)) {
    if (!isNeeded) return null;
    throw new FormatError(
      `tensor ${quoteName(gIdx)} is missing, and \`actorder\` says that columns are in its groups`,
      { hint: "download the shards that are missing" },
    );
  }
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

/**
 * Expects zero points of a symmetric layer that are not packed to be 0; they need not be there.
 * @throws FormatError where one is not
 */
export async function expectZeros(checkpoint: Checkpoint, name: string): Promise<void> {
  if (!checkpoint.has(name)) return;
  expectTensor(checkpoint, name, ["i8"]);
  const values = await checkpoint.viewAs(name, "i8");
  const wrong = values.findIndex((value) => value !== 0);
  if (wrong >= 0) throw notSymmetric(name, values[wrong]);
}

/** The error of a layer that is symmetric by its configuration and has a zero point. */
export function notSymmetric(name: string, zeroPoint: number): FormatError {
  return new FormatError(
    `tensor ${quoteName(name)}: there is the zero point ${zeroPoint}, and \`symmetric\` is true`,
    { hint: "config.json and the weight files belong to different checkpoints" },
  );
}
