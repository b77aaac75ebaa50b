import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { quantize } from "../../src/index.ts";
import { fewbitHere } from "./cli-process.ts";
import { besides, changesOf, filesOf, findAll, killAt, outputsIn } from "./killed-runs.ts";
import { absent, calibrationText, perplexityOf, shared, temporaryFolder } from "./shared-models.ts";

const inFolder = temporaryFolder();
const outputIn = outputsIn(inFolder);
const model = "stories260K";
const windows = 20;

/** A chain of SVID and a short training. */
const quantizeArgs = (out: string, ...more: readonly string[]): string[] =>
  ["quantize", shared(`models/${model}`), "--out", out].concat(
    "--preset onebit --scheme w1-onebit --finish-samples 40 --finish-window 64".split(" "),
    ["--finish-text", calibrationText(model)],
    "--onebit-kd-steps 6 --onebit-kd-batch 2 --onebit-kd-checkpoint-every 2".split(" "),
    more,
  );

describe.skipIf(absent)(`OneBit on a real model${absent}`, () => {
  test("60 short steps are enough to be far better than SVID's start and than rounding", async () => {
    const base = { window: 128, samples: 120, scheme: "w1-onebit" } as const;
    const start = inFolder("start");
    await quantize(shared(`models/${model}`), { ...base, method: "svid", out: start });
    const rounded = inFolder("rounded");
    await quantize(shared(`models/${model}`), { method: "rtn", scheme: "w1", out: rounded });
    const trained = inFolder("trained");
    const options = { steps: 60, batch: 4, warmUp: 0.1, learningRate: 0.004 };
    await quantize(shared(`models/${model}`), {
      ...base,
      preset: "onebit",
      calibration: calibrationText(model),
      finishers: [{ method: "onebit-kd", options }],
      out: trained,
    });
    const perplexity = await perplexityOf(trained, model, windows);
    expect(perplexity).toBeLessThan((await perplexityOf(start, model, windows)) / 10);
    expect(perplexity).toBeLessThan((await perplexityOf(rounded, model, windows)) / 4);
  });

  test("a training that is killed resumes to the same bytes", async () => {
    const whole = outputIn("whole");
    const changes = await changesOf(quantizeArgs(whole), inFolder("changes"));
    const states = findAll(changes, /^rename state-\d+\.safetensors$/);
    expect(states).toHaveLength(3);
    const out = outputIn("killed");
    const killed = await killAt(quantizeArgs(out), `${states[1] - 2}half`);
    expect(killed.code).toBe(null);
    expect(existsSync(out)).toBe(false);
    const finished = await fewbitHere(quantizeArgs(out));
    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stderr).toMatch(/resuming after step 2 of a run interrupted/);
    expect(filesOf(out)).toEqual(filesOf(whole));
    expect(besides(out)).toEqual([]);
  });

  test.each([
    [
      "a teacher with another vocabulary",
      ["--teacher", shared("models/babyllama-tok105")],
      "vocabulary of 105",
    ],
    ["a scheme without value vectors", ["--scheme", "w1-elastic"], "does not support the scheme"],
  ])("%s is refused, and nothing is written", async (_, options, message) => {
    const out = outputIn(message.replaceAll(" ", "-"));
    const { code, stderr } = await fewbitHere(quantizeArgs(out, ...options));
    expect(code).not.toBe(0);
    expect(stderr).toContain(message);
    expect(existsSync(out)).toBe(false);
  });
});
