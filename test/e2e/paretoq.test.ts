import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { exportCheckpoint, type Plan, type QuantizeOptions } from "../../src/index.ts";
import { fewbitHere } from "./cli-process.ts";
import {
  besides,
  changesOf,
  filesOf,
  findAll,
  killAt,
  outputsIn,
  recordOf,
} from "./killed-runs.ts";
import {
  absent,
  calibrationText,
  evaluationText,
  everything,
  perplexityOf,
  quantizeLikeReference,
  shared,
  temporaryFolder,
} from "./shared-models.ts";

const inFolder = temporaryFolder();
const outputIn = outputsIn(inFolder);
const small = "stories260K";
const text = ["--calibration", calibrationText(small), "--samples", "40", "--window", "64"];
const train = ["--method", "paretoq", "--steps", "8", "--batch", "2", "--checkpoint-every", "2"];

const quantizeArgs = (out: string, ...more: readonly string[]): string[] => {
  const scheme = more.includes("--scheme") ? [] : ["--scheme", "w2-seq"];
  return [
    "quantize",
    shared(`models/${small}`),
    "--out",
    out,
    ...train,
    ...text,
    ...scheme,
    ...more,
  ];
};

describe.skipIf(absent)(`training a model to few bits${absent}`, () => {
  test("a training that is killed resumes to the same bytes, and the record says so", async () => {
    const whole = outputIn("whole");
    const changes = await changesOf(quantizeArgs(whole), inFolder("changes"));
    const states = findAll(changes, /^rename state-\d+\.safetensors$/);
    expect(states).toHaveLength(4);
    const out = outputIn("killed");
    for (const at of [`${states[0] - 3}half`, states[2] - 1, states[1] - states[0] + 9]) {
      expect((await killAt(quantizeArgs(out), at)).code, `killed at ${at}`).toBe(null);
    }
    const finished = await fewbitHere(quantizeArgs(out));
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toMatch(/resuming after step [46] of a run interrupted/);
    expect(filesOf(out)).toEqual(filesOf(whole));
    expect(besides(out)).toEqual([]);
    const record = recordOf(out);
    expect(record.training).toMatchObject({ steps: 8, tokensPerStep: 128 });
    expect(record.training.losses).toHaveLength(8);
    expect(record.resumptions.at(-1).steps).toBeGreaterThan(0);
  });

  test("with a limit of memory it goes through its batches in parts, to the same losses", async () => {
    const [whole, limited] = [outputIn("unlimited"), outputIn("limited")];
    const asked = ["--steps", "3", "--batch", "8"];
    expect((await fewbitHere(quantizeArgs(whole, ...asked))).code).toBe(0);
    const dry = await fewbitHere(quantizeArgs(whole, ...asked, "--dry-run", "--json"));
    const { estimate } = JSON.parse(dry.stdout) as Plan;
    const memory = `${estimate.memoryBytes - 1}`;
    const { code, stderr } = await fewbitHere(quantizeArgs(limited, ...asked, "--memory", memory));
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/to\s+stay\s+within\s+its\s+memory:\s+4\s+windows\s+at\s+once/);
    expect(recordOf(limited).recipe.options).toMatchObject({ windowsAtOnce: 4, batch: 8 });
    const [expected, found] = [whole, limited].map((out) => recordOf(out).training.losses);
    expect(found).toHaveLength(3);
    for (const [i, loss] of found.entries()) expect(loss).toBeCloseTo(expected[i], 4);
  });

  test("packed = decoded, and embedding and norms stay in the dtype they were stored in", async () => {
    const packed = outputIn("packed");
    const { code, stderr } = await fewbitHere(quantizeArgs(packed, "--scheme", "w1.58g32-seq"));
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("8 steps of 128 tokens");
    await exportCheckpoint(packed, { format: "hf", out: inFolder("decoded") });
    const perplexity = await perplexityOf(packed, small, 20);
    const decoded = await perplexityOf(inFolder("decoded"), small, 20);
    expect(Math.abs(perplexity / decoded - 1)).toBeLessThan(1e-3);
  });

  test("a training that diverges says where and what to do, and keeps its last good state", async () => {
    const out = outputIn("diverged");
    const args = quantizeArgs(out, "--learning-rate", "1e30", "--clip", "0", "--steps", "40");
    const { code, stderr } = await fewbitHere([...args, "--checkpoint-every", "1"]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/training diverged: .*not finite at step \d+; the backward pass met it/);
    expect(stderr).toMatch(/try a learning rate below/);
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(dirname(out))).toEqual([expect.stringMatching(/^\.out\.unfinished-free-/)]);
  });

  test.each([
    ["--steps and --epochs", ["--epochs", "1"], "steps or in epochs, not both"],
    ["a transform", ["--transform", "smoothquant"], "trains all weights"],
    ["a quantized embedding", ["--embedding", "w8"], "stay in 16 bits"],
    ["a teacher that is of no use", ["--teacher", shared("models/stories260K")], "has no teacher"],
    ["zero points", ["--scheme", "w2g32-floatzero"], "does not support the scheme w2g32-f"],
    ["a warm-up that is too long", ["--warm-up", "9"], "longer than the 8 steps"],
  ])("%s: refused before any work", async (_, options, message) => {
    const out = outputIn(message.replaceAll(" ", "-"));
    const { code, stderr } = await fewbitHere(quantizeArgs(out, ...options));
    expect(code).not.toBe(0);
    expect(stderr).toContain(message);
    expect(readdirSync(dirname(out))).toEqual([]);
  });

  test("text is needed, and the error says how to give it", async () => {
    const out = outputIn("no-text");
    const args = ["quantize", shared(`models/${small}`), "--out", out, ...train];
    const { code, stderr } = await fewbitHere([...args, "--scheme", "w2-seq"]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("ParetoQ needs calibration text");
  });
});

