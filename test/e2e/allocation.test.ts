import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { inspect, load } from "../../src/index.ts";
import type { AllocationRecord } from "../../src/run/allocation-record.ts";
import { fewbitHere } from "./cli-process.ts";
import { besides, changesOf, filesOf, find, killAt, outputsIn, recordOf } from "./killed-runs.ts";
import { temporaryFolder } from "./shared-models.ts";

/* Bits chosen for each layer, on the model that comes with fewbit. */

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const model = path("builtin/model");
const inFolder = temporaryFolder();
const outputIn = outputsIn(inFolder);
const state = (): string => inFolder("state.json");

const text = ["--calibration", path("CONTRIBUTING.md"), "--samples", "4", "--window", "64"];
const few = ["--damage-samples", "4", "--held-out", "6"];

const command = (out: string, ...rest: readonly string[]): string[] =>
  ["quantize", model, "--method", "rtn", "--out", out].concat(text, few, rest);

/** What a state file holds of one model, text and measure. */
interface Measured {
  readonly damages: Record<string, Record<string, number>>;
}

const allocationOf = (out: string): AllocationRecord => recordOf(out).allocation;

describe("quantize --target-bpw", () => {
  let out = "";
  beforeAll(async () => {
    out = outputIn("bits");
    const args = command(out, "--target-bpw", "2.75", "--state-file", state());
    expect(await fewbitHere(args)).toMatchObject({ code: 0 });
  });

  test("meets the target to within 0.5 %, never exceeds it, and foresees the size to the byte", () => {
    const { bitsPerWeight, sizeBytes } = recordOf(out);
    const { allocation } = recordOf(out);
    expect(bitsPerWeight.linear).toBeLessThanOrEqual(2.75);
    expect(bitsPerWeight.linear).toBeGreaterThan(0.995 * 2.75);
    expect(allocation.bitsPerWeight).toBeCloseTo(bitsPerWeight.linear, 10);
    expect(allocation.sizeBytes).toBe(sizeBytes);
    expect(statSync(join(out, "model.safetensors")).size).toBe(sizeBytes);
  });

  test("writes a checkpoint that loads, shows its layers, and stands alone", async () => {
    (await load(out)).release();
    const { quantization } = await inspect(out);
    expect(Object.keys(quantization?.schemes ?? {}).length).toBeGreaterThan(1);
    const { stdout } = await fewbitHere(["inspect", out, "--layers"]);
    expect(stdout).toMatch(/bits chosen for each layer: 2\.7\d bits a weight/);
    expect(stdout).toMatch(/block 0 self_attn\.q_proj\+k_proj\+v_proj/);
    expect(readFileSync(join(out, "allocation.svg"), "utf8")).toContain("Bits of each layer");
    expect(besides(out)).toEqual([]);
  });

  test("is no further from the original than the uniform scheme that it was compared with", () => {
    const { uniform } = allocationOf(out);
    expect(uniform?.windows).toBe(6);
    expect(uniform?.sizeBytes).toBeLessThanOrEqual(recordOf(out).sizeBytes);
    expect(uniform?.written).toBe("allocated");
    expect(uniform?.divergence.allocated).toBeLessThan(uniform?.divergence.uniform ?? 0);
  });

  test("takes what was measured for another target, which the plan shows", async () => {
    const plan = command(
      outputIn("plan"),
      "--target-bpw",
      "3.2",
      "--state-file",
      state(),
      "--dry-run",
    );
    const { stdout, stderr, code } = await fewbitHere(plan);
    expect(code).toBe(0);
    expect(stderr).toContain(`damages of all layers are taken from ${state()}`);
    expect(stderr).not.toContain("damages in block");
    expect(stdout).toMatch(
      /damage \(fisher\) +w2g64 +w2g32 +w3g64 +w3g32 +w4g64 +w4g32 +w8g64 +gets/,
    );
  });

  test.each([2.35, 5.75, 6.25, 7.3])("comes within half a percent of %s bits", async (target) => {
    const args = command(inFolder("fill"), "--target-bpw", `${target}`, "--state-file", state());
    const { stdout } = await fewbitHere([...args, "--dry-run", "--json"]);
    const { bitsPerWeight } = JSON.parse(stdout).allocation;
    expect(bitsPerWeight).toBeLessThanOrEqual(target);
    expect(bitsPerWeight).toBeGreaterThan(0.995 * target);
  });

  test("run again it finds that nothing is left to do", async () => {
    const args = command(out, "--target-bpw", "2.75", "--state-file", state());
    const { stderr, code } = await fewbitHere(args);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("was made by the same run before");
  });

  test("keeps the uniform scheme where the allocation turns out worse", async () => {
    const sabotaged = inFolder("sabotaged.json");
    const file = JSON.parse(readFileSync(state(), "utf8"));
    for (const { damages } of Object.values<Measured>(file.measured)) {
      for (const [name, own] of Object.entries(damages)) {
        // What harms most is said to harm least.
        const scaled = Object.entries(own).map(([id, damage]) => [id, damage / own.w2g64 ** 2]);
        damages[name] = Object.fromEntries(scaled);
      }
    }
    writeFileSync(sabotaged, JSON.stringify(file));
    const wrong = outputIn("wrong");
    const args = command(wrong, "--target-bpw", "3.35", "--state-file", sabotaged);
    expect(await fewbitHere(args)).toMatchObject({ code: 0 });
    const { uniform } = allocationOf(wrong);
    expect(uniform).toMatchObject({ scheme: "w3g64", written: "uniform" });
    expect(uniform?.divergence.uniform).toBeLessThan(uniform?.divergence.allocated ?? 0);
    const { quantization } = await inspect(wrong);
    expect(Object.keys(quantization?.schemes ?? {})).toEqual(["w3g64"]);
    expect(besides(wrong)).toEqual([]);
  });
});

