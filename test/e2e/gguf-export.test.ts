import { readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openGgufParts } from "../../src/formats/gguf/gguf-parts.ts";
import {
  exportCheckpoint,
  type ExportOptions,
  inspect,
  load,
  planExport,
  UnsupportedError,
  UsageError,
} from "../../src/index.ts";
import { fewbitHere } from "./cli-process.ts";
import { absent, quantizeLikeReference, shared, temporaryFolder } from "./shared-models.ts";

const inFolder = temporaryFolder();
const model = "prose-6m";
const source = shared(`models/${model}`);

const toGguf = async (
  from: string,
  out: string,
  options: Omit<Partial<ExportOptions>, "onNotice" | "signal"> = {},
) => {
  const result = await exportCheckpoint(from, { ...options, format: "gguf", out });
  if (result.format !== "gguf") throw new Error("expected a GGUF export");
  return result;
};

const made = new Map<string, Promise<string>>();

/** The model rounded to a scheme, once for all tests. */
function quantized(scheme: string): Promise<string> {
  const out = inFolder(`packed-${scheme}`);
  const run = made.get(scheme) ?? quantizeLikeReference(model, { method: "rtn", scheme, out });
  made.set(scheme, run);
  return run;
}

describe.skipIf(absent)(`export --format gguf keeps every weight of its grids${absent}`, () => {
  test.each([
    ["w1", "q1_0"],
    ["w1.58", "q2_k"],
    ["w2-seq", "q2_k"],
    ["w3-sym", "q3_k"],
    ["w4g32-sym", "q4_0"],
    ["w4g64", "q5_0"],
    ["w8-sym", "q8_0"],
    ["q6_k", "q6_k"],
  ])("%s becomes %s", async (scheme, type) => {
    const packed = await quantized(scheme);
    const result = await toGguf(packed, inFolder(`${scheme}.gguf`), { verify: true });
    expect(result.loss).toBeNull();
    expect(result.types[type]?.tensors).toBe(42);
    const { parameters } = (await inspect(packed)).sizes;
    expect(result.verification?.sameWeights).toBe(parameters);
    expect(result.verification?.logits.sameTop).toBe(1);
  });

  test("ternary weights go into the types that are asked for, too", async () => {
    const packed = await quantized("w1.58");
    for (const type of ["tq1_0", "tq2_0", "q2_0", "f32"]) {
      const out = inFolder(`ternary-${type}.gguf`);
      const result = await toGguf(packed, out, { type, verify: true });
      expect([type, result.loss]).toEqual([type, null]);
      expect(result.types).toHaveProperty([type]);
    }
  });

  test("a GGUF file comes out as it went in: blocks, names and order of rows", async () => {
    const [first, second] = [inFolder("first.gguf"), inFolder("second.gguf")];
    await toGguf(source, first, { type: "q4_k" });
    await toGguf(first, second);
    const [before] = await openGgufParts(first);
    const [after] = await openGgufParts(second);
    for (const [name, tensor] of before.tensors) {
      expect(after.tensors.get(name)).toMatchObject({ shape: tensor.shape, type: tensor.type });
      const size = tensor.end - tensor.begin;
      const [a, b] = [new Uint8Array(size), new Uint8Array(size)];
      await before.readInto(name, a, 0);
      await after.readInto(name, b, 0);
      expect(Buffer.compare(a, b)).toBe(0);
    }
    expect(after.metadata.string("general.name")).toBe(before.metadata.string("general.name"));
    await Promise.all([before.close(), after.close()]);
  });
});

