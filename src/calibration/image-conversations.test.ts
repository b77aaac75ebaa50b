import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { alphabet, lettersTokenizer } from "../../test/fixtures/letters-tokenizer.ts";
import { FormatError, UsageError } from "../util/errors.ts";
import { loadCalibration } from "./dataset.ts";
import { idOfRow, readImageConversations, rowOfId } from "./image-conversations.ts";

const chatTemplate =
  "{% for m in messages %}{% for part in m.content %}" +
  "{{ '|' if part.type == 'image' else part.text }}{% endfor %}{% endfor %}";
const tokenizer = lettersTokenizer(chatTemplate);
/** `|` stands for an image: a cat of 2 rows, a dog of 3. */
const images = {
  token: alphabet.indexOf("|"),
  rows: {
    path: "images.safetensors",
    ranges: new Map([
      ["cat", { first: 0, count: 2 }],
      ["dog", { first: 2, count: 3 }],
    ]),
  },
};

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fewbit-images-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(...lines: readonly object[]): Promise<string> {
  const path = join(folder, "conversations.jsonl");
  await writeFile(path, lines.map((line) => JSON.stringify(line)).join("\n"));
  return path;
}

/** Ids as text, with the number of a row where an image stands. */
const shown = (ids: Iterable<number>): string =>
  [...ids].map((id) => rowOfId(id) ?? tokenizer.decode([id])).join("");

async function read(...lines: readonly object[]): Promise<string[]> {
  const found = await readImageConversations(await file(...lines), { tokenizer, images });
  return (found?.ids ?? []).map(shown);
}

test("an id is a token, or stands for a row", () => {
  expect([0, 5, idOfRow(0), idOfRow(7)].map(rowOfId)).toEqual([null, null, 0, 7]);
});

describe("conversations that show images", () => {
  test("an image token becomes the rows of its image, in the order of the names", async () => {
    const found = await read(
      { text: "a|b|", images: ["dog", "cat"] },
      { text: "no image" },
      { text: "|", images: ["dog"] },
    );
    expect(found).toEqual(["<s>a234b01", "<s>no image", "<s>234"]);
  });

  test("tokens that are there for every row already stay as many", async () => {
    expect(await read({ text: "a||||b|", images: ["dog", "cat"] })).toEqual(["<s>a2340b1"]);
  });

  test("messages with parts are written by the template", async () => {
    const content = [{ type: "image" }, { type: "text", text: "what" }];
    expect(await read({ messages: [{ role: "user", content }], images: ["cat"] })).toEqual([
      "<s>01what",
    ]);
    const sound = [{ type: "audio" }];
    await expect(
      read({ messages: [{ role: "user", content: sound }], images: ["cat"] }),
    ).rejects.toThrow(/"messages\[0\].content\[0\]": expected .*, got a text$/);
  });

  test("a file that names no image is none of them", async () => {
    const path = await file({ text: "a|b" }, { text: "c", images: [] });
    expect(await readImageConversations(path, { tokenizer, images })).toBeNull();
  });

  test.each([
    [{ text: "a|b", images: ["cat", "dog"] }, /line 1: 1 of its tokens .* "\|".* 2 images have 5/],
    [{ text: "ab", images: ["cat"] }, /line 1: 0 of its tokens/],
    [{ text: "|", images: ["bird"] }, /line 1, "images": images.safetensors has no tensor "bird"/],
    [{ text: "|", images: "cat" }, /line 1, "images": expected a list of names/],
    [{ text: "|", images: [1] }, /line 1, "images\[0\]": expected the name of an image, got 1/],
  ])("%j is refused", async (line, message) => {
    const reading = read(line);
    await expect(reading).rejects.toThrow(FormatError);
    await expect(reading).rejects.toThrow(message);
  });
});

describe("calibration windows with images", () => {
  const sizes = { samples: 2, window: 6, images };

  test("run from conversation to conversation, and say how much of them is images", async () => {
    const path = await file(
      { text: "a|b", images: ["dog"] },
      { text: "|", images: ["cat"] },
      { text: "cd" },
    );
    const { windows, notice } = await loadCalibration([{ path }], tokenizer, sizes);
    expect(windows.map(shown)).toEqual(["<s>a234b", "<s>01<s>cd"]);
    expect(notice).toBe("5 of 12 calibration tokens are of images");
  });

  test("text may stand beside them", async () => {
    const path = await file({ text: "a|bc|", images: ["dog", "cat"] });
    const text = join(folder, "text.txt");
    await writeFile(text, "only text");
    const { windows } = await loadCalibration([{ path }, { path: text }], tokenizer, sizes);
    expect(windows.map(shown)).toEqual(["<s>a234b", "<s>only "]);
  });

  test("an image that no conversation shows is refused", async () => {
    const path = await file({ text: "a|bcdefghijkl", images: ["dog"] });
    const loading = loadCalibration([{ path }], tokenizer, sizes);
    await expect(loading).rejects.toThrow(/no conversation shows "cat"/);
  });

  test("windows without any image are refused", async () => {
    const path = await file(
      { text: "only text before these" },
      { text: "||", images: ["dog", "cat"] },
    );
    const loading = loadCalibration([{ path }], tokenizer, sizes);
    await expect(loading).rejects.toThrow(UsageError);
    await expect(loading).rejects.toThrow(/none of the calibration windows/);
  });
});
