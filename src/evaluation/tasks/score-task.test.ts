import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { load } from "../../index.ts";
import type { Continuation } from "./encode-continuation.ts";
import { openTask } from "./open-task.ts";
import { type ContinuationScores, scoreContinuations } from "./score-continuations.ts";
import { scoreTask, summarize } from "./score-task.ts";
import { multipleChoice, type Task } from "./task.ts";

const data = fileURLToPath(new URL("../../../../shared/data/", import.meta.url));
const absent = existsSync(`${data}models/stories260K`)
  ? ""
  : " (skipped: the shared models, ../shared/data, are not on this machine)";

const scores = (...sums: readonly number[]): ContinuationScores => ({
  logLikelihoods: Float64Array.from(sums),
  greedy: null,
});

const questions = (...golds: number[]): Task => ({
  name: "numbers",
  items: golds.map((gold) => multipleChoice("Two and two are", ["four", "ten thousand"], gold)),
});

describe("summarize", () => {
  it("counts the likeliest option, and divides by characters for the normalised accuracy", () => {
    const score = summarize(questions(0, 1), scores(-3, -4, -3, -4));
    expect(score.accuracy.mean).toBe(0.5);
    // -3/4 < -4/12: the long answer wins both times.
    expect(score.normalizedAccuracy?.mean).toBe(0.5);
    expect(summarize(questions(1, 1), scores(-3, -4, -3, -4))).toMatchObject({
      accuracy: { mean: 0, standardError: 0 },
      normalizedAccuracy: { mean: 1, standardError: 0 },
      accuracyAboveChance: -1,
    });
  });

  it("gives the standard error of a mean of zeros and ones", () => {
    const score = summarize(questions(0, 1, 0, 1, 1), scores(...new Array<number>(10).fill(-1)));
    expect(score.accuracy.mean).toBeCloseTo(0.4, 12);
    expect(score.accuracy.standardError).toBeCloseTo(Math.sqrt((0.4 * 0.6) / 4), 12);
  });

  it("puts guessing at 0 above chance and always right at 1", () => {
    const score = summarize(questions(0, 0), scores(-1, -2, -1, -2));
    expect(score).toMatchObject({ chance: 0.5, accuracyAboveChance: 1 });
    const half = summarize(questions(0, 1), scores(-1, -2, -1, -2));
    expect(half.accuracyAboveChance).toBe(0);
  });
});

describe.skipIf(absent !== "")(`log-likelihoods${absent}`, () => {
  it("do not depend on what else is scored", async () => {
    const model = await load(`${data}models/stories260K`);
    const task = await openTask(`${data}tasks/arc_easy.jsonl`);
    const [item] = task.items;
    if (!item) throw new Error("the task is empty");
    const options = { products: "exact" } as const;
    const sums = async (texts: readonly Continuation[]): Promise<Float64Array> =>
      (await scoreContinuations(model, texts, options)).logLikelihoods;
    const alone = await sums(item.options.slice(0, 1));
    const doubled = [...item.options, ...item.options];
    const together = await sums(doubled);
    expect(together[0]).toBeCloseTo(alone[0] ?? 0, 4);
    expect(together[item.options.length]).toBe(together[0]);
    model.release();
  });

  it("of texts longer than the context are those of their end", async () => {
    const model = await load(`${data}models/stories260K`);
    const { contextLength } = model.config;
    const long = "Tom saw a dog. ".repeat(contextLength);
    const continuation = " He was happy.";
    const score = async (context: string): Promise<number> => {
      const texts = [{ context, continuation }];
      const { logLikelihoods } = await scoreContinuations(model, texts, { products: "exact" });
      return logLikelihoods[0] ?? 0;
    };
    expect(await score(`A different start. ${long}`)).toBeCloseTo(await score(long), 3);
    const endless = { context: "", continuation: long };
    await expect(scoreContinuations(model, [endless], { products: "exact" })).rejects.toThrow(
      /too many to be scored/,
    );
    model.release();
  });

  it("reports every option as done", async () => {
    const model = await load(`${data}models/stories260K`);
    const seen: number[] = [];
    const score = await scoreTask(model, questions(0, 0, 0), {
      onProgress: (done, total) => seen.push(done, total),
    });
    expect(score.items).toBe(3);
    expect(seen.slice(-2)).toEqual([6, 6]);
    model.release();
  });
});