test("--target-size counts the whole file, embedding and head included", async () => {
  const out = outputIn("size");
  const args = command(out, "--target-size", "700kB", "--state-file", state());
  expect(await fewbitHere([...args, "--no-compare-uniform"])).toMatchObject({ code: 0 });
  const size = statSync(join(out, "model.safetensors")).size;
  expect(size).toBeLessThanOrEqual(700_000);
  expect(size).toBeGreaterThan(0.995 * 700_000);
  expect(allocationOf(out)).toMatchObject({ embedding: "w8g64", sizeBytes: size });
  expect(allocationOf(out).uniform).toBeUndefined();
});

test("types of ggml go into a GGUF file of their own mixture", async () => {
  const out = `${outputIn("mixture")}.gguf`;
  const args = command(out, "--target-bpw", "5.5", "--choices", "q4_0,q5_0,q8_0");
  expect(await fewbitHere([...args, "--no-compare-uniform"])).toMatchObject({ code: 0 });
  const { quantization, bitsPerWeight } = await inspect(out);
  expect(Object.keys(quantization?.schemes ?? {}).sort()).toEqual(["q4_0", "q5_0", "q8_0"]);
  expect(bitsPerWeight.linear).toBeLessThanOrEqual(5.5);
  expect(bitsPerWeight.linear).toBeGreaterThan(0.995 * 5.5);
  (await load(out)).release();
});

test("killed between blocks, it measures the rest only, and comes to the same", async () => {
  const args = (out: string) => command(out, "--target-bpw", "2.75", "--no-compare-uniform");
  const measuredAt = (out: string): Measured => {
    const { measured } = JSON.parse(readFileSync(`${out}.allocation.json`, "utf8"));
    return Object.values<Measured>(measured)[0];
  };
  const whole = outputIn("whole");
  const changes = await changesOf(args(whole), inFolder("changes"));
  const out = outputIn("killed");
  const third = find(changes, /^rename out\.allocation\.json/, 3);
  expect((await killAt(args(out), third)).code).toBe(null);
  const groups = Object.keys(measuredAt(out).damages);
  expect(groups.map((name) => name.replace(/^(block \d).*/, "$1"))).toEqual([
    ..."5555".split("").map((digit) => `block ${digit}`),
    ..."4444".split("").map((digit) => `block ${digit}`),
  ]);
  const { stderr, code } = await fewbitHere(args(out));
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("damages of 8 of 24 layers are taken from");
  expect(stderr).not.toContain("damages in block 5 of 6");
  expect(stderr).toContain("damages in block 4 of 6");
  expect(measuredAt(out)).toEqual(measuredAt(whole));
  expect(filesOf(out)).toEqual(filesOf(whole));
});

describe("refuses before any work", () => {
  test.each([
    [
      ["--target-bpw", "1.5"],
      /smallest choices make 2\.281 bits a weight, 1\.500 bits a weight were asked for/,
    ],
    [
      ["--target-bpw", "9"],
      /largest choices make 8\.\d+ bits a weight, 9\.000 bits a weight were asked for/,
    ],
    [
      ["--target-size", "100kB"],
      /smallest choices make [\d ,]+ bytes, [\d ,]+ bytes were asked for/,
    ],
    [["--target-bpw", "3", "--scheme", "w3g64"], /exclude each other/],
    [["--choices", "w2g64,w3g64"], /within a size, speed or energy, and none was given/],
    [["--target-bpw", "3", "--choices", "w3g64"], /at least two different schemes/],
    [
      ["--target-bpw", "3", "--choices", "w2g64,w3-codebook"],
      /RTN does not support the scheme w3-codebook/,
    ],
    [["--target-bpw", "3", "--choices", "w2g64,Q4_K_M"], /mixture of types|not a scheme id/],
    [
      ["--target-bpw", "3", "--search-option", "generations=3"],
      /knapsack has no option generations/,
    ],
    [
      ["--target-bpw", "3", "--search", "evolution", "--search-option", "generation=3"],
      /options of the search evolution/,
    ],
    [["--target-bpw", "3", "--damage-pairs"], /measured by their divergence/],
  ])("%j", async (options, message) => {
    const out = outputIn(`refused-${options.join("").replaceAll("/", "")}`.slice(0, 60));
    const { stderr, code } = await fewbitHere(command(out, ...options));
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(existsSync(out)).toBe(false);
  });

  test("a file that holds something else", async () => {
    const args = command(
      outputIn("other"),
      "--target-bpw",
      "3",
      "--state-file",
      path("package.json"),
    );
    const { stderr } = await fewbitHere(args);
    expect(stderr).toContain("does not hold what an allocation measured");
  });
});
