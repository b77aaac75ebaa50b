import type { Recipe } from "../../recipe/recipe.ts";
import { formatCount } from "../../formats/wording.ts";
import { sum } from "../../util/sums.ts";
import { parseByteSize } from "../../util/byte-size.ts";
import { UsageError } from "../../util/errors.ts";
import { type LayerGroup, weightsOf } from "./layer-groups.ts";
import type { MachineCosts, TokenCosts } from "../../run/machine-costs.ts";

type Allocation = NonNullable<Recipe["allocation"]>;

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

/** The budget of a target speed or energy. @throws UsageError where the machine was not measured */
export function costBudget(allocation: Allocation, machine: MachineCosts): CostBudget | null {
  const { targetSpeed, targetEnergy } = allocation;
  if (targetSpeed !== undefined && targetEnergy !== undefined) {
    throw new UsageError("bits are chosen within a size and one more target, not two", {
      hint: "leave out `targetSpeed` or `targetEnergy`",
      field: "allocation.targetEnergy",
      value: targetEnergy,
    });
  }
  const target = targetSpeed === undefined ? targetEnergy : 1 / targetSpeed;
  if (target === undefined) return null;
  const [field, costs] =
    targetSpeed === undefined ? ["targetEnergy", machine.energy] : ["targetSpeed", machine.time];
  if (costs) return { costs, limit: target - costs.fixed };
  throw new UsageError(
    `\`${field}\` needs to know what this machine takes, and nothing was measured`,
    {
      hint: "leave it out: a size is always possible",
      field: `allocation.${field}`,
      value: targetSpeed ?? targetEnergy,
    },
  );
}

/** What each option of a group costs a token. @throws UsageError for a scheme that was not measured */
export function tokenCosts({ linears, options }: LayerGroup, costs: TokenCosts): number[] {
  return options.map(({ choice, schemes }) =>
    sum(
      linears.map((linear, i) => {
        const cost = costs.of(linear, schemes[i]);
        if (cost !== null) return cost;
        throw new UsageError(`it was not measured what ${schemes[i].id} takes on this machine`, {
          hint: "leave this choice out",
          field: "allocation.choices",
          value: choice,
        });
      }),
    ),
  );
}

/** Bits a weight of groups with these options. */
export function bitsOf(groups: readonly LayerGroup[], assignment: readonly number[]): number {
  const bytes = sum(groups.map(({ options }, i) => options[assignment[i]].bytes));
  return (8 * bytes) / sum(groups.map(weightsOf));
}
