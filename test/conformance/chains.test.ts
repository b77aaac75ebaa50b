import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { evaluate, type Method, type QuantizeOptions, quantize } from "../../src/index.ts";
import { chooseScheme } from "../../src/recipe/choose-scheme.ts";
import { keptTables } from "../fixtures/kept-tables.ts";
import { writeFirstBlock } from "../golden/first-block.ts";
import { allMethods } from "./method-cases.ts";
import { takeTurns } from "./spread.ts";

/*
 * What a chain does by default must not be worse than its method alone: a transform in front of a
 * quantizer, a finisher behind it, in turn from quantizer to quantizer (all of them in `npm run
 * test:thorough`). Measured on the first block of the built-in model; docs/chains.md has the whole
 * of it.
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
interface Measured {
  readonly divergence: number;
  readonly perplexity: number;
}

async function measure(chain: object): Promise<Measured> {
  const out = join(folder, "out");
  const options = {
    scheme,
    calibration,
    threads: 1,
    ...keptTables,
    ...chain,
    out,
    overwrite: true,
  };
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

const quantizers = allMethods.filter(
  (method) =>
    method.role === "quantizer" &&
    !method.trainModel &&
    method.supports(chooseScheme(scheme, [method])),
);

/**
 * The methods of a role that go with a quantizer at the scheme, and are not warned of with it: what
 * a plan warns of may be worse.
 */
function partners(quantizer: Method, role: Method["role"]): Method[] {
  return allMethods.filter((method) => {
    const chain = [method, quantizer];
    const chosen = chooseScheme(scheme, chain);
    const fits = method.role === role && chain.every((each) => each.supports(chosen));
    return fits && !method.caution?.(chooseScheme(scheme, [quantizer]), quantizer);
  });
}

const toPutBefore = takeTurns<Method>(({ id }) => id);
const toPutBehind = takeTurns<Method>(({ id }) => id);
const cases = quantizers.map((quantizer) => ({
  id: quantizer.id,
  quantizer,
  transforms: toPutBefore(partners(quantizer, "transform")),
  finishers: toPutBehind(partners(quantizer, "finisher")),
}));

test("every transform and finisher that goes with one stands with some quantizer", () => {
  for (const role of ["transform", "finisher"] as const) {
    const found = cases.flatMap(({ transforms, finishers }) =>
      role === "transform" ? transforms : finishers,
    );
    const all = quantizers.flatMap((quantizer) => partners(quantizer, role));
    expect(new Set(found)).toEqual(new Set(all));
  }
});

describe.each(cases)("$id", ({ id: method, transforms, finishers }) => {
  let alone: Measured;
  beforeAll(async () => {
    alone = await measure({ method });
  });

  test("behind a transform is no further from the original than alone", async () => {
    expect(transforms.length).toBeGreaterThan(0);
    for (const { id } of transforms) {
      const { divergence } = await measure({ method, transforms: [id] });
      expect(divergence, id).toBeLessThanOrEqual(alone.divergence * room.divergence);
    }
  });

  test("with a finisher behind it is no further from what that learns than alone", async () => {
    expect(finishers.length).toBeGreaterThan(0);
    for (const { id, options, usesTeacher } of finishers) {
      // The predictions of the original, or the text.
      const figure = usesTeacher?.(options.parse({})) ? "divergence" : "perplexity";
      const made = await measure({ method, finishers: [id] });
      expect(made[figure], id).toBeLessThanOrEqual(alone[figure] * room[figure]);
    }
  });
});
