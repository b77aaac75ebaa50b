import { describe, expect, test } from "vitest";
import type { KvCacheDType } from "../../src/nn/kv-cache.ts";
import { LanguageModel } from "../../src/runtime/language-model.ts";
import { BlockPool } from "../../src/runtime/serving/block-pool.ts";
import { PagedText } from "../../src/runtime/serving/paged-text.ts";
import { type PagedModel, runRows } from "../../src/runtime/serving/run-rows.ts";
import { loadCase, modelCaseNames, readModelCase, windowLogits } from "../golden/model-cases.ts";
import { subjects } from "./subjects.ts";

const blockSize = 4;
const blocks = 64;

/** Reads texts side by side, so many tokens of each in each pass; returns the logits of each. */
async function readTexts(
  { model, kvCache }: { readonly model: LanguageModel; readonly kvCache: KvCacheDType },
  ids: readonly (readonly number[])[],
  pieces: readonly number[],
): Promise<Float32Array[]> {
  const slots = blocks * blockSize;
  const cache = model.newCache(slots, 1, kvCache, slots);
  const paged: PagedModel = { model, cache, blockSize, products: "fast" };
  const pool = new BlockPool(blocks, blockSize);
  const texts = ids.map((row) => new PagedText(pool, row));
  const logits = ids.map((): Float32Array[] => []);
  for (let pass = 0; texts.some(({ pending }) => pending > 0); pass++) {
    const open = texts.filter(({ pending }) => pending > 0);
    const rows = open.map((text, i) => {
      const count = Math.min(text.pending, pieces[(pass + i) % pieces.length]);
      text.reserve(count);
      return { text, count, logits: Array.from({ length: count }, (_, row) => row) };
    });
    const results = await runRows(paged, rows);
    for (const [i, result] of results.entries()) {
      open[i].advance(rows[i].count);
      logits[texts.indexOf(open[i])].push(...result.logits.map((row) => row.slice()));
    }
  }
  cache.release();
  return logits.map((rows) => Float32Array.from(rows.flatMap((row) => [...row])));
}

/** Whether a window has other frequencies than its first tokens have when they are read. */
function isBeyondShortContext({ config }: LanguageModel, ids: readonly number[]): boolean {
  return config.layers.some(({ rope }) => {
    return rope?.scaling?.kind === "longrope" && rope.scaling.originalContext < ids.length;
  });
}

describe.each(subjects)("$title", ({ missing, open }) => {
  if (missing) {
    test.skip(`skipped: ${missing}`, () => undefined);
    return;
  }
  const backend = open();

  describe.each(modelCaseNames)("%s", (name) => {
    test("what a text gives is the same alone, beside others, and cut into any pieces", async () => {
      const golden = readModelCase(name);
      const loaded = await loadCase(backend, golden);
      const model = new LanguageModel({ ...loaded } as never);
      const [first, second = first] = golden.ids;
      const ids = [first, second.slice(0, 3), second.toReversed()];
      for (const [kvCache, pieces] of [
        ["f32", [1]],
        ["i8", [3, 1, 2]],
      ] as const) {
        const alone: Float32Array[] = [];
        for (const row of ids) alone.push(...(await readTexts({ model, kvCache }, [row], [99])));
        expect(await readTexts({ model, kvCache }, ids, pieces)).toEqual(alone);
        if (kvCache !== "f32" || isBeyondShortContext(model, first)) continue;
        const whole = await windowLogits(loaded, [first]).read();
        const furthest = whole.reduce((most, x, i) => Math.max(most, Math.abs(x - alone[0][i])), 0);
        expect(furthest).toBeLessThan(1e-3);
      }
    });
  });
});
