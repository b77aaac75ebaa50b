import type { Backend } from "../../backend/backend.ts";
import type { LinearDescription } from "../../nn/quantizable-model.ts";
import type { Allocation } from "../../recipe/recipe.ts";
import type { OpenedModel } from "../../runtime/load.ts";
import { parseByteSize } from "../../util/byte-size.ts";
import { sum } from "../../util/sums.ts";
import { expectReachable } from "./allocation-budgets.ts";
import { weightsOf } from "./layer-groups.ts";
import { type Assignable, assignedRecipe, smallestOptions } from "./plain-recipe.ts";
import { planSized } from "./planned-size.ts";

/** What a size is settled for. */
interface Sized extends Assignable {
  readonly opened: OpenedModel;
  readonly allocation: Allocation;
}

/**
 * Says how many bytes the layers that are allocated may take: by the targets of size, and without
 * one as many as the largest choices do.
 * @param floats layers that stay floats
 * @throws UsageError for a target that the choices cannot meet
 */
export async function sizeLimit(
  setting: Sized,
  floats: readonly LinearDescription[],
  backend: Backend,
): Promise<number> {
  const most = setting.groups.map(({ options }) => Math.max(...options.map(({ bytes }) => bytes)));
  return Math.min(sum(most), limitByBits(setting, floats), await limitBySize(setting, backend));
}

function limitByBits(
  { opened, allocation, groups }: Sized,
  floats: readonly LinearDescription[],
): number {
  const { targetBpw } = allocation;
  if (targetBpw === undefined) return Number.POSITIVE_INFINITY;
  const { linear } = opened.sizes;
  const left = sum(floats.map(({ outFeatures, inFeatures }) => outFeatures * inFeatures));
  const free = sum(groups.map(weightsOf));
  const beside = (left * linear.bitsPerWeight) / 8;
  const weights = free + left;
  const allowed = Math.floor((targetBpw * weights) / 8 - beside + 1e-6);
  expectReachable(groups, { allowed, beside }, { field: "targetBpw", value: targetBpw, weights });
  return allowed;
}

async function limitBySize(setting: Sized, backend: Backend): Promise<number> {
  const { opened, allocation, groups } = setting;
  const { targetSize } = allocation;
  if (targetSize === undefined) return Number.POSITIVE_INFINITY;
  const smallest = smallestOptions(groups);
  const { sizeBytes } = await planSized(opened, assignedRecipe(setting, smallest), { backend });
  const beside = sizeBytes - sum(groups.map(({ options: own }, i) => own[smallest[i]].bytes));
  // Numbers in headers may have some more digits where layers are larger.
  const allowed = parseByteSize(targetSize) - beside - 8 * groups.length;
  const asked = { field: "targetSize", value: targetSize, weights: null };
  expectReachable(groups, { allowed, beside }, asked);
  return allowed;
}
