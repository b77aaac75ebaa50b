import { expect, test } from "vitest";
import type { TrainingOutcome } from "../training/training-loop.ts";
import { describeTraining } from "./training-record.ts";

const outcome = (change: Partial<TrainingOutcome>): TrainingOutcome => ({
  step: 8,
  losses: [4, 3, 2, 2, 2, 2, 2, 2],
  validations: [4, 3, 2, 2.5].map((loss, i) => ({ step: [0, 4, 6, 8][i], loss })),
  elapsedMs: 1000,
  firstStep: null,
  kept: null,
  diverged: null,
  ...change,
});
const setbackOf = (change: Partial<TrainingOutcome>) =>
  describeTraining(outcome(change), 10).setback;

test("a training that ended with its best state has no setback", () => {
  expect(setbackOf({ kept: { step: 8, loss: 2.5 } })).toBeUndefined();
  expect(setbackOf({ firstStep: { before: 2, after: 1.9 } })).toBeUndefined();
});

test("which state was kept is said, and what it is worth", () => {
  expect(setbackOf({ kept: { step: 6, loss: 2 } })).toBe(
    "the training went past its best: the state after step 6 of 8 is kept: " +
      "its held-out loss is 2.000, and was 4.000",
  );
  expect(setbackOf({ kept: { step: 0, loss: 4 } })).toMatch(
    /no better, and it is as it was before: the held-out loss was 4.000, and 2.000 at best after/,
  );
  expect(setbackOf({ firstStep: { before: 2, after: 3 } })).toMatch(/is 3.000, and was 2.000/);
});

test("a divergence is said with what is left", () => {
  const diverged = "training diverges: at step 9";
  expect(setbackOf({ diverged, kept: { step: 6, loss: 2 } })).toMatch(
    /^training diverges: at step 9; the state after step 6 of 8 is kept: its held-out loss is 2/,
  );
  expect(setbackOf({ diverged, kept: { step: 0, loss: 4 } })).toMatch(/; the model is as it was/);
});

test("a record has the held-out losses and the step that was kept", () => {
  const { validations } = outcome({});
  const record = describeTraining(outcome({ kept: { step: 6, loss: 2 } }), 10);
  expect(record).toMatchObject({ heldOut: validations, keptStep: 6, tokensPerSecond: 80 });
  expect(describeTraining(outcome({}), 10)).not.toHaveProperty("keptStep");
});
