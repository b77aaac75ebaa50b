import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { planQuantization, quantize } from "../../src/index.ts";
import { fewbitHere } from "./cli-process.ts";
import {
  besides,
  changesOf,
  filesOf,
  find,
  findAll,
  killAt,
  outputsIn,
  recordOf,
} from "./killed-runs.ts";
import {
  absent,
  calibrationText,
  everything,
  perplexityOf,
  shared,
  temporaryFolder,
} from "./shared-models.ts";

/*
 * EfficientQAT on real models: what it brings, that it agrees with PyTorch, and that a chain which
 * is killed resumes.
 */

const inFolder = temporaryFolder();
const outputIn = outputsIn(inFolder);
const small = shared("models/stories260K");

/** A short chain on a small model. */
const chain = [
  "--preset efficientqat --scheme w2g32 --epochs 1 --precision f32 --samples 8 --window 32",
  "--e2e-qp-batch 1 --e2e-qp-checkpoint-every 2 --e2e-qp-precision f32 --threads 1",
].flatMap((words) => words.split(" "));

const argsOf = (out: string, more: readonly string[] = []): string[] => {
  const text = ["--calibration", calibrationText("stories260K")];
  return ["quantize", small, "--out", out, ...text, ...chain, ...more];
};

describe.skipIf(absent)(
  `a chain that is killed and run again${absent}`,
  { timeout: 600_000 },
  () => {
    let whole = "";
    let changes: string[] = [];
    let expected: Record<string, string> = {};
    beforeAll(async () => {
      whole = outputIn("whole");
      changes = await changesOf(argsOf(whole), inFolder("changes"));
      expected = filesOf(whole);
    });

    test("ends at the same bytes, wherever it was killed; activations on the disk change nothing", async () => {
      expect(besides(whole)).toEqual([]);
      const record = recordOf(whole);
      expect(record.recipe.finishers).toMatchObject([{ method: "e2e-qp" }]);
      expect(record.blocks).toHaveLength(5);
      expect(record.finishers).toMatchObject([{ method: "e2e-qp", training: { steps: 8 } }]);

      const out = outputIn("killed");
      const onDisk = argsOf(out, ["--cache-on-disk"]);
      // In the third block; then, in a run that begins there, in the training of the scales.
      const first = await killAt(onDisk, find(changes, /^write journal/, 4));
      expect(first.code).toBeNull();
      const states = findAll(changes, /state-\d+\.json/);
      expect(states.length).toBeGreaterThan(1);
      const finished = await fewbitHere(onDisk);
      expect({ code: finished.code, stderr: finished.stderr }).toMatchObject({ code: 0 });
      expect(finished.stderr).toContain("resuming after block");
      expect(filesOf(out)).toEqual(expected);
      expect(besides(out)).toEqual([]);

      const later = outputIn("later");
      const second = await killAt(argsOf(later), states[1]);
      expect(second.code).toBeNull();
      expect(besides(later).some((name) => name.endsWith(".stage-1"))).toBe(true);
      const other = await fewbitHere(argsOf(later, ["--learning-rate", "1e-3"]));
      expect(other.code).not.toBe(0);
      expect(other.stderr).toContain("its stage 1 was made otherwise");
      const rest = await fewbitHere(argsOf(later));
      expect(rest.stderr).toContain("Block-AP: done by the interrupted run");
      expect(filesOf(later)).toEqual(expected);
      expect(besides(later)).toEqual([]);
    });

    test("killed after its output got its name, it is cleaned up behind and its result reported", async () => {
      const last = [find(changes, /^rm \.out\.stage-1/, -1), find(changes, /^rm \.journal/, -1)];
      expect(last[0]).toBeGreaterThan(find(changes, /^rename out/, -1));
      for (const [index, at] of last.entries()) {
        const out = outputIn(`named-${index}`);
        expect((await killAt(argsOf(out), at)).code).toBeNull();
        expect(recordOf(out).finishers).toHaveLength(1);
        const finished = await fewbitHere(argsOf(out));
        expect({ code: finished.code, stderr: finished.stderr }).toMatchObject({ code: 0 });
        expect(finished.stderr).toContain("everything but the last step");
        expect(filesOf(out)).toEqual(expected);
        expect(besides(out)).toEqual([]);
      }
    });

    test("conversations are refused by a model without a chat template, before any work", async () => {
      const chats = inFolder("chats.jsonl");
      const messages = [
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Hello" },
      ];
      writeFileSync(chats, `${JSON.stringify({ messages })}\n`);
      const text = ["--finish-text", chats, "--finish-samples", "1"];
      const methods = "--method rtn --scheme w4 --finish e2e-qp".split(" ");
      const out = ["--out", inFolder("chats")];
      const { code, stderr } = await fewbitHere(["quantize", small, ...out, ...methods, ...text]);
      expect(code).not.toBe(0);
      expect(stderr).toContain("no chat template");
    });

    test("a preset and methods beside it are refused", async () => {
      const { code, stderr } = await fewbitHere(argsOf(inFolder("x"), ["--method", "rtn"]));
      expect(code).toBe(2);
      expect(stderr).toContain("the preset efficientqat names the methods already");
    });

    test("the plan says what the activations take", async () => {
      const options = {
        preset: "efficientqat",
        scheme: "w2g32",
        out: inFolder("plan"),
        calibration: calibrationText("stories260K"),
        samples: 10,
        window: 100,
        cacheOnDisk: true,
        cacheDType: "f16",
      } as const;
      const { activations, methodTitle } = await planQuantization(small, options);
      expect(methodTitle).toBe("Block-AP from GPTQ + E2E-QP");
      expect(activations).toEqual({ bytes: 2 * 2 * 10 * 100 * 64, dtype: "f16", onDisk: true });
    });
  },
);

