import { expect, test } from "vitest";
import { describeContinuations } from "./describe-continuations.ts";
import type { OpenedPrompts } from "./open-prompts.ts";
import type { Written } from "./write-continuations.ts";

const opened: OpenedPrompts = {
  set: "fewbit-1",
  sha256: "0f",
  prompts: ["One", "Two"].map((text) => ({ text, ids: [1], maxTokens: 40 })),
};
const end = 99;
const counting = (length: number): number[] => Array.from({ length }, (_, i) => i);
const write = (ids: number[], ended = false): Written => ({ ids, text: ids.join(" "), ended });

test("one continuation loops, the other ends: figures are means over both", () => {
  const written = [write(new Array<number>(20).fill(7)), write([1, 2, 3, 4, 5, end], true)];
  const figures = describeContinuations(written, { choice: {}, opened });
  expect(figures).toMatchObject({
    promptSet: "fewbit-1",
    maxTokens: 128,
    temperature: 0,
    seed: 0,
    klDivergence: null,
    reproduced: null,
    distinct: { one: null, two: null, three: null },
  });
  expect(figures.repetition.mean).toBeCloseTo(16 / 17 / 2, 12);
  expect(figures.loops.mean).toBe(0.5);
  expect(figures.ended.mean).toBe(0.5);
  expect(figures.length.mean).toBe(12.5);
  const { low = -1, high = 2 } = figures.repetition.interval ?? {};
  expect([low, high]).toEqual([0, 1]);
  expect(figures.continuations.map(({ loop, tokens, ended }) => [loop, tokens, ended])).toEqual([
    [1, 20, false],
    [null, 5, true],
  ]);
});

test("one token alone repeats nearly everything", () => {
  const written = [write(new Array<number>(200).fill(7)), write(new Array<number>(300).fill(8))];
  const { repetition, loops, distinct } = describeContinuations(written, { choice: {}, opened });
  expect(repetition.mean).toBeGreaterThan(0.99);
  expect(loops.mean).toBe(1);
  expect(distinct.one).toBeLessThan(0.01);
});

test("the original's tokens are followed to the first other one, its end included", () => {
  const original = [write(counting(10)), write([5, 6, 7, end], true)];
  const own = [write([0, 1, 2, 3, 9, 5, 6, 7, 8, 9]), write([5, 6, 7, end], true)];
  const options = { choice: {}, opened, kept: { written: original }, divergences: [0.5, 1.5] };
  const { reproduced, klDivergence, continuations } = describeContinuations(own, options);
  expect(continuations.map((each) => each.reproduced)).toEqual([
    { tokens: 4, share: 0.4 },
    { tokens: 4, share: 1 },
  ]);
  expect(reproduced?.tokens).toBe(4);
  expect(reproduced?.share.mean).toBeCloseTo(0.7, 12);
  expect(klDivergence?.mean).toBe(1);
  const drawn = describeContinuations(own, { ...options, choice: { temperature: 0.8 } });
  expect(drawn.reproduced).toBeNull();
  expect(drawn.klDivergence?.mean).toBe(1);
});
