import type { RecipeInput } from "../../recipe/recipe.ts";
import type { SweepAllocation } from "./sweep-recipe.ts";

type AllocationInput = NonNullable<RecipeInput["allocation"]>;

/** One allocation of a variant. */
export interface ExpandedAllocation {
  readonly allocation: AllocationInput;
  /** What is asked for, as labels write it: `2.5bpw`, `90MB 20tok/s`. */
  readonly targets: string;
  /** What else tells it from others of its targets: `gradient`, `evolution`. */
  readonly details: readonly string[];
  /** Bits a weight that are asked for; 0 where the target is another. */
  readonly bits: number;
}

/**
 * All allocations of a variant: of lists each value. Whether a uniform scheme is better is seen by
 * points of that scheme, so none is made beside an allocation unless the recipe asks for it.
 */
export function expandAllocation(
  { targetSize, targetBpw, targetSpeed, targetEnergy, measure, search, ...rest }: SweepAllocation,
  at: (path: string) => string,
): ExpandedAllocation[] {
  const { machine, stateFile } = rest;
  const placed = {
    compareUniform: false,
    ...rest,
    ...(machine && { machine: at(machine) }),
    ...(stateFile && { stateFile: at(stateFile) }),
  };
  let all: AllocationInput[] = [placed];
  const several = { targetSize, targetBpw, targetSpeed, targetEnergy, search, measure };
  for (const [name, values] of Object.entries(several)) {
    if (values === undefined) continue;
    const listed: readonly unknown[] = Array.isArray(values) ? values : [values];
    all = listed.flatMap((value) => all.map((before) => ({ ...before, [name]: value })));
  }
  return all.map((allocation) => ({
    allocation,
    targets: targetsText(allocation),
    details: [allocation.search, allocation.measure].flatMap((detail) => detail ?? []),
    bits: allocation.targetBpw ?? 0,
  }));
}

function targetsText(allocation: AllocationInput): string {
  const { targetSize, targetBpw, targetSpeed, targetEnergy } = allocation;
  return [
    ...(targetSize === undefined ? [] : [String(targetSize)]),
    ...(targetBpw === undefined ? [] : [`${targetBpw}bpw`]),
    ...(targetSpeed === undefined ? [] : [`${targetSpeed}tok/s`]),
    ...(targetEnergy === undefined ? [] : [`${targetEnergy}J`]),
  ].join(" ");
}
