import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { trainByteLevelTokenizer } from "../tokenizers/byte-level-tokenizer.ts";
import { createTokenizer } from "../tokenizers/hub-tokenizer.ts";
import { FormatError } from "../util/errors.ts";
import { readTexts, tokenize } from "./tokenize-texts.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fewbit-text-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

describe("texts of a file", () => {
  test("separator lines part documents, and empty ones do not count", async () => {
    const path = await file(
      "a.txt",
      "<|doc|>\none\ntwo\n<|doc|>\r\nthree <|doc|> here\n<|doc|>\n\n",
    );
    expect(await readTexts(path, "separate")).toEqual(["one\ntwo\n", "three <|doc|> here\n"]);
    expect(await readTexts(path, "joined")).toEqual(["\none\ntwo\n\r\nthree <|doc|> here\n\n\n"]);
  });

  test("JSON lines have a document each", async () => {
    const path = await file("a.jsonl", '{"text": "one"}\n"two"\n\n{"text": "three", "x": 1}\n');
    expect(await readTexts(path, "separate")).toEqual(["one", "two", "three"]);
    expect(await readTexts(path, "joined")).toEqual(["one\n\ntwo\n\nthree"]);
  });

  test.each([
    ["not.jsonl", '{"text": "one"}\n{"txt": 1}\n', /line 2: expected a JSON string/],
    ["broken.jsonl", '{"text": \n', /line 1/],
    ["empty.txt", " \n", /has no text/],
  ])("%s is refused", async (name, content, message) => {
    const path = await file(name, content);
    await expect(readTexts(path, "separate")).rejects.toThrow(FormatError);
    await expect(readTexts(path, "separate")).rejects.toThrow(message);
  });
});

test("documents stand between start and end token; a joined text has the start token alone", async () => {
  const tokenizer = createTokenizer(await trainByteLevelTokenizer(["ab"], { vocabularySize: 258 }));
  const [a, b] = tokenizer.encode("ab");
  expect([...(await tokenize(["ab", "b"], tokenizer, "separate"))]).toEqual([0, a, b, 1, 0, b, 1]);
  expect([...(await tokenize(["ab"], tokenizer, "joined"))]).toEqual([0, a, b]);
});
