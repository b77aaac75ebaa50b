import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { embedWindows } from "../../src/blocks/embed-windows.ts";
import { idOfRow } from "../../src/calibration/image-conversations.ts";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import { SafetensorsWriter } from "../../src/formats/safetensors-writer.ts";
import {
  CancelledError,
  FormatError,
  makeImatrix,
  NumericError,
  quantize,
  type QuantizeOptions,
  UnsupportedError,
  UsageError,
} from "../../src/index.ts";
import { keptTables } from "../fixtures/kept-tables.ts";
import { loadCase, readModelCase } from "../golden/model-cases.ts";
import { writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { hashedValues } from "../golden/formula-weights.ts";
import { subjects } from "./subjects.ts";

/*
 * Conversations with images: what the language model makes of embeddings that were given is what
 * transformers makes of the pixels, and every method that goes block by block learns from them.
 */

/** One file of test/golden/images, as tools/golden/make_models.py writes it. */
interface ImageCase {
  readonly model: string;
  readonly ids: readonly (readonly number[])[];
  /** Names of the images of each window, in order. */
  readonly images: readonly (readonly string[])[];
  readonly embeddings: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly positions: readonly number[];
  readonly logits: readonly (readonly (readonly number[])[])[];
}

const readImageCase = (name: string): ImageCase =>
  JSON.parse(readFileSync(new URL(`../golden/images/${name}.json`, import.meta.url), "utf8"));

describe.each(subjects)("$title", ({ missing, open }) => {
  if (missing) {
    test.skip(`skipped: ${missing}`, () => undefined);
    return;
  }

  test.each(["llava", "llava-mistral", "llava-next"])(
    "%s gives the logits of its pixels to 1e-4",
    async (name) => {
      const { ids, images, embeddings, positions, logits } = readImageCase(name);
      const golden = readModelCase(name);
      const { model, blocks } = await loadCase(open(), golden);
      const names = Object.keys(embeddings);
      const rows = names.flatMap((image) => embeddings[image]);
      const firstOf = (image: string): number =>
        names.slice(0, names.indexOf(image)).flatMap((before) => embeddings[before]).length;
      const windows = ids.map((row, index) => {
        const shown = images[index].flatMap((image) =>
          embeddings[image].map((_, i) => idOfRow(firstOf(image) + i)),
        );
        return Int32Array.from(row, (id) =>
          id === golden.config.image_token_index ? (shown.shift() ?? Number.NaN) : id,
        );
      });
      const given = {
        read: async (first: number, count: number) =>
          Float32Array.from(rows.slice(first, first + count).flat()),
      };
      let hidden = await embedWindows(model.backend, model, windows, given);
      for (const block of blocks) {
        hidden = model.forwardBlock(block, hidden, { position: 0 }) ?? hidden;
      }
      const found = await model.logits(hidden.reshape([ids.flat().length, 32])).read();
      const { vocabularySize: width } = model.config;
      for (const [row, places] of logits.entries()) {
        for (const [i, expected] of places.entries()) {
          const start = (row * ids[row].length + positions[i]) * width;
          for (const [token, logit] of expected.entries()) {
            expect(Math.abs(found[start + token] - logit)).toBeLessThan(1e-4);
          }
        }
      }
    },
  );
});

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-images-"));
});
afterAll(() => rmSync(folder, { recursive: true }));
const removals: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const remove of removals.splice(0)) await remove();
});

/** The token of the checkpoints' tokenizer at whose places images stand: `!`. */
const imageToken = { image_token_index: 6 };

async function tiny(modelCase = "llava", config: object = imageToken): Promise<string> {
  const { path, remove } = await writeTinyCheckpoint({ modelCase, config: { ...config } });
  removals.push(remove);
  return path;
}

/** Writes embeddings of a cat and a dog, of 4 rows each. */
async function embeddings(
  change: (values: Float32Array) => void = () => undefined,
  width = 32,
): Promise<string> {
  const path = join(mkdtempSync(join(folder, "given-")), "images.safetensors");
  const entries = ["cat", "dog"].map((name) => ({
    name,
    dtype: "f32" as const,
    shape: [4, width],
  }));
  const writer = await SafetensorsWriter.create(path, entries);
  for (const { name } of entries) {
    const values = hashedValues(name, 4 * width);
    change(values);
    await writer.write(name, values);
  }
  await writer.finish();
  return path;
}

function conversations(text = "! What is it?", images: readonly string[] = ["cat"]): string {
  const path = join(mkdtempSync(join(folder, "text-")), "conversations.jsonl");
  const lines = [{ text, images }, ...Array(6).fill({ text: "Look: ! A dog.", images: ["dog"] })];
  writeFileSync(path, lines.map((line) => JSON.stringify(line)).join("\n"));
  return path;
}

interface Asked {
  readonly model?: string;
  readonly text?: string;
  readonly images?: string | null;
  readonly more?: object;
}

async function run({ model, text = conversations(), images, more }: Asked = {}): Promise<{
  readonly out: string;
  readonly notices: readonly string[];
}> {
  const out = join(mkdtempSync(join(folder, "run-")), "out");
  const imageEmbeddings = images === undefined ? await embeddings() : images;
  const calibration = { files: [{ path: text }], samples: 4, window: 20, imageEmbeddings };
  const usual = { method: "gptq", scheme: "w4g16", threads: 1, ...keptTables };
  const asked: object = { out, ...usual, calibration, ...more };
  const { events } = await quantize(model ?? (await tiny()), asked as QuantizeOptions);
  const notices: string[] = [];
  for await (const event of events) if (event.type === "notice") notices.push(event.message);
  return { out, notices };
}

