import { measureDamages } from "../../blocks/damages/measure-damages.ts";
import type { PairTerm } from "../../methods/shared/allocation/allocation-problem.ts";
import type { DamageMeasure } from "../../methods/shared/allocation/damage-measure.ts";
import type { LinearDescription, QuantizableModel } from "../../nn/quantizable-model.ts";
import type { DamageStore } from "./damage-store.ts";
import type { LayerGroup } from "./layer-groups.ts";
import { smallestOptions } from "./plain-recipe.ts";
import { TrialModel } from "./trial-model.ts";

/** What damages are measured with. */
export interface GroupWork {
  readonly model: QuantizableModel;
  readonly groups: readonly LayerGroup[];
  readonly windows: readonly Int32Array[];
  readonly measure: DamageMeasure;
  readonly store: DamageStore;
  /** A folder for activations; null keeps them in memory. */
  readonly folder: string | null;
  readonly report: (activity: string) => void;
  readonly signal: AbortSignal | undefined;
}

/** Measures what the store does not have yet, and writes it there block by block. */
export async function measureGroups(work: GroupWork): Promise<void> {
  const open = work.groups.filter((group) => !isKnown(work.store, group));
  if (open.length === 0) return;
  if (work.measure === "divergence") await measureDivergences(work, open);
  else await measureStreamed({ ...work, measure: work.measure }, open);
}

function isKnown(store: DamageStore, { name, options }: LayerGroup): boolean {
  return options.every(({ choice }) => store.damage(name, choice) !== undefined);
}

async function measureStreamed(
  work: GroupWork & { readonly measure: Exclude<DamageMeasure, "divergence"> },
  open: readonly LayerGroup[],
): Promise<void> {
  const groupOf = new Map<string, { group: LayerGroup; at: number }>();
  for (const group of open) {
    for (const [at, { module }] of group.linears.entries()) groupOf.set(module, { group, at });
  }
  const { model, windows, measure, folder, store, report, signal } = work;
  await measureDamages({
    model,
    windows,
    measure,
    folder,
    linears: open.flatMap(({ linears }) => [...linears]),
    schemesOf: ({ module }: LinearDescription) => {
      const found = groupOf.get(module);
      return found?.group.options.map(({ schemes }) => schemes[found.at]) ?? [];
    },
    onBlock: async (index, measured) => {
      const bySlot = new Map(measured.map((damage) => [damage.slot, damage]));
      for (const group of open) {
        if (group.block === index) store.add(group.name, addUp(group, bySlot));
      }
      await store.save();
    },
    report,
    signal,
  });
}

/**
 * Adds up the damages of the layers of a group. An expert to which no token came counts as the mean
 * of those of its block that got some.
 */
function addUp(
  { linears, options }: LayerGroup,
  bySlot: ReadonlyMap<string, { readonly damages: readonly number[]; readonly tokens: number }>,
): Record<string, number> {
  return Object.fromEntries(
    options.map(({ choice }, option) => {
      let sum = 0;
      let seen = 0;
      for (const { slot } of linears) {
        const damage = bySlot.get(slot);
        if (!damage || damage.tokens === 0) continue;
        sum += damage.damages[option];
        seen++;
      }
      return [choice, seen === 0 ? 0 : (sum * linears.length) / seen];
    }),
  );
}

/** Measures each option of each group by itself, all else in floats, on the whole model. */
async function measureDivergences(work: GroupWork, open: readonly LayerGroup[]): Promise<void> {
  const { model, groups, windows, store, report, signal } = work;
  const trials = await TrialModel.load(model, groups, windows, signal);
  try {
    for (const [done, group] of open.entries()) {
      report(`divergence of ${group.name}, ${done + 1} of ${open.length}`);
      const damages: Record<string, number> = {};
      for (const [option, { choice }] of group.options.entries()) {
        const trying = groups.map((each) => (each === group ? option : null));
        damages[choice] = (await trials.tryOut(trying, trials.tokens)).divergence;
      }
      store.add(group.name, damages);
      await store.save();
    }
  } finally {
    trials.release();
  }
}

/**
 * Measures what two groups of one block harm beyond what each harms, where both have the option of
 * the fewest bytes (BRECQ, arXiv 2102.05426, section 3.4).
 */
export async function measurePairs(work: GroupWork): Promise<PairTerm[]> {
  const { groups, store, report, signal } = work;
  const smallest = smallestOptions(groups);
  const pairs = groups.flatMap((a, i) =>
    groups.flatMap((b, j) =>
      j > i && a.block === b.block ? [{ i, j, name: `${a.name} & ${b.name}` }] : [],
    ),
  );
  const choiceOf = (i: number): string => groups[i].options[smallest[i]].choice;
  const nameOf = ({ i, j, name }: (typeof pairs)[number]): string =>
    `${name}: ${choiceOf(i)} & ${choiceOf(j)}`;
  const open = pairs.filter((pair) => store.pair(nameOf(pair)) === undefined);
  if (open.length > 0) {
    const trials = await TrialModel.load(work.model, groups, work.windows, signal);
    try {
      for (const [done, pair] of open.entries()) {
        report(`divergence of pairs, ${done + 1} of ${open.length}`);
        const { i, j } = pair;
        const trying = groups.map((_, at) => (at === i || at === j ? smallest[at] : null));
        const { divergence } = await trials.tryOut(trying, trials.tokens);
        const single = [i, j].map((at) => store.damage(groups[at].name, choiceOf(at)) ?? 0);
        store.addPair(nameOf(pair), divergence - single[0] - single[1]);
        await store.save();
      }
    } finally {
      trials.release();
    }
  }
  return pairs.map((pair) => ({
    first: { item: pair.i, choice: smallest[pair.i] },
    second: { item: pair.j, choice: smallest[pair.j] },
    damage: store.pair(nameOf(pair)) ?? 0,
  }));
}
