import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LanguageModel, load } from "../index.ts";
import { ChatTemplates } from "../tokenizers/chat-template-source.ts";
import { UsageError } from "../util/errors.ts";
import { compareModels } from "./comparison/compare-models.ts";
import { evaluateModel } from "./evaluate.ts";
import { measureTeacher } from "./measure-teacher.ts";
import { openWindows, type WindowChoice } from "./open-windows.ts";

const builtin = fileURLToPath(new URL("../../builtin/", import.meta.url));
const text = `${builtin}text/validation.txt`;
const documents = [
  "The dog ran home.\n",
  "Tom was happy.",
  "",
  "The girl saw a red ball. ".repeat(9),
];
const chats = [[{ role: "user", content: "Where is the dog?" }]];
const template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";

let folder = "";
let model: LanguageModel;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-windows-"));
  model = await load(`${builtin}model`);
});
afterAll(() => {
  model.release();
  rmSync(folder, { recursive: true });
});

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

const idsOf = async (choice: WindowChoice, of = model): Promise<number[][]> =>
  (await openWindows(of, choice)).windows.map(({ ids }) => [...ids]);

describe("the text of an evaluation", () => {
  test("JSON documents are joined by an empty line, as those of calibration are", async () => {
    const joined = file("joined.txt", documents.join("\n\n"));
    const expected = await idsOf({ text: joined, window: 16 });
    expect(expected.length).toBeGreaterThan(3);
    const lines = documents.map((document) => JSON.stringify({ text: document })).join("\n");
    for (const name of ["lines.jsonl", "lines.json", "lines.txt"]) {
      expect(await idsOf({ text: file(name, lines), window: 16 })).toEqual(expected);
    }
    const array = file("array.json", JSON.stringify(documents, null, 2));
    expect(await idsOf({ text: array, window: 16 })).toEqual(expected);
  });

  test("conversations are written by the model's template", async () => {
    const { tokenizer } = model;
    const templates = new ChatTemplates({ settings: template });
    const speaking: LanguageModel = Object.create(model, {
      tokenizer: { value: Object.create(tokenizer, { chatTemplates: { value: templates } }) },
    });
    const lines = chats.map((messages) => JSON.stringify({ messages })).join("\n");
    const written = file("written.txt", "user: Where is the dog?\n");
    expect(await idsOf({ text: file("chat.jsonl", lines), window: 4 }, speaking)).toEqual(
      await idsOf({ text: written, window: 4 }),
    );
  });
});

describe("windows that cannot be measured", () => {
  const measures: [string, (choice: WindowChoice) => Promise<unknown>][] = [
    ["evaluateModel", (choice) => evaluateModel(model, { ...choice, speedTokens: 0 })],
    ["measureTeacher", (choice) => measureTeacher(model, choice)],
    ["compareModels", (choice) => compareModels(model, model, choice)],
  ];

  test.each(measures)("%s refuses those beyond the context, unless allowed", async (_, measure) => {
    const choice = { text, window: 257, maxWindows: 2 };
    await expect(measure(choice)).rejects.toThrow(UsageError);
    await expect(measure(choice)).rejects.toThrow(
      "windows of 257 tokens are longer than the model's context of 256",
    );
    await expect(measure({ ...choice, beyondContext: true })).resolves.toBeDefined();
    await expect(measure({ ...choice, window: 256 })).resolves.toBeDefined();
  });

  test.each(measures)("%s refuses those with nothing to score", async (_, measure) => {
    const half = { text, protocol: "second-half", maxWindows: 2 } as const;
    await expect(measure({ ...half, window: 2 })).rejects.toThrow(UsageError);
    await expect(measure({ ...half, window: 2 })).rejects.toThrow(/no prediction in its second/);
    await expect(measure({ ...half, window: 3 })).resolves.toBeDefined();
    for (const window of [1, 0, -4, 2.5, Number.NaN]) {
      await expect(measure({ text, window })).rejects.toThrow(/a window of at least 2 tokens/);
    }
    for (const maxWindows of [0, -1, 1.5, Number.NaN]) {
      await expect(measure({ text, window: 8, maxWindows })).rejects.toThrow(/at least 1 window/);
    }
  });

  test("results say so where windows are beyond the context", async () => {
    const choice = { text, maxWindows: 2, beyondContext: true };
    const beyond = await evaluateModel(model, { ...choice, window: 300, speedTokens: 0 });
    expect(beyond.beyondContext).toBe(256);
    const within = await evaluateModel(model, { ...choice, window: 256, speedTokens: 0 });
    expect(within).not.toHaveProperty("beyondContext");
    const compared = await compareModels(model, model, { ...choice, window: 300 });
    expect(compared.beyondContext).toBe(256);
  });
});