/** Perplexities of the authors' quantizers in PyTorch, trained as here. */
const rows = [
  ["w2-seq", "paretoq 2 seq lr 0.001 steps 400 bs 8"],
  ["w1-elastic", "paretoq 1 elastic lr 0.001 steps 400 bs 8"],
  ["w1.58-seq", "paretoq 1.58 seq lr 0.001 steps 400 bs 8"],
  ["w2-sym", "paretoq 2 lsq lr 0.001 steps 400 bs 8"],
  ["w3-sym", "paretoq 3 lsq lr 0.001 steps 400 bs 8"],
  ["w4-sym", "paretoq 4 lsq lr 0.001 steps 400 bs 8"],
] as const;

const skipped = everything
  ? absent
  : " (skipped: takes minutes a row; FEWBIT_FULL_ACCURACY=1 runs it)";

describe.skipIf(skipped)(`ParetoQ as in PyTorch${skipped}`, () => {
  test.each(rows)(
    "%s is no worse by more than 3 %",
    { timeout: 3_600_000 },
    async (scheme, key) => {
      const model = "babyllama-tok105";
      const out = await quantizeLikeReference(model, {
        method: "paretoq",
        scheme,
        options: { steps: 400, batch: 8, learningRate: 1e-3, clip: 1 },
        calibration: calibrationText(model),
        samples: 509,
        window: 256,
        out: inFolder(scheme),
      });
      const reference = JSON.parse(
        readFileSync(shared("reference/babyllama-tok105-trained.json"), "utf8"),
      );
      expect(evaluationText(model)).toContain("tinystories-eval");
      expect((await perplexityOf(out, model)) / reference[key]).toBeLessThan(1.03);
    },
  );
});

describe.skipIf(absent)(`a short training at 2 bits${absent}`, () => {
  const common = { calibration: calibrationText(small), samples: 100, window: 128 } as const;
  const options = { steps: 30, batch: 8, learningRate: 2e-3 } as const;

  async function perplexityAfter(choice: Pick<QuantizeOptions, "method" | "scheme" | "options">) {
    const out = inFolder(`${choice.method}-${choice.scheme}`);
    const made = { ...common, ...choice, out } as QuantizeOptions;
    return perplexityOf(await quantizeLikeReference(small, made), small, 40);
  }

  test("SEQ beats LSQ, and both beat GPTQ by far", { timeout: 600_000 }, async () => {
    const seq = await perplexityAfter({ method: "paretoq", scheme: "w2-seq", options });
    const lsqOptions = { ...options, scaleStart: "lsq" } as const;
    const lsq = await perplexityAfter({ method: "paretoq", scheme: "w2-sym", options: lsqOptions });
    const gptq = await perplexityAfter({ method: "gptq", scheme: "w2", options: {} });
    expect(seq).toBeLessThan(0.9 * lsq);
    expect(lsq).toBeLessThan(0.5 * gptq);
  });
});