async function codesOf({ out }: { readonly out: string }): Promise<Uint8Array[]> {
  const checkpoint = await openCheckpoint(out);
  const codes: Uint8Array[] = [];
  for (const [name, { begin, end }] of checkpoint.tensors) {
    if (!name.endsWith(".codes")) continue;
    const bytes = new Uint8Array(end - begin);
    await checkpoint.readInto(name, bytes, 0);
    codes.push(bytes);
  }
  await checkpoint.close();
  return codes;
}

describe("calibration from conversations with images", () => {
  test.each([
    ["gptq", {}],
    ["auto-round", { scheme: "w2g16", options: { iters: 20 } }],
    ["block-ap", { options: { epochs: 1 }, start: null }],
    ["gptq", { transforms: ["awq"] }],
    ["gptq", { cacheDType: "f16", cacheOnDisk: true }],
  ])("%s learns from the embeddings (%j)", async (method, more: object) => {
    const model = await tiny();
    const how = { method, ...more };
    const found = await codesOf(await run({ model, more: how }));
    const others = await embeddings((values) => values.reverse());
    const after = await codesOf(await run({ model, images: others, more: how }));
    expect(found.length).toBe(14);
    expect(after).not.toEqual(found);
    expect(await codesOf(await run({ model, more: how }))).toEqual(found);
  });

  test("a run that was interrupted ends with the same codes", async () => {
    const [model, images] = [await tiny(), await embeddings()];
    const text = conversations();
    const whole = await codesOf(await run({ model, images, text }));
    const out = join(mkdtempSync(join(folder, "run-")), "out");
    const controller = new AbortController();
    const calibration = {
      files: [{ path: text }],
      samples: 4,
      window: 20,
      imageEmbeddings: images,
    };
    const usual = { method: "gptq", scheme: "w4g16", threads: 1, ...keptTables } as const;
    const asked = { out, ...usual, calibration };
    const stopped = quantize(model, { ...asked, signal: controller.signal });
    for await (const { type } of stopped.events) if (type === "block") controller.abort();
    await expect(stopped).rejects.toThrow(CancelledError);
    expect(await codesOf(await quantize(model, asked))).toEqual(whole);
  });

  test("the importance of columns is measured on them, too", async () => {
    const [model, text] = [await tiny(), conversations()];
    const measured = async (imageEmbeddings: string): Promise<Buffer> => {
      const out = join(mkdtempSync(join(folder, "run-")), "imatrix.gguf");
      const calibration = { files: [{ path: text }], samples: 4, window: 20, imageEmbeddings };
      await makeImatrix(model, { out, calibration, threads: 1 });
      return readFileSync(out);
    };
    const found = await measured(await embeddings());
    expect(await measured(await embeddings((values) => values.reverse()))).not.toEqual(found);
    expect(await measured(await embeddings())).toEqual(found);
  });

  test("a run says how many of its tokens are of images", async () => {
    const { notices } = await run();
    expect(notices).toContainEqual(expect.stringMatching(/^\d+ of 80 calibration tokens are of/));
  });
});

describe("what does not fit is refused before any work", () => {
  const infinite = (values: Float32Array): void => void values.fill(Infinity, 3, 4);
  test.each<[string, () => Promise<Asked>, new (...args: never[]) => Error, RegExp]>([
    [
      "another width",
      async () => ({ images: await embeddings(undefined, 16) }),
      FormatError,
      /"cat" of an image to be \[tokens, 32\], got \[4, 16\]/,
    ],
    [
      "infinite values",
      async () => ({ images: await embeddings(infinite) }),
      NumericError,
      /cat.*infinite/,
    ],
    [
      "more image tokens than rows",
      async () => ({ text: conversations("! !") }),
      FormatError,
      /line 1: 2 of its tokens are the image token "!", and its 1 images have 4 rows/,
    ],
    [
      "an unused image",
      async () => ({ text: conversations("! ?", ["dog"]) }),
      FormatError,
      /no conversation shows "cat"/,
    ],
    ["a missing file", async () => ({ images: join(folder, "none") }), FormatError, /none/],
    [
      "image tokens without embeddings",
      async () => ({ images: null }),
      UsageError,
      /has image tokens \(id 6\), and no embeddings/,
    ],
    [
      "text that the model writes itself",
      async () => ({ more: { calibration: { selfGenerated: true, imageEmbeddings: "images" } } }),
      UsageError,
      /images stand in conversations, and no file of them was given/,
    ],
    [
      "a model of text",
      async () => ({ model: await tiny("llama", {}) }),
      UsageError,
      /Llama reads no images/,
    ],
    [
      "Qwen2-VL",
      async () => ({ model: await tiny("qwen2-vl", {}) }),
      UnsupportedError,
      /do not calibrate Qwen2-VL: its rotations also take the row and column/,
    ],
    [
      "Gemma 3",
      async () => ({ model: await tiny("gemma3-images", {}) }),
      UnsupportedError,
      /do not calibrate Gemma 3 with images: .*tokens of an image see each other/,
    ],
    [
      "a method that trains the whole model",
      async () => ({ more: { method: "paretoq", scheme: "w2-seq" } }),
      UsageError,
      /ParetoQ trains the whole model, on text alone/,
    ],
    [
      "a finisher without text of its own",
      async () => ({ more: { finishers: ["e2e-qp"] } }),
      UsageError,
      /trains the whole model, on text alone/,
    ],
  ])("%s", async (_, asked, kind, message) => {
    const refused = asked().then(run);
    await expect(refused).rejects.toThrow(kind);
    await expect(refused).rejects.toThrow(message);
  });
});
