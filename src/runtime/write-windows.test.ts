import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeTinyCheckpoint, type TinyCheckpoint } from "../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { CancelledError, UsageError } from "../util/errors.ts";
import { generateText } from "./generate.ts";
import type { LanguageModel } from "./language-model.ts";
import { load } from "./load.ts";
import { writeWindows } from "./write-windows.ts";

const backend = createReferenceBackend();
const length = 14;

let tiny: TinyCheckpoint;
let model: LanguageModel;
beforeAll(async () => {
  tiny = await writeTinyCheckpoint({});
  model = await load(tiny.path, { backend });
});
afterAll(async () => {
  model.release();
  await tiny.remove();
});

/** A start token, two of the most likely tokens, then drawn ones. */
const planOf = (start: number) => ({
  next: (ids: readonly number[]) =>
    ids.length === 0 ? start : ids.length < 3 ? ("likeliest" as const) : ("drawn" as const),
  seed: start,
});

describe("windows that are written together", () => {
  test("are those that each plan gives by itself", async () => {
    const plans = [3, 7, 11, 20].map(planOf);
    const together = await writeWindows(model, plans, length);
    expect(together.map(({ length: of }) => of)).toEqual([length, length, length, length]);
    for (const [i, plan] of plans.entries()) {
      expect(await writeWindows(model, [plan], length)).toEqual([together[i]]);
    }
    expect(new Set(together.map(String)).size).toBe(plans.length);
  });

  test("end together where what follows matters in none, and repeat their last token until then", async () => {
    const until = (count: number) => ({
      next: (ids: readonly number[]) => (ids.length < count ? planOf(3).next(ids) : null),
      seed: 3,
    });
    const [short = [], long = []] = await writeWindows(model, [until(5), until(9)], length);
    expect([short.length, long.length]).toEqual([9, 9]);
    const [whole] = await writeWindows(model, [planOf(3)], length);
    expect([...long]).toEqual(Array.from(whole.subarray(0, 9)));
    expect([...short]).toEqual([...whole.slice(0, 5), ...new Array<number>(4).fill(whole[4])]);
  });

  test("are drawn at the temperature that is asked for", async () => {
    const prompt = [5, 9, 2];
    const given = {
      next: (ids: readonly number[]) => prompt[ids.length] ?? ("drawn" as const),
      seed: 4,
    };
    const [drawn] = await writeWindows(model, [given], length, { temperature: 0.5 });
    const options = { prompt, maxTokens: length - 3, ignoreEos: true, kvCache: "f32" } as const;
    const { tokens } = await generateText(model, { ...options, seed: 4, temperature: 0.5 });
    expect([...drawn]).toEqual([...prompt, ...tokens]);
  });

  test("have the tokens that generation gives, the most likely and the drawn ones", async () => {
    const prompt = [5, 9, 2];
    const given = { next: (ids: readonly number[]) => prompt[ids.length] ?? ("drawn" as const) };
    const most = { next: (ids: readonly number[]) => prompt[ids.length] ?? ("likeliest" as const) };
    const [drawn, likeliest] = await writeWindows(
      model,
      [
        { ...given, seed: 4 },
        { ...most, seed: 4 },
      ],
      length,
    );
    const options = { prompt, maxTokens: length - 3, ignoreEos: true, kvCache: "f32" } as const;
    const { tokens } = await generateText(model, { ...options, seed: 4, temperature: 1 });
    expect([...drawn]).toEqual([...prompt, ...tokens]);
    const greedy = await generateText(model, options);
    expect([...likeliest]).toEqual([...prompt, ...greedy.tokens]);
  });

  test("begin with a token, or are refused", async () => {
    const plan = { next: () => "drawn" as const, seed: 0 };
    await expect(writeWindows(model, [plan], length)).rejects.toThrow(UsageError);
  });

  test("end when they are cancelled", async () => {
    const controller = new AbortController();
    controller.abort();
    const run = writeWindows(model, [planOf(3)], length, { signal: controller.signal });
    await expect(run).rejects.toThrow(CancelledError);
  });
});
