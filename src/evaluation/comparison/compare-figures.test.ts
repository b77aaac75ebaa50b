import { describe, expect, it } from "vitest";
import { Prng } from "../../util/prng.ts";
import { compareFigures, type MeasuredModel } from "./compare-figures.ts";
import type { GenerationFigures } from "../generation/generation.ts";
import type { TaskScore } from "../tasks/task.ts";

/** A task score whose answers are right where the digits are 1. */
function makeScore(name: string, right: readonly number[], normalized: boolean): TaskScore {
  const mean = right.reduce((sum, digit) => sum + digit, 0) / right.length;
  const accuracy = { mean, standardError: 0.01 };
  return {
    name,
    sha256: "a7",
    shots: 0,
    items: right.length,
    limited: false,
    accuracy,
    normalizedAccuracy: normalized ? accuracy : null,
    perplexity: null,
    chance: 0.25,
    accuracyAboveChance: (mean - 0.25) / 0.75,
    answers: right.map((digit) => ({
      logLikelihoods: [],
      right: digit === 1,
      rightNormalized: normalized ? digit === 0 : null,
    })),
  };
}

/** What a model wrote that repeats itself so much more than others. */
function makeGeneration(rates: readonly number[], more: number): GenerationFigures {
  const mean = { mean: 0, interval: null };
  const none = { promptSet: null, maxTokens: 8, temperature: 0, seed: 0, reproduced: null };
  return {
    ...none,
    promptsSha256: "3c",
    repetition: mean,
    loops: mean,
    distinct: { one: null, two: null, three: null },
    length: mean,
    ended: mean,
    klDivergence: null,
    continuations: rates.map((rate) => ({
      prompt: "p",
      text: "t",
      tokens: 8,
      ended: false,
      repetition: rate + more,
      loop: null,
      klDivergence: null,
      reproduced: null,
    })),
  };
}

function makeModel(loss: number, share: number): MeasuredModel {
  const text = new Prng(1);
  const own = new Prng(Math.round(1000 * loss));
  const windowLosses = Array.from(
    { length: 50 },
    () => loss + 0.4 * text.normal() + 0.01 * own.normal(),
  );
  const digits = Array.from({ length: 100 }, (_, i) => (i < 100 * share ? 1 : 0));
  return {
    text: { text: "test.txt", windowLosses, klDivergence: null, tokensSha256: "70" },
    tasks: [makeScore("where", digits, false), makeScore("who", digits, true)],
    generation: makeGeneration([0.1, 0.2, 0.1, 0.3, 0.2, 0.1, 0.2, 0.3], share),
  };
}

describe("compareFigures", () => {
  const figures = compareFigures(makeModel(2, 0.5), makeModel(2.05, 0.5));

  it("has the text, the mean over tasks, and each task's accuracies", () => {
    expect(figures.map(({ kind, subject, measure }) => [kind, subject, measure])).toEqual([
      ["perplexity", "test.txt", null],
      ["accuracy", "tasks", null],
      ["accuracy", "where", "acc"],
      ["accuracy", "who", "acc"],
      ["accuracy", "who", "acc_norm"],
      ["repetition", "continuations", null],
    ]);
  });

  it("decides what pairing decides, and nothing between equal answers", () => {
    const [perplexity, ...accuracies] = figures;
    expect(perplexity?.difference.verdict).toBe("a");
    expect(perplexity?.difference.estimate).toBeCloseTo(-0.05, 2);
    expect(perplexity?.a.interval.high).toBeGreaterThan(perplexity?.b.value ?? 0);
    for (const { difference } of accuracies) {
      expect(difference).toMatchObject({ estimate: 0, pValue: 1, verdict: "undecided" });
    }
  });

  it("counts a higher accuracy as better, and gives it an interval like Wilson's", () => {
    const found = compareFigures(makeModel(2, 0.5), makeModel(2, 0.7));
    const where = found.find(({ subject }) => subject === "where");
    expect(where?.difference).toMatchObject({ verdict: "b" });
    expect(where?.difference.estimate).toBeCloseTo(-0.2, 12);
    // Wilson's interval of 50 of 100
    expect(Math.abs((where?.a.interval.low ?? 0) - 0.4038)).toBeLessThan(0.01);
    const normalized = found.find(({ measure }) => measure === "acc_norm");
    expect(normalized?.difference.verdict).toBe("a");
  });

  it("counts less repetition as better", () => {
    const found = compareFigures(makeModel(2, 0.5), makeModel(2, 0.7));
    const repetition = found.find(({ kind }) => kind === "repetition");
    expect(repetition?.difference.verdict).toBe("a");
    expect(repetition?.difference.estimate).toBeCloseTo(-0.2, 12);
  });

  it("refuses other windows, other items and other prompts", () => {
    const model = makeModel(2, 0.5);
    const others = { ...model, text: model.text && { ...model.text, tokensSha256: "71" } };
    expect(() => compareFigures(model, others)).toThrow(/same windows of the text/);
    const asked = { ...model.generation, promptsSha256: "3d" } as GenerationFigures;
    expect(() => compareFigures(model, { ...model, generation: asked })).toThrow(/same prompts/);
    const fewer = { ...model, tasks: [makeScore("where", [1, 0], false)] };
    expect(() => compareFigures(model, fewer)).toThrow(/same items of where/);
  });
});
