import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import { meta } from "../fixtures/gguf-bytes.ts";
import { writeGgufOf } from "../fixtures/gguf-of-checkpoint.ts";
import { letterTokenizer } from "../fixtures/gguf-tokenizer.ts";
import { writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { type Finished, fewbitHere } from "./cli-process.ts";

/*
 * A GGUF file is a model wherever a checkpoint is one: what a command says of the file is what it
 * says of the checkpoint that holds the decoded weights.
 */

let folder = "";
const at = (name: string): string => join(folder, name);
const cpu = ["--backend", "reference"];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-gguf-e2e-"));
  const config = { hidden_size: 32, intermediate_size: 64, head_dim: 8 };
  const { path, remove } = await writeTinyCheckpoint({ modelCase: "llama", config, fitting: true });
  const checkpoint = await openCheckpoint(path);
  await writeGgufOf(checkpoint, at("m.gguf"), {
    metadata: {
      ...letterTokenizer,
      "general.name": meta.string("Tiny letters"),
      "general.file_type": meta.u32(2),
      "general.sampling.temp": meta.f32(0.7),
    },
    pack: (name, [rows, columns]) => {
      if (name === "model.embed_tokens.weight") {
        const data = Uint8Array.from(
          { length: (rows * columns * 34) / 32 },
          (_, i) => (i * 29) % 251,
        );
        for (let i = 0; i < data.length; i += 34) data.set([0x00, 0x20], i);
        return { type: "q8_0", data };
      }
      if (!name.endsWith("proj.weight")) return null;
      const data = new Uint8Array((rows * columns * 18) / 32);
      for (let i = 0; i < data.length; i++) data[i] = (i * 37) % 251;
      // Scales of 2^-5.
      for (let i = 0; i < data.length; i += 18) data.set([0x00, 0x28], i);
      return { type: "q4_0", data };
    },
  });
  await writeGgufOf(checkpoint, at("floats.gguf"), { metadata: letterTokenizer });
  await writeGgufOf(checkpoint, at("tables.gguf"), {
    metadata: letterTokenizer,
    pack: (name, [rows, columns]) => {
      if (!name.endsWith("proj.weight")) return null;
      const data = Uint8Array.from({ length: (rows * columns * 18) / 32 }, (_, i) => (i * 7) % 40);
      return { type: "iq4_nl", data };
    },
  });
  await checkpoint.close();
  await remove();
  writeFileSync(at("text.txt"), "abcabdcabcaabbccddeeffgghhiiabcabcabc".repeat(20));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(...args: string[]): Promise<Finished> {
  const finished = await fewbitHere(args);
  expect(finished.code, finished.stderr).toBe(0);
  return finished;
}

function dtypeIn(config: string): string | undefined {
  return (JSON.parse(readFileSync(config, "utf8")) as { dtype?: string }).dtype;
}

async function perplexity(model: string): Promise<number> {
  const asked = [
    "eval",
    model,
    "--text",
    at("text.txt"),
    "--window",
    "32",
    "--speed-tokens",
    "0",
    "--json",
    ...cpu,
  ];
  const { stdout } = await run(...asked);
  return (JSON.parse(stdout) as { perplexity: number }).perplexity;
}

describe("a GGUF file as a model", () => {
  test("is inspected with its types, its name and its metadata", async () => {
    const { stdout } = await run("inspect", at("m.gguf"), "--tensors", "--metadata");
    expect(stdout).toMatch(/GGUF · Tiny letters · made as q4_0/);
    expect(stdout).toMatch(/14 linear layers in q4_0 +4\.50/);
    expect(stdout).toMatch(/model\.layers\.0\.mlp\.up_proj\.blocks +q4_0/);
    expect(stdout).toMatch(/tokenizer\.ggml\.tokens +"72 × string"/);
  });

  test("is evaluated and exported: the plain checkpoint computes the same", async () => {
    await run("export", at("m.gguf"), "--format", "hf", "--out", at("plain"));
    expect(readdirSync(at("plain")).sort()).toEqual([
      "chat_template.jinja",
      "config.json",
      "generation_config.json",
      "model.safetensors",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    const generation = JSON.parse(readFileSync(at("plain/generation_config.json"), "utf8"));
    expect(generation).toMatchObject({ bos_token_id: 0, temperature: 0.7, do_sample: true });
    expect(await perplexity(at("plain"))).toBeCloseTo(await perplexity(at("m.gguf")), 4);
  });

  test("of floats is exported with the dtype that it has, one of tables with the one asked for", async () => {
    const plain = ["--format", "hf", "--dtype", "f16", "--out"];
    await run("export", at("floats.gguf"), ...plain, at("floats"));
    expect(dtypeIn(at("floats/config.json"))).toBe("float32");
    expect(await perplexity(at("floats"))).toBeCloseTo(await perplexity(at("floats.gguf")), 4);
    await run("export", at("tables.gguf"), ...plain, at("tables"));
    expect(dtypeIn(at("tables/config.json"))).toBe("float16");
    const { stdout } = await run("inspect", at("tables"), "--tensors");
    expect(stdout).toMatch(/mlp\.up_proj\.weight +f16/);
  });

  test("continues texts and answers", async () => {
    const asked = ["--max-tokens", "5", "--seed", "1", ...cpu];
    const { stdout } = await run("run", at("m.gguf"), "--prompt", "abc", ...asked);
    expect(stdout).toContain("abc");
    const chat = await fewbitHere(["chat", at("m.gguf"), ...asked], { stdin: "abc\n" });
    expect(chat.code, chat.stderr).toBe(0);
  });

  test("is quantized with a notice, and its tokenizer goes along", async () => {
    const asked = ["--method", "rtn", "--scheme", "w8g32", "--out", at("w8"), ...cpu];
    const { stderr } = await run("quantize", at("m.gguf"), ...asked);
    expect(stderr).toMatch(
      /m\.gguf is quantized already \(q8_0 \(1 tensor\), q4_0 \(14 tensors\)\).*errors add up/,
    );
    const layers = (await run("inspect", at("w8"), "--layers")).stdout;
    expect(layers).toMatch(/mlp\.up_proj +w8g32/);
    // What is not asked for keeps the bytes of the file.
    expect(layers).toMatch(/embed_tokens +q8_0/);
    expect(readdirSync(at("w8"))).toEqual(expect.arrayContaining(["tokenizer.json", "run.json"]));
    const [quantized, before] = [await perplexity(at("w8")), await perplexity(at("m.gguf"))];
    expect(Math.abs(quantized / before - 1)).toBeLessThan(0.02);
  });

  test("is compared with what was made of it", async () => {
    const text = ["--text", at("text.txt"), "--window", "32"];
    const { stdout } = await run("compare", at("m.gguf"), at("w8"), ...text, ...cpu);
    expect(stdout).toContain("m.gguf");
  });

  test("is the original of a sweep", async () => {
    writeFileSync(
      at("sweep.yaml"),
      [
        "name: gguf",
        "models: [{ id: tiny, path: m.gguf }]",
        "evaluation: { texts: [{ file: text.txt, window: 32 }], speedTokens: 0 }",
        "variants: [{ method: rtn, scheme: w8g32 }]",
      ].join("\n"),
    );
    const { stdout, stderr } = await run("sweep", at("sweep.yaml"), "--out", at("sweep"));
    expect(stdout + stderr).toMatch(/w8g32/);
  });

  test("that is not there is named, and a folder of such files says how to name one", async () => {
    const missing = await fewbitHere(["inspect", at("n.gguf")]);
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toMatch(/there is no file .*n\.gguf[\s\S]*did you mean .*m\.gguf/);
    const inFolder = await fewbitHere(["inspect", folder]);
    expect(inFolder.stderr).toMatch(/holds its model as GGUF[\s\S]*name a file: .*m\.gguf/);
  });
});