describe.skipIf(absent)(`what is not exact is refused, or measured${absent}`, () => {
  test("refused with the types that are exact, and how to round", async () => {
    const packed = await quantized("w4g64");
    const asked = toGguf(packed, inFolder("refused.gguf"), { type: "q4_1" });
    await expect(asked).rejects.toThrow(UnsupportedError);
    await expect(asked).rejects.toMatchObject({
      message: expect.stringContaining("(and 41 more like it)"),
      hint: expect.stringMatching(/`type: q5_0, .*`requantize`/),
    });
  });

  test("scales rounded once, or codes chosen anew: the loss is that of the file", async () => {
    const packed = await quantized("w4g64");
    const near = await toGguf(packed, inFolder("near.gguf"), {
      type: "q4_1",
      requantize: true,
      verify: true,
    });
    expect(near.loss?.relativeError).toBeGreaterThan(0);
    expect(near.loss?.relativeError).toBeLessThan(1e-3);
    const far = await toGguf(packed, inFolder("far.gguf"), { type: "q2_k", requantize: true });
    expect(far.loss?.relativeError).toBeGreaterThan(0.1);
    expect(Object.keys(far.loss?.types ?? {})).toEqual(["q2_k"]);
    expect(far.loss?.worst.relativeError).toBeGreaterThanOrEqual(far.loss?.relativeError ?? 1);
  });

  test("float models take any type; without one they stay as they are", async () => {
    const same = await toGguf(source, inFolder("same.gguf"), { verify: true });
    expect(same.loss).toBeNull();
    expect(same.types).toEqual({ bf16: expect.anything(), f32: expect.anything() });
    const small = await toGguf(source, inFolder("small.gguf"), { type: "q8_0", verify: true });
    expect(small.loss?.relativeError).toBeLessThan(0.01);
    expect(small.verification?.sameWeights).toBeGreaterThan(0);
  });
});

describe.skipIf(absent)(`the plan and the files${absent}`, () => {
  let packed = "";
  beforeAll(async () => {
    if (!absent) packed = await quantized("w4g32-sym");
  });

  test("a dry run says the size to the byte, and writes nothing", async () => {
    const out = inFolder("planned.gguf");
    const args = ["export", packed, "--format", "gguf", "--out", out];
    const { code, stdout } = await fewbitHere([...args, "--dry-run", "--json"]);
    expect(code).toBe(0);
    const plan = JSON.parse(stdout);
    expect(() => statSync(out)).toThrow("ENOENT");
    const shown = await fewbitHere([...args, "--dry-run"]);
    expect(shown.stdout).toContain("blk.0.attn_q.weight");
    expect((await fewbitHere(args)).code).toBe(0);
    expect(statSync(out).size).toBe(plan.sizeBytes);
  });

  test("parts have the size that was asked for, and are one model again", async () => {
    const out = inFolder("split.gguf");
    const result = await toGguf(packed, out, { splitSize: 1_000_000, verify: true });
    expect(result.files.length).toBeGreaterThan(3);
    for (const path of result.files) expect(statSync(path).size).toBeLessThanOrEqual(2_300_000);
    expect(basename(result.files[0])).toMatch(/^split-00001-of-0000\d\.gguf$/);
    const loaded = await load(result.files[1]);
    expect(loaded.config.hiddenSize).toBe(256);
    loaded.release();
    const again = toGguf(packed, out, { splitSize: 1_000_000 });
    await expect(again).rejects.toThrow("exists already");
    const whole = await toGguf(packed, out, { overwrite: true });
    expect(whole.files).toEqual([out]);
    expect(() => statSync(result.files[0])).toThrow("ENOENT");
  });

  test("metadata has the run that made the model", async () => {
    const out = inFolder("described.gguf");
    await toGguf(packed, out);
    const [file] = await openGgufParts(out);
    const run = JSON.parse(file.metadata.string("fewbit.run") ?? "{}");
    expect(run).toEqual(JSON.parse(readFileSync(join(packed, "run.json"), "utf8")));
    expect(file.metadata.string("fewbit.scheme")).toBe("w4g32-sym");
    expect(file.metadata.string("fewbit.method")).toBe("rtn");
    expect(file.metadata.number("general.file_type")).toBe(2);
    await file.close();
  });

  test.each<[Pick<ExportOptions, "type" | "dtype">, string]>([
    [{ type: "q9_0" }, "there is no type q9_0"],
    [{ dtype: "f16" }, "`dtype` means nothing for `format: gguf`"],
  ])("%j is refused", async (options, message) => {
    const asked = planExport(packed, { ...options, format: "gguf", out: inFolder("no.gguf") });
    await expect(asked).rejects.toThrow(UsageError);
    await expect(asked).rejects.toThrow(message);
  });

  test("names that are no files of the kind are refused", async () => {
    for (const name of ["model.bin", "model-00001-of-00002.gguf"]) {
      await expect(toGguf(packed, inFolder(name))).rejects.toThrow(UsageError);
    }
  });
});
