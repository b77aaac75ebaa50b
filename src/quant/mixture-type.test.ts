import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { mixtureType } from "./mixture-type.ts";
import { findMixture, type MixedModel, mixtures } from "./mixtures.ts";

interface GoldenModel extends Omit<MixedModel, "importance"> {
  readonly name: string;
  /** By the last part of a tensor's name. */
  readonly columns: Readonly<Record<string, number>>;
  readonly cases: readonly {
    readonly mixture: string;
    readonly importance: boolean;
    /** Types of blocks, run by run, where they are not all the usual one; null: refused. */
    readonly types: Readonly<Record<string, string>> | null;
  }[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/mixtures.json", import.meta.url), "utf8"),
) as readonly GoldenModel[];

/** The types of a slot in all blocks: `q6_k 3, q4_k 2`. */
function typesOf(name: string, slot: string, model: MixedModel, columns: number): string {
  const mixture = findMixture(name) ?? mixtures[0];
  const inBlocks = /^(?:attn|ffn)/.test(slot);
  const runs: [type: string, count: number][] = [];
  for (let block = 0; block < (inBlocks ? model.blocks : 1); block++) {
    const weight = { name: inBlocks ? `blk.${block}.${slot}` : slot, columns };
    const { type } = mixtureType(mixture, weight, model);
    const last = runs.at(-1);
    if (last?.[0] === type) last[1]++;
    else runs.push([type, 1]);
  }
  return runs.map(([type, count]) => `${type} ${count}`).join(", ");
}

describe.each(golden)("mixtures of $name", ({ columns, cases, ...model }) => {
  test.each(cases)("$mixture, importance $importance, as llama.cpp's", (given) => {
    const { mixture, importance, types } = given;
    if (types === null) {
      const narrow = Object.values(columns).some((count) => count % 128 !== 0);
      expect(findMixture(mixture)?.needsImportance ?? (mixture === "Q1_0" && narrow)).toBe(true);
      return;
    }
    const usual = mixture.toLowerCase().replace(/_[sml]$/, "");
    for (const [slot, count] of Object.entries(columns)) {
      const blocks = /^(?:attn|ffn)/.test(slot) ? model.blocks : 1;
      const expected = types[slot] ?? `${usual} ${blocks}`;
      expect([slot, typesOf(mixture, slot, { ...model, importance }, count)]).toEqual([
        slot,
        expected,
      ]);
    }
  });
});

test("every mixture is compared", () => {
  const compared = new Set(golden.flatMap(({ cases }) => cases.map(({ mixture }) => mixture)));
  expect([...compared].sort()).toEqual(mixtures.map(({ name }) => name).sort());
});

test("a mixture is written in upper case only", () => {
  expect(findMixture("q4_k_m")).toBeUndefined();
});

test("rows that are no whole blocks of any type are left in float16, and it is said instead of what", () => {
  const model = { blocks: 2, heads: 4, kvHeads: 4, experts: 1, tied: false, importance: false };
  for (const mixture of mixtures) {
    const { type, insteadOf } = mixtureType(mixture, { name: "blk.0.attn_q", columns: 40 }, model);
    const isPlain = /16/.test(mixture.usual);
    expect([type, insteadOf]).toEqual(isPlain ? [mixture.usual, null] : ["f16", mixture.usual]);
  }
});
