import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { Prng } from "../../src/util/prng.ts";
import { type Finished, fewbitHere } from "./cli-process.ts";
import { holdAt } from "./held-runs.ts";
import { besides, changesOf, filesOf, find, killAt, outputsIn, recordOf } from "./killed-runs.ts";
import { absent, calibrationText, shared, temporaryFolder } from "./shared-models.ts";

/* Quantizations that are killed and run again. */

const model = shared("models/stories260K");
const inFolder = temporaryFolder();
const outputIn = outputsIn(inFolder);

const gptq = ["--method", "gptq", "--scheme", "w4g64", "--seed", "3"];
const text = ["--calibration", calibrationText("stories260K"), "--samples", "8", "--window", "64"];
/** Norms that a transform changes, and text that the model writes itself. */
const prepared =
  "--transform smoothquant --method rtn --scheme w8 --seed 3 " +
  "--self-calibration --samples 4 --window 24";

const quantizeArgs = (out: string, options: readonly string[]): string[] => {
  return ["quantize", model, "--out", out, ...options];
};

describe.skipIf(absent)(`a quantization that is killed and run again${absent}`, () => {
  let changes: string[] = [];
  let expected: Record<string, string> = {};
  beforeAll(async () => {
    const out = outputIn("undisturbed");
    changes = await changesOf(quantizeArgs(out, [...gptq, ...text]), inFolder("changes"));
    expected = filesOf(out);
  });

  /** Kills one run at each of the changes, then runs it to its end and compares. */
  async function expectSame(name: string, kills: readonly string[]): Promise<Finished> {
    const out = outputIn(name);
    const args = quantizeArgs(out, [...gptq, ...text]);
    for (const at of kills) {
      expect((await killAt(args, at)).code, `killed at ${at}`).toBe(null);
    }
    const finished = await fewbitHere(args);
    expect(finished.code, finished.stderr).toBe(0);
    expect(filesOf(out)).toEqual(expected);
    expect(besides(out)).toEqual([]);
    return finished;
  }

  const weights = /^write model\.safetensors/;
  const journal = /^write journal/;

  test("before anything is written: it starts anew", async () => {
    const { stderr } = await expectSame("first", ["2", `${find(changes, journal, 1)}half`]);
    expect(stderr).not.toContain("resuming");
  });

  test("in the middle of writing the embedding: it starts anew", async () => {
    const { stderr } = await expectSame("embedding", [`${find(changes, weights, 1)}half`]);
    expect(stderr).not.toContain("resuming");
  });

  test("in the middle of writing the weights of block 1: it resumes after the embedding", async () => {
    const { stderr } = await expectSame("block-1", [`${find(changes, weights, 8)}half`]);
    expect(stderr).toMatch(/resuming after the embedding of a run interrupted at/);
    expect(stderr).toContain("block 1/5");
  });

  test("in the middle of writing the weights of block 3: it resumes after block 2", async () => {
    const { stderr } = await expectSame("block-3", [`${find(changes, weights, 50)}half`]);
    expect(stderr).toMatch(/resuming after block 2 of 5 of a run interrupted at \d\d:\d\d/);
    expect(stderr).not.toContain("block 2/5");
    expect(stderr).toContain("block 3/5");
  });

  test("right before, in the middle of and right after a line of the journal", async () => {
    const line = find(changes, journal, 4);
    const before = await expectSame("journal-before", [`${line}`]);
    expect(before.stderr).toContain("resuming after block 1 of 5");
    const within = await expectSame("journal-within", [`${line}half`]);
    expect(within.stderr).toContain("resuming after block 1 of 5");
    const after = await expectSame("journal-after", [`${line + 1}`]);
    expect(after.stderr).toContain("resuming after block 2 of 5");
  });

  test("while the rest is copied: it resumes after the last block", async () => {
    const { stderr } = await expectSame("rest", [`${find(changes, weights, -1)}half`]);
    expect(stderr).toContain("resuming after block 5 of 5");
  });

  test("right before and right after the output gets its name", async () => {
    const rename = find(changes, /^rename out/, 1);
    const before = await expectSame("name-before", [`${rename}`]);
    expect(before.stderr).toContain("resuming after block 5 of 5");
    const last = await expectSame("last-step", [`${find(changes, /^rm \.journal/, 1)}`]);
    expect(last.stderr).toContain("everything but the last step");
  });

  test("after it was over: it says so, and does nothing", async () => {
    const args = quantizeArgs(join(inFolder("undisturbed"), "out"), [...gptq, ...text]);
    const { code, stderr } = await fewbitHere(args);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain("was made by the same run before");
    const other = await fewbitHere([...args, "--damping", "0.02"]);
    expect(other.code).toBe(2);
    expect(other.stderr).toContain("exists already");
  });

  test("again and again, until it is through", async () => {
    const out = outputIn("again");
    const args = quantizeArgs(out, [...gptq, ...text]);
    let kills = 0;
    // 52 changes are a block or two, and enough for all that comes after the last block.
    while ((await killAt(args, 52)).code === null) expect(++kills).toBeLessThan(8);
    expect(kills).toBeGreaterThan(1);
    expect(filesOf(out)).toEqual(expected);
    const { resumptions, linears } = recordOf(out);
    expect(resumptions).toHaveLength(kills);
    expect(linears).toHaveLength(35);
    expect(besides(out)).toEqual([]);
  });

  const everywhere = process.env.FEWBIT_FULL_RESUME === "1";
  const where = everywhere ? "at every change of a file" : "at two changes drawn by a seed";
  test(`${where}: the same bytes`, { timeout: 3_600_000 }, async () => {
    const prng = new Prng(20);
    const chosen = everywhere
      ? changes.flatMap((change, i) => [
          `${i + 1}`,
          ...(change.startsWith("write") ? [`${i + 1}half`] : []),
        ])
      : [0, 1].map(() => `${1 + prng.below(changes.length)}half`);
    for (const at of chosen) await expectSame(`at-${at}`, [at]);
  });

  test("of an output that replaces another: the other is not lost, and replaced in the end", async () => {
    const args = (out: string) => quantizeArgs(out, [...gptq, ...text, "--overwrite"]);
    const make = async (name: string): Promise<string> => {
      const out = outputIn(name);
      await cp(model, out, { recursive: true });
      return out;
    };
    // What is replaced is moved aside first, and removed when the new one stands.
    const aside = find(changes, /^rename out/, 1);
    for (const [name, at] of [
      ["moved-aside", aside + 1],
      ["both", aside + 3],
    ] as const) {
      const out = await make(name);
      expect((await killAt(args(out), at)).code).toBe(null);
      expect(
        besides(out).some((left) => left.includes("replaced")),
        name,
      ).toBe(true);
      const finished = await fewbitHere(args(out));
      expect(finished.code, finished.stderr).toBe(0);
      expect(filesOf(out), name).toEqual(expected);
      expect(besides(out), name).toEqual([]);
    }
  });

  test("with a transform, and text that the model writes: both are kept", async () => {
    const whole = outputIn("prepared");
    const log = inFolder("prepared-changes");
    const before = await changesOf(quantizeArgs(whole, prepared.split(" ")), log);
    const out = outputIn("prepared-killed");
    const args = quantizeArgs(out, prepared.split(" "));
    // Two windows are whole, the third is cut off within its line.
    const first = await killAt(args, `${find(before, journal, 4)}half`);
    expect(first.code).toBe(null);
    const second = await killAt(args, 80);
    expect(second.stderr).toContain("resuming after 2 calibration windows");
    expect(second.code).toBe(null);
    const { code, stderr } = await fewbitHere(args);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toMatch(/resuming after block [1-4] of 5/);
    expect(filesOf(out)).toEqual(filesOf(whole));
    expect(recordOf(out).transforms).toHaveLength(recordOf(whole).transforms.length);
  });

  describe("is refused", () => {
    let folder = "";
    let source = "";
    let sample = "";
    const args = (...more: string[]): string[] => {
      const own = ["--calibration", sample, "--samples", "2", "--window", "32"];
      return ["quantize", source, "--out", join(folder, "out"), ...gptq, ...own, ...more];
    };
    beforeAll(async () => {
      folder = dirname(outputIn("refused"));
      source = join(folder, "model");
      sample = join(folder, "text.txt");
      await cp(model, source, { recursive: true });
      writeFileSync(sample, readFileSync(calibrationText("stories260K"), "utf8").slice(0, 4000));
      expect((await killAt(args(), 60)).code).toBe(null);
    });

    const refusal = async (...more: string[]): Promise<string> => {
      const { code, stderr } = await fewbitHere(args(...more));
      expect({ code, stderr }).toMatchObject({ code: 2 });
      expect(stderr).toContain("--restart");
      return stderr;
    };

    test("when the recipe is another, which is said", async () => {
      expect(await refusal("--damping", "0.02")).toContain("options.damping was 0.1, is 0.02");
      expect(await refusal("--seed", "4")).toContain("seed was 3, is 4");
      expect(await refusal("--backend", "reference")).toContain("backend was native");
    });

    test("when the text, the configuration or the weights have changed", async () => {
      const change = async (path: string, edit: (bytes: Buffer) => void): Promise<string> => {
        const bytes = readFileSync(path);
        const changed = Buffer.from(bytes);
        edit(changed);
        writeFileSync(path, changed);
        const said = await refusal();
        writeFileSync(path, bytes);
        return said;
      };
      const swapCase = (bytes: Buffer): void => {
        bytes[10] ^= 32;
      };
      expect(await change(sample, swapCase)).toContain("calibration text 1 has changed");
      const tokenizer = join(source, "tokenizer_config.json");
      const widen = (bytes: Buffer): void => {
        bytes[bytes.length - 1] = 32;
      };
      expect(await change(tokenizer, widen)).toContain("tokenizer_config.json has changed");
      utimesSync(join(source, "model.safetensors"), 1, 1);
      expect(await refusal()).toContain("model.safetensors has changed");
    });

    test("and starts over with --restart, whatever was there", async () => {
      const { code, stderr } = await fewbitHere(args("--scheme", "w8", "--restart"));
      expect({ code, stderr }).toMatchObject({ code: 0 });
      expect(stderr).not.toContain("resuming");
      expect(readdirSync(folder).sort()).toEqual(["model", "out", "text.txt"]);
      expect(recordOf(join(folder, "out")).resumptions).toEqual([]);
    });
  });

  test("finds a damaged weight of a finished block, and does that block again", async () => {
    const out = outputIn("damaged");
    const args = quantizeArgs(out, [...gptq, ...text]);
    expect((await killAt(args, find(changes, journal, 4))).code).toBe(null);
    const [work = ""] = besides(out);
    const file = join(dirname(out), work, "model.safetensors");
    const bytes = readFileSync(file);
    const header = Number(bytes.readBigUInt64LE(0));
    const tensors = JSON.parse(bytes.toString("utf8", 8, 8 + header));
    const [begin] = tensors["model.layers.1.mlp.up_proj.codes"].data_offsets;
    bytes[8 + header + begin] ^= 1;
    writeFileSync(file, bytes);
    const { code, stderr } = await fewbitHere(args);
    expect(code).toBe(0);
    expect(stderr).toContain("resuming after block 1 of 5");
    expect(filesOf(out)).toEqual(expected);
  });

  test("is left alone by a second process while it works", async () => {
    const out = outputIn("two");
    const args = quantizeArgs(out, [...gptq, ...text]);
    const held = await holdAt(args, find(changes, weights, 8));
    const { code, stderr } = await fewbitHere(args);
    expect(code).toBe(1);
    expect(stderr).toMatch(/process \d+ is writing .*out at this moment/);
    held.release();
    expect((await held.finished).code).toBe(0);
    expect(filesOf(out)).toEqual(expected);
    expect(besides(out)).toEqual([]);
  });

  test("Ctrl-C keeps what is finished, says so and exits with 130", async () => {
    const out = outputIn("interrupted");
    const args = quantizeArgs(out, [...gptq, ...text]);
    const held = await holdAt(args, find(changes, weights, 50));
    await held.interrupt();
    held.release();
    const stopped = await held.finished;
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(
      /stopped {2}2 of 5 blocks are finished and kept.*\n {7}run the same command again/,
    );
    expect(existsSync(out)).toBe(false);
    const { code, stderr } = await fewbitHere(args);
    expect(code).toBe(0);
    expect(stderr).toMatch(/resuming after block 2 of 5/);
    expect(filesOf(out)).toEqual(expected);
  });
});
