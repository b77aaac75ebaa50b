import { damageOf } from "../../methods/shared/allocation/allocation-problem.ts";
import { solveKnapsack } from "../../methods/shared/allocation/knapsack.ts";
import type { Allocation } from "../../recipe/recipe.ts";
import { formatCount } from "../../formats/wording.ts";
import { sum } from "../../util/sums.ts";
import { parseByteSize } from "../../util/byte-size.ts";
import { UsageError } from "../../util/errors.ts";
import { type LayerGroup, weightsOf } from "./layer-groups.ts";
import { type MachineCosts, tokenCost, type TokenCosts } from "./token-costs.ts";

/** A target besides size: what it allows for the layers that are allocated. */
export interface CostBudget {
  readonly costs: TokenCosts;
  readonly limit: number;
}

/** The targets of an allocation as numbers, for its record. */
export function targetsOf(allocation: Allocation): Record<string, number> {
  const { targetSize, targetBpw, targetSpeed, targetEnergy } = allocation;
  return {
    ...(targetSize !== undefined && { sizeBytes: parseByteSize(targetSize) }),
    ...(targetBpw !== undefined && { bitsPerWeight: targetBpw }),
    ...(targetSpeed !== undefined && { tokensPerSecond: targetSpeed }),
    ...(targetEnergy !== undefined && { joulesPerToken: targetEnergy }),
  };
}

/**
 * Refuses a size that the choices cannot have.
 * @param allowed bytes of the layers that are allocated
 * @param beside bytes of all else that the target counts
 * @throws UsageError with what was asked for and what there is
 */
export function expectReachable(
  groups: readonly LayerGroup[],
  { allowed, beside }: { readonly allowed: number; readonly beside: number },
  { field, value, weights }: { field: string; value: unknown; weights: number | null },
): void {
  const sizes = groups.map(({ options }) => options.map(({ bytes }) => bytes));
  const least = sum(sizes.map((bytes) => Math.min(...bytes)));
  const most = sum(sizes.map((bytes) => Math.max(...bytes)));
  const say = (bytes: number): string =>
    weights === null
      ? `${formatCount(Math.ceil(bytes + beside))} bytes`
      : `${((8 * (bytes + beside)) / weights).toFixed(3)} bits a weight`;
  const fault = (which: string, bytes: number, hint: string): UsageError =>
    new UsageError(`the ${which} choices make ${say(bytes)}, ${say(allowed)} were asked for`, {
      hint,
      field: `allocation.${field}`,
      value,
    });
  if (least > allowed)
    throw fault("smallest", least, "ask for more, or add `choices` of fewer bits");
  if (most < allowed - 1e-3 * (most + beside)) {
    throw fault("largest", most, "ask for less, or add `choices` of more bits");
  }
}

/** @throws UsageError where speed and energy are asked for at once */
export function expectOneMore({ targetSpeed, targetEnergy }: Allocation): void {
  if (targetSpeed === undefined || targetEnergy === undefined) return;
  throw new UsageError("bits are chosen within a size and one more target, not two", {
    hint: "leave out `targetSpeed` or `targetEnergy`",
    field: "allocation.targetEnergy",
    value: targetEnergy,
  });
}

/** What is allocated within how many bytes. */
interface Sized {
  readonly allocation: Allocation;
  readonly groups: readonly LayerGroup[];
  readonly limit: number;
}

/**
 * The budget of a target speed or energy, null without one.
 * @throws UsageError with what was asked for and the most there is, where no choices reach it, or
 * none of those that keep to the size
 */
export function costBudget(sized: Sized, { time, energy }: MachineCosts): CostBudget | null {
  const { targetSpeed, targetEnergy } = sized.allocation;
  if (targetSpeed !== undefined && time) {
    // The very speed of some choices is one that they reach, however their times round.
    const limit = (1 / targetSpeed - time.fixed) * (1 + 1e-12);
    const budget = { costs: time, limit };
    const say = (seconds: number): string => `${significant(1 / seconds)} tokens a second`;
    expectAffordable(sized, budget, { field: "targetSpeed", value: targetSpeed, say });
    return budget;
  }
  if (targetEnergy === undefined) return null;
  const budget = { costs: energy, limit: targetEnergy - energy.fixed };
  const say = (joules: number): string => `${significant(joules)} joules a token`;
  expectAffordable(sized, budget, { field: "targetEnergy", value: targetEnergy, say });
  return budget;
}

function expectAffordable(
  { groups, limit: bytes }: Sized,
  { costs, limit }: CostBudget,
  { field, value, say }: { field: string; value: number; say: (cost: number) => string },
): void {
  const items = groups.map((group) => {
    const own = tokenCosts(group, costs);
    const choices = group.options.map((option, i) => ({
      scheme: option.choice,
      costs: [option.bytes],
      damage: own[i],
    }));
    return { name: group.name, block: group.block, choices };
  });
  const fault = (what: string, least: number, hint: string): UsageError => {
    const asked = say(limit + costs.fixed);
    const most = `${what} make ${say(least + costs.fixed)}, ${asked} were asked for`;
    return new UsageError(most, { hint, field: `allocation.${field}`, value });
  };
  const least = sum(items.map(({ choices }) => Math.min(...choices.map(({ damage }) => damage))));
  const cheapest = costs.unit === "s" ? "fastest" : "thriftiest";
  if (least > limit) {
    const hint = "ask for less, or add `choices` of fewer bits; the head has its share, too";
    throw fault(`the ${cheapest} choices`, least, hint);
  }
  const within = { items, limits: [bytes] };
  const found = solveKnapsack(within);
  const most = found ? damageOf(within, found) : Number.POSITIVE_INFINITY;
  if (most <= limit) return;
  throw fault(`the ${cheapest} choices of this size`, most, "ask for less, or for more bytes");
}

function significant(value: number): string {
  return `${Number(value.toPrecision(4))}`;
}

/** What each option of a group costs a token. @throws UsageError for a scheme that was not measured */
export function tokenCosts(group: LayerGroup, costs: TokenCosts): number[] {
  return group.options.map((option) => {
    const cost = tokenCost(group, option, costs);
    if (cost !== null) return cost;
    throw new UsageError(`it was not measured what ${option.choice} takes on this machine`, {
      hint: "measure anew, without `quick`: `fewbit measure-machine`; or leave this choice out",
      field: "allocation.choices",
      value: option.choice,
    });
  });
}

/** Bits a weight of groups with these options. */
export function bitsOf(groups: readonly LayerGroup[], assignment: readonly number[]): number {
  const bytes = sum(groups.map(({ options }, i) => options[assignment[i]].bytes));
  return (8 * bytes) / sum(groups.map(weightsOf));
}
