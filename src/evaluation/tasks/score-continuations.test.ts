import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type LanguageModel, load } from "../../index.ts";
import { Prng } from "../../util/prng.ts";
import { scoreWindows } from "../score-windows.ts";
import { type Continuation, encodeContinuation } from "./encode-continuation.ts";
import { type ScoreContinuationsOptions, scoreContinuations } from "./score-continuations.ts";

const builtin = fileURLToPath(new URL("../../../builtin/", import.meta.url));

const exact: ScoreContinuationsOptions = { products: "exact" };

/**
 * Items as tasks have them: options of one context, one option of several contexts, single tokens,
 * and what stands alone.
 */
const pool: readonly Continuation[] = [
  ...["ran home.", "ran to the door.", "sat down and ate the bread.", "slept"].map((text) => ({
    context: "Examples come first. Tom saw a dog in the garden, and",
    continuation: ` ${text}`,
  })),
  ...["Mia", "Tom"].map((name) => ({
    context: `Examples come first. The cup was from ${name}, so`,
    continuation: " it was given back.",
  })),
  ...["yes", "no"].map((answer) => ({
    context: "Examples come first. Is snow white?",
    continuation: ` ${answer}`,
  })),
  { context: "", continuation: "The end" },
  { context: "Examples come first. Tom saw a dog in the garden, and", continuation: " ran" },
  { context: "Something else stands alone", continuation: " here, with nothing beside it." },
];

async function scoresOf(
  model: LanguageModel,
  texts: readonly Continuation[],
  options: ScoreContinuationsOptions,
): Promise<Float64Array> {
  return (await scoreContinuations(model, texts, options)).logLikelihoods;
}

/** The score of one text by itself, run as a window without a tree. */
async function scoreAlone(
  model: LanguageModel,
  text: Continuation,
  { products }: ScoreContinuationsOptions,
): Promise<number> {
  const window = encodeContinuation(model.tokenizer, text, model.config.contextLength);
  let score = 0;
  await scoreWindows(model, [window], {
    products,
    onScores: ([first]) => {
      score = -[...(first?.losses ?? [])].reduce((sum, loss) => sum + loss, 0);
    },
  });
  return score;
}

describe.each([
  ["a float model", "model", "native", exact, 1e-5],
  ["a float model on the reference backend", "model", "reference", exact, 1e-5],
  ["packed weights", "checkpoints/w1.58-seq", "native", exact, 1e-5],
  // Inputs of 8 bits: rounding in the last place may move one to the next step.
  [
    "packed weights and fast products",
    "checkpoints/w1.58-seq",
    "native",
    { products: "fast" },
    3e-3,
  ],
] as const)("log-likelihoods of continuations, %s", (_, path, backend, options, tolerance) => {
  it("are those that each text has alone, whatever else is in the batch", async () => {
    const model = await load(`${builtin}${path}`, { backend });
    const alone: number[] = [];
    for (const text of pool) alone.push(await scoreAlone(model, text, options));
    const random = new Prng(5);
    for (let round = 0; round < 4; round++) {
      const chosen = pool.flatMap((_, index) => (random.uniform() < 0.7 ? [index] : []));
      chosen.sort(() => random.uniform() - 0.5);
      const scores = await scoresOf(
        model,
        chosen.map((index) => pool[index] ?? pool[0]),
        options,
      );
      for (const [place, index] of chosen.entries()) {
        expect(Math.abs(scores[place] / (alone[index] ?? 0) - 1)).toBeLessThan(tolerance);
      }
    }
    model.release();
  });
});
