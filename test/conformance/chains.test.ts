import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { evaluate, type Method, type QuantizeOptions, quantize } from "../../src/index.ts";
import { chooseScheme } from "../../src/recipe/choose-scheme.ts";
import { writeFirstBlock } from "../golden/first-block.ts";
import { allMethods } from "./method-cases.ts";

/*
 * What a chain does by default must not be worse than its method alone: a transform in front of a
 * quantizer, a finisher behind it. Measured on the first block of the built-in model; docs/chains.md
 * has the whole of it.
 */

const builtin = (path: string): string =>
  fileURLToPath(new URL(`../../builtin/${path}`, import.meta.url));
const scheme = "w3g64";
const calibration = {
  files: [{ path: builtin("text/calibration.txt") }],
  samples: 24,
  window: 64,
};
/** What so little text may leave to chance. */
const room = { divergence: 1.05, perplexity: 1.005 };

let folder = "";
let model = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-chains-"));
  model = join(folder, "first-block");
  await writeFirstBlock(model);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** How far what a chain makes is from the original, in nats a token, and how well it predicts. */
async function measure(chain: object): Promise<{ divergence: number; perplexity: number }> {
  const out = join(folder, "out");
  const options = { scheme, calibration, threads: 1, ...chain, out, overwrite: true };
  await quantize(model, options as unknown as QuantizeOptions);
  const { klDivergence, perplexity } = await evaluate(out, {
    text: builtin("text/validation.txt"),
    window: 64,
    maxWindows: 96,
    against: model,
    speedTokens: 0,
    threads: 1,
  });
  return { divergence: klDivergence?.mean ?? Number.NaN, perplexity };
}

/** The methods of a role that go with another one at the scheme. */
function partners(quantizer: Method, role: Method["role"]): Method[] {
  return allMethods.filter((method) => {
    const chain = [method, quantizer];
    const chosen = chooseScheme(scheme, chain);
    return method.role === role && chain.every((each) => each.supports(chosen));
  });
}

const quantizers = allMethods.filter(
  (method) =>
    method.role === "quantizer" &&
    !method.trainModel &&
    method.supports(chooseScheme(scheme, [method])),
);

describe.each(quantizers)("$id", (quantizer) => {
  const { id: method } = quantizer;

  test("behind a transform is no further from the original than alone", async () => {
    const alone = await measure({ method });
    const found = partners(quantizer, "transform");
    expect(found.length).toBeGreaterThan(0);
    for (const { id, caution } of found) {
      // What a plan warns of may be worse.
      if (caution?.(chooseScheme(scheme, [quantizer]), quantizer)) continue;
      const { divergence } = await measure({ method, transforms: [id] });
      expect(divergence, id).toBeLessThanOrEqual(alone.divergence * room.divergence);
    }
  });

  test("with a finisher behind it is no further from what that learns than alone", async () => {
    const alone = await measure({ method });
    const found = partners(quantizer, "finisher");
    expect(found.length).toBeGreaterThan(0);
    for (const { id, options, usesTeacher } of found) {
      // The predictions of the original, or the text.
      const figure = usesTeacher?.(options.parse({})) ? "divergence" : "perplexity";
      const made = await measure({ method, finishers: [id] });
      expect(made[figure], id).toBeLessThanOrEqual(alone[figure] * room[figure]);
    }
  });
});
