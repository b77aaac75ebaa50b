import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openGgufParts } from "../../src/formats/gguf/gguf-parts.ts";
import { exportCheckpoint, inspect, planQuantization } from "../../src/index.ts";
import { sha256 } from "../../src/platform/node.ts";
import { fewbitHere } from "./cli-process.ts";
import { besides, killAt } from "./killed-runs.ts";
import { absent, shared, temporaryFolder } from "./shared-models.ts";

const inFolder = temporaryFolder();
const source = shared("models/prose-6m");

/** A path in a folder of its own. */
function outIn(name: string): string {
  mkdirSync(inFolder(name));
  return join(inFolder(name), "model.gguf");
}

const command = (out: string, scheme = "q4_k"): string[] =>
  ["quantize", source, "--method", "rtn"].concat("--scheme", scheme, "--out", out);

/** Hashes of all tensors of a file. */
async function tensorsOf(path: string): Promise<Record<string, string>> {
  const [file] = await openGgufParts(path);
  const hashes: Record<string, string> = {};
  for (const [name, { begin, end, type }] of file.tensors) {
    const bytes = new Uint8Array(end - begin);
    await file.readInto(name, bytes, 0);
    hashes[name] = `${type.name} ${sha256(bytes)}`;
  }
  await file.close();
  return hashes;
}

describe.skipIf(absent)(`quantize --out model.gguf${absent}`, () => {
  let expected: Record<string, string> = {};
  let whole = "";
  beforeAll(async () => {
    if (absent) return;
    whole = outIn("whole");
    expect(await fewbitHere(command(whole))).toMatchObject({ code: 0 });
    expected = await tensorsOf(whole);
  });

  test("gives what a directory exported gives, and leaves nothing beside", async () => {
    expect(besides(whole)).toEqual([]);
    const folder = inFolder("folder");
    expect(await fewbitHere(command(folder))).toMatchObject({ code: 0 });
    const exported = outIn("exported");
    await exportCheckpoint(folder, { format: "gguf", out: exported });
    expect(await tensorsOf(exported)).toEqual(expected);
    expect(expected["blk.0.attn_q.weight"]).toMatch(/^q4_k /);
  });

  test("the file has the record of the run, under its own name", async () => {
    const [file] = await openGgufParts(whole);
    const record = JSON.parse(file.metadata.string("fewbit.run") ?? "{}");
    expect(record).toMatchObject({ recipe: { out: whole, method: "rtn", scheme: "q4_k" } });
    expect(record.linears).toHaveLength(42);
    await file.close();
  });

  test("a mixture gives its types, and its name to the file", async () => {
    const out = outIn("mixture");
    expect(await fewbitHere(command(out, "Q4_K_M"))).toMatchObject({ code: 0 });
    const [file] = await openGgufParts(out);
    expect(file.metadata.number("general.file_type")).toBe(15);
    expect(file.info("blk.2.ffn_down.weight").type.name).toBe("q6_k");
    expect(file.info("blk.1.ffn_down.weight").type.name).toBe("q4_k");
    await file.close();
  });

  test.each([
    ["while weights are written", /^write model\.safetensors/],
    ["while the file is written", /^write model\.gguf\./],
    ["before the file gets its name", /^rename model\.gguf/],
    ["before the checkpoint is removed", /^rm \.model\.gguf\.checkpoint/],
  ])("killed %s, it ends with the same weights when it is run again", async (when, at) => {
    const out = outIn(`killed ${when}`);
    expect((await killAt(command(out), at)).code).toBeNull();
    expect(besides(out).length).toBeGreaterThan(0);
    const { code, stderr } = await fewbitHere(command(out));
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(await tensorsOf(out)).toEqual(expected);
    expect(besides(out)).toEqual([]);
  });

  test("another run to the file does not continue with the checkpoint", async () => {
    const out = outIn("other");
    await killAt(command(out), /^rename model\.gguf/);
    const other = await fewbitHere(command(out, "q4_0"));
    expect(other.code).toBe(2);
    expect(other.stderr).toContain("is not this one");
    expect((await fewbitHere([...command(out, "q4_0"), "--restart"])).code).toBe(0);
    expect((await tensorsOf(out))["blk.0.attn_q.weight"]).toMatch(/^q4_0 /);
  });

  test("a file that is there is only replaced when that is asked for", async () => {
    const again = await fewbitHere(command(whole));
    expect(again.code).toBe(0);
    expect(again.stderr).toContain("was made by the same run before");
    const other = await fewbitHere(command(whole, "q4_0"));
    expect(other.code).toBe(2);
    expect(other.stderr).toContain("exists already");
    const taken = outIn("taken");
    writeFileSync(taken, "something else");
    expect((await fewbitHere(command(taken))).code).toBe(2);
    expect(readFileSync(taken, "utf8")).toBe("something else");
    expect((await fewbitHere([...command(taken), "--overwrite"])).code).toBe(0);
    expect(await tensorsOf(taken)).toEqual(expected);
  });

  test("the plan has the size of the file, but for the record of the run", async () => {
    const out = outIn("planned");
    const plan = await planQuantization(source, { method: "rtn", scheme: "q4_k", out });
    const { size } = statSync(whole);
    expect(plan.estimate.outputBytes).toBeLessThanOrEqual(size);
    expect(plan.estimate.outputBytes).toBeGreaterThan(size - 40_000);
    expect((await inspect(whole)).sizes.file.bytes).toBe(size);
  });

  test("a scheme that no type holds exactly is refused before any work", async () => {
    const out = outIn("inexact");
    const { code, stderr } = await fewbitHere(command(out, "w8"));
    expect(code).toBe(1);
    expect(stderr).toContain("use a scheme that GGUF files hold");
    expect(besides(out)).toEqual([]);
  });
});
