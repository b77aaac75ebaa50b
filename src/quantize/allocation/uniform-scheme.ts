import type { Method } from "../../methods/define-method.ts";
import { blockFormats } from "../../quant/blocks/index.ts";
import { makeScheme, parseScheme } from "../../quant/scheme.ts";
import { sum } from "../../util/sums.ts";
import type { DecoderNames } from "../../models/decoder-names.ts";
import type { CostBudget } from "./allocation-budgets.ts";
import { type LayerGroup, layerGroups } from "./layer-groups.ts";
import { tokenCost } from "./token-costs.ts";

/** Group sizes of uniform schemes that an allocation is compared with. */
const groupSizes = [null, 256, 128, 64, 32, 16];

/** What a uniform scheme is looked for among. */
export interface UniformSearch {
  readonly groups: readonly LayerGroup[];
  readonly choices: readonly string[];
  readonly chain: readonly Method[];
  readonly names: Pick<DecoderNames, "slots">;
  readonly limit: number;
  readonly second: CostBudget | null;
}

/** A uniform scheme, and what it means to each group. */
export interface UniformScheme {
  readonly id: string;
  readonly groups: readonly LayerGroup[];
}

/**
 * Finds the largest uniform scheme that keeps the budgets: one of the choices, or of their grids
 * with groups of another size; of types of ggml any. Null where none does.
 */
export function findUniform(search: UniformSearch): UniformScheme | null {
  const { groups, choices, chain, names, limit, second } = search;
  const linears = groups.flatMap((group) => [...group.linears]);
  let best: (UniformScheme & { readonly bytes: number }) | null = null;
  for (const id of candidates(choices)) {
    if (!chain.every((method) => method.supports(parseScheme(id)))) continue;
    const own = layerGroups(linears, [id], names);
    if (own.some(({ options }) => options.length === 0)) continue;
    const bytes = sum(own.map(({ options }) => options[0].bytes));
    if (bytes > limit || (best && bytes <= best.bytes)) continue;
    if (second && !isWithin(own, second)) continue;
    best = { id, groups: own, bytes };
  }
  return best;
}

function isWithin(groups: readonly LayerGroup[], { costs, limit }: CostBudget): boolean {
  const own = groups.map((group) => tokenCost(group, group.options[0], costs));
  return own.every((cost) => cost !== null) && sum(own.map((cost) => cost ?? 0)) <= limit;
}

function candidates(choices: readonly string[]): string[] {
  const schemes = choices.map((id) => parseScheme(id));
  const types = schemes.some(({ blocks }) => blocks) ? blockFormats.map(({ id }) => id) : [];
  const planar = schemes.flatMap((scheme) => {
    if (scheme.blocks || scheme.grid.codebook || scheme.grid.inputScales) return [];
    return groupSizes.map(
      (size) => makeScheme(scheme.grid, size, scheme.activation, scheme.sparse).id,
    );
  });
  return [...new Set([...choices, ...types, ...planar])];
}
