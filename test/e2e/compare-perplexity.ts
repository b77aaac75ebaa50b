import { expect, test } from "vitest";
import type { QuantizeOptions } from "../../src/index.ts";
import {
  everything,
  type ModelName,
  perplexityOf,
  quantizeLikeReference,
  readReference,
  shared,
} from "./shared-models.ts";

/** What is compared unless everything is. */
interface Usual {
  /** Ids of schemes; by default all that have reference values. */
  readonly schemes?: readonly string[];
  /**
   * Windows that are evaluated; by default all. On fewer, the reference values are scaled by what
   * the float model has there.
   */
  readonly windows?: number;
  /** Ways to quantize. */
  readonly ways?: readonly Way[];
}

type Way = keyof typeof ways;

/** The methods of the reference values, as options of ours. */
const ways = {
  rtn: { method: "rtn" },
  gptq: { method: "gptq" },
  "gptq-actorder-static": { method: "gptq", options: { activationOrder: true } },
} as const;

/** How far perplexity may be from the reference: tiny models are chaotic at 2 bits. */
const toleranceOf = (scheme: string): number => (scheme.startsWith("w2") ? 0.1 : 0.02);

/** Compares the perplexity of a model after RTN and GPTQ with its reference values. */
export function comparePerplexity(
  model: ModelName,
  inFolder: (name: string) => string,
  limits: Usual = {},
): void {
  const usual = everything ? {} : limits;
  const { schemes, perplexity: float } = readReference(model);
  const chosen = [...schemes].filter(([scheme]) => usual.schemes?.includes(scheme) ?? true);
  test.each(chosen)("%s", { timeout: 600_000 }, async (scheme, expected) => {
    const evaluate = (path: string) => perplexityOf(path, model, usual.windows);
    const share = usual.windows ? (await evaluate(shared(`models/${model}`))) / float : 1;
    const found: Partial<Record<Way, number>> = {};
    const tolerance = toleranceOf(scheme);
    for (const way of usual.ways ?? (Object.keys(ways) as Way[])) {
      const options: QuantizeOptions = { ...ways[way], scheme, out: inFolder(scheme) };
      found[way] = await evaluate(await quantizeLikeReference(model, options));
      const ratio = found[way] / (expected[way] * share);
      const text = `${way}: ${found[way]}, expected ${expected[way] * share}`;
      if (process.env.FEWBIT_SHOW_ACCURACY)
        console.log(`${model} ${scheme} ${text}, ratio ${ratio}`);
      expect.soft(ratio, text).toBeLessThan(1 + tolerance);
      // Ours differs from the authors' GPTQ by the clipping search; RTN is the same arithmetic.
      if (way === "rtn") expect.soft(ratio, text).toBeGreaterThan(1 - tolerance);
      else
        expect.soft(found[way], `${text}, no worse than rtn`).toBeLessThanOrEqual(found.rtn ?? 0);
    }
  });
}