const model = "babyllama-tok105";
const reference = (): Record<string, number> =>
  JSON.parse(readFileSync(shared(`reference/${model}-trained.json`), "utf8"));

const usual = {
  calibration: calibrationText(model),
  scheme: "w2g32",
  window: 256,
  threads: 1,
} as const;

describe.skipIf(absent)(`EfficientQAT at 2 bits${absent}`, { timeout: 3_600_000 }, () => {
  test("Block-AP is better than GPTQ, and E2E-QP makes it better still", async () => {
    const source = shared("models/stories260K");
    const options = {
      ...usual,
      calibration: calibrationText("stories260K"),
      samples: 24,
      window: 128,
    };
    const evaluate = (path: string) => perplexityOf(path, "stories260K", 24);
    const gptq = inFolder("gptq");
    const alone = inFolder("alone");
    const both = inFolder("both");
    await quantize(source, { ...options, method: "gptq", out: gptq });
    await quantize(source, { ...options, method: "block-ap", out: alone });
    const finishers = [{ method: "e2e-qp", options: { epochs: 2 } }] as const;
    await quantize(source, { ...options, preset: "efficientqat", finishers, out: both });
    const [a, b, c] = [await evaluate(gptq), await evaluate(alone), await evaluate(both)];
    expect(b).toBeLessThan(a);
    expect(c).toBeLessThan(b);
  });

  const rates = [
    { scales: 0.0001, weights: 2e-5, end: 2e-5 },
    { scales: 0.001, weights: 0.0002, end: 0.001 },
  ];
  test.skipIf(!everything).each(rates)(
    "no worse than PyTorch by more than 3 %: rates $scales, $weights, $end (FEWBIT_FULL_ACCURACY=1)",
    async ({ scales, weights, end }) => {
      const key = `w2g32 block-ap qlr ${scales} wlr ${weights === 2e-5 ? "2e-05" : weights} n 509`;
      const expected = reference();
      const precision = "f32";
      const asTheAuthors = { loss: "squared", validation: 0, precision } as const;
      const options = {
        ...asTheAuthors,
        learningRate: weights,
        scaleLearningRate: scales,
      } as const;
      const shape = { ...usual, samples: 509, options, start: null } as const;
      const source = shared(`models/${model}`);
      const alone = inFolder(`alone-${scales}`);
      await quantize(source, { ...shape, method: "block-ap", out: alone });
      expect(await perplexityOf(alone, model)).toBeLessThan(1.03 * expected[key]);
      const both = inFolder(`both-${scales}`);
      const finishers = [
        {
          method: "e2e-qp",
          options: { learningRate: end, batch: 8, precision, loss: "cross-entropy", heldOut: 0 },
        },
      ] as const;
      await quantize(source, { ...shape, preset: "efficientqat", finishers, out: both });
      const last = `${key} + e2e-qp lr ${end === 2e-5 ? "2e-05" : end}`;
      expect(await perplexityOf(both, model)).toBeLessThan(1.03 * expected[last]);
    },
  );
});
