import { describe, expect, test } from "vitest";
import { NumericError, UsageError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import {
  checkSampling,
  draw,
  nextTokenDistribution,
  penalizeRepetition,
  type SamplingOptions,
  sampleToken,
} from "./sampling.ts";
import { expOfMinus, mostLikely } from "./token-weights.ts";

function randomLogits(seed: number, length: number): Float32Array {
  const prng = new Prng(seed);
  return Float32Array.from({ length }, () => 3 * prng.normal());
}

/** The same filters by sorting everything, as the definitions read. */
function distributionBySorting(
  logits: Float32Array,
  options: SamplingOptions,
): Map<number, number> {
  const { temperature = 1, topK = 0, topP = 1, minP = 0 } = options;
  let rows = [...logits].map((logit, id) => ({ id, weight: Math.exp(logit / temperature) }));
  rows.sort((a, b) => b.weight - a.weight || a.id - b.id);
  if (topK > 0) rows = rows.slice(0, topK);
  const total = rows.reduce((sum, row) => sum + row.weight, 0);
  let before = 0;
  rows = rows.filter((row) => {
    const kept = before < topP * total;
    before += row.weight;
    return kept;
  });
  rows = rows.filter((row) => row.weight >= minP * rows[0].weight);
  const left = rows.reduce((sum, row) => sum + row.weight, 0);
  return new Map(rows.map((row) => [row.id, row.weight / left]));
}

/** Goes down the sorted tokens until their probabilities exceed `u`. */
function drawFromSorted(distribution: Map<number, number>, u: number): number {
  let left = u;
  for (const [id, probability] of distribution) {
    left -= probability;
    if (left < 0) return id;
  }
  return [...distribution.keys()].at(-1) ?? -1;
}

describe("the distribution of the next token", () => {
  test.each<SamplingOptions>([
    {},
    { temperature: 0.7 },
    { topK: 1 },
    { topK: 17 },
    { topP: 0.9 },
    { topP: 0.05 },
    { minP: 0.1 },
    { temperature: 1.5, topK: 40, topP: 0.8, minP: 0.02 },
    { temperature: 2, topP: 0.99, minP: 0.05 },
    { topK: 1000, topP: 0.5 },
  ])("under %o is that of the definitions", (options) => {
    for (const seed of [1, 2, 3]) {
      const logits = randomLogits(seed, 300);
      const { ids, probabilities } = nextTokenDistribution(logits, options);
      const expected = distributionBySorting(logits, options);
      expect([...ids]).toEqual([...expected.keys()]);
      for (const [i, id] of ids.entries()) {
        expect(probabilities[i]).toBeCloseTo(expected.get(id) ?? 0, 12);
      }
    }
  });

  test("and the draws from it are those of sorting the vocabulary, whatever it looks like", () => {
    const prng = new Prng(11);
    for (let round = 0; round < 60; round++) {
      const length = 2 + prng.below(400);
      const spread = [0.01, 1, 5, 40][round % 4];
      // Whole logits tie often.
      const coarse = round % 3 === 0 ? 1 : 1e-4;
      const logits = Float32Array.from(
        { length },
        () => Math.round((spread * prng.normal()) / coarse) * coarse,
      );
      const options: SamplingOptions = {
        temperature: [0.3, 1, 2.5][prng.below(3)],
        topK: [0, 1, 7, 90][prng.below(4)],
        topP: [1, 0.999, 0.9, 0.3][prng.below(4)],
        minP: [0, 0.001, 0.2, 1][prng.below(4)],
      };
      const expected = distributionBySorting(logits, options);
      const { ids } = nextTokenDistribution(logits, options);
      expect([...ids]).toEqual([...expected.keys()]);
      for (let seed = 0; seed < 8; seed++) {
        const want = drawFromSorted(expected, new Prng(seed).uniform());
        expect(sampleToken(logits, options, [], new Prng(seed))).toBe(want);
      }
    }
  });

  test("the fast power of e is that of Math.exp", () => {
    for (let x = 0; x < 743; x += 0.0937) {
      const exact = Math.exp(-x);
      const room = exact * (2e-15 + x * 2e-16) + 5e-324;
      expect(Math.abs(expOfMinus(x) - exact)).toBeLessThanOrEqual(room);
    }
    expect([0, 750, Infinity].map(expOfMinus)).toEqual([1, 0, 0]);
  });

  test("top-p keeps the smallest set that reaches p", () => {
    const logits = Float32Array.from([0.5, 0.3, 0.15, 0.05].map(Math.log));
    expect([...nextTokenDistribution(logits, { topP: 0.79 }).ids]).toEqual([0, 1]);
    expect([...nextTokenDistribution(logits, { topP: 0.81 }).ids]).toEqual([0, 1, 2]);
    expect([...nextTokenDistribution(logits, { topP: 1e-9 }).ids]).toEqual([0]);
  });

  test("min-p keeps what is at least that share of the most likely", () => {
    const logits = Float32Array.from([0.5, 0.3, 0.15, 0.05].map(Math.log));
    expect([...nextTokenDistribution(logits, { minP: 0.29 }).ids]).toEqual([0, 1, 2]);
    expect([...nextTokenDistribution(logits, { minP: 1 }).ids]).toEqual([0]);
  });

  test("equal logits are taken by id", () => {
    const logits = new Float32Array(10);
    expect([...nextTokenDistribution(logits, { topK: 3 }).ids]).toEqual([0, 1, 2]);
    expect(mostLikely(logits)).toBe(0);
  });

  test("tokens at −∞ are never kept", () => {
    const logits = Float32Array.of(Number.NEGATIVE_INFINITY, 1, Number.NEGATIVE_INFINITY);
    expect([...nextTokenDistribution(logits, {}).ids]).toEqual([1]);
  });

  test("logits that are not numbers are a NumericError with their count", () => {
    const logits = Float32Array.of(1, Number.NaN, Number.NaN);
    expect(() => nextTokenDistribution(logits, {})).toThrow(NumericError);
    expect(() => mostLikely(logits)).toThrow("2 of 3 logits");
    const none = new Float32Array(3).fill(Number.NEGATIVE_INFINITY);
    expect(() => nextTokenDistribution(none, {})).toThrow(NumericError);
  });
});

describe("a draw", () => {
  test("hits each token as often as its probability says", () => {
    const logits = Float32Array.from([0.6, 0.3, 0.1].map(Math.log));
    const distribution = nextTokenDistribution(logits, {});
    const prng = new Prng(7);
    const counts = [0, 0, 0];
    for (let i = 0; i < 20_000; i++) counts[draw(distribution, prng)]++;
    expect(counts[0] / 20_000).toBeCloseTo(0.6, 1.5);
    expect(counts[2] / 20_000).toBeCloseTo(0.1, 1.5);
  });

  test("at temperature 0 is the most likely token, whatever the seed", () => {
    const logits = randomLogits(5, 100);
    const best = mostLikely(logits);
    for (let seed = 0; seed < 5; seed++) {
      expect(sampleToken(logits, { topK: 50 }, [], new Prng(seed))).toBe(best);
    }
  });

  test("is the same for the same seed", () => {
    const logits = randomLogits(6, 100);
    const options = { temperature: 1.2, topP: 0.95 };
    const run = (seed: number) => {
      const prng = new Prng(seed);
      return Array.from({ length: 20 }, () => sampleToken(logits, options, [], prng));
    };
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
  });
});

describe("the repetition penalty", () => {
  test("divides positive and multiplies negative logits of seen tokens, each once", () => {
    const logits = Float32Array.of(2, -2, 4, 0);
    expect([...penalizeRepetition(logits, [0, 1, 1, 0, 3], 2)]).toEqual([1, -4, 4, 0]);
    expect([...logits]).toEqual([2, -2, 4, 0]);
  });

  test("comes before the choice", () => {
    const logits = Float32Array.of(3, 2.9);
    expect(sampleToken(logits, {}, [0], new Prng(0))).toBe(0);
    expect(sampleToken(logits, { repetitionPenalty: 1.1 }, [0], new Prng(0))).toBe(1);
  });
});

test.each<[SamplingOptions, RegExp]>([
  [{ temperature: -1 }, /temperature must be 0 or more, got -1/],
  [{ temperature: Number.NaN }, /temperature/],
  [{ topK: 1.5 }, /top-k/],
  [{ topP: 0 }, /top-p/],
  [{ topP: 1.01 }, /top-p/],
  [{ minP: 2 }, /min-p/],
  [{ repetitionPenalty: 0 }, /repetition penalty/],
])("%o is refused", (options, message) => {
  expect(() => checkSampling(options)).toThrow(UsageError);
  expect(() => checkSampling(options)).toThrow(message);
});
