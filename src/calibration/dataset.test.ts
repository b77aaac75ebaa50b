import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lettersTokenizer } from "../../test/fixtures/letters-tokenizer.ts";
import { ChatTemplates } from "../tokenizers/chat-template-source.ts";
import { DirectoryFiles } from "../formats/directory-files.ts";
import { loadTokenizer } from "../tokenizers/load-tokenizer.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { FormatError, UnsupportedError, UsageError } from "../util/errors.ts";
import { loadCalibration } from "./dataset.ts";
import { joinDocuments } from "./read-documents.ts";
import { readJoinedText } from "./read-joined-text.ts";
import { evaluationWindows } from "./windows.ts";

const data = new URL("../../../shared/data/", import.meta.url);
const hasData = existsSync(data);
const path = (name: string): string => fileURLToPath(new URL(name, data));
const title = hasData ? "real text" : "real text (skipped: ../shared/data is not there)";

const chatTemplate =
  "{{ bos_token }}{% for m in messages %}{{ m.role }} {{ m.content }}{{ eos_token }}{% endfor %}";
const letters = lettersTokenizer(chatTemplate);
const textOf = (ids: Int32Array): string => letters.decode(ids);

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fewbit-calibration-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string): Promise<{ path: string }> {
  await writeFile(join(folder, name), content);
  return { path: join(folder, name) };
}

test("the start token stands once at the very start, documents run on, the remainder is dropped", async () => {
  const source = await file("a.txt", "abcd\n<|doc|>\nefgh");
  const { windows, notice } = await loadCalibration([source], letters, { samples: 2, window: 5 });
  expect(windows.map(textOf)).toEqual(["<s>abcd", "\n\nefg"]);
  expect(notice).toBeNull();
});

test("with a start token in each window nothing of the text is lost", async () => {
  const source = await file("b.txt", "abcdefghij");
  const options = { samples: 3, window: 4, bos: "each" } as const;
  const { windows } = await loadCalibration([source], letters, options);
  expect(windows.map(textOf)).toEqual(["<s>abc", "<s>def", "<s>ghi"]);
});

test("random windows are different ones, and the same for the same seed", async () => {
  const source = await file("c.txt", "abcdefghijklmnopqrstuvwxyz0123456789".repeat(2));
  const draw = async (seed: number) => {
    const options = { samples: 7, window: 5, order: "random", seed } as const;
    return (await loadCalibration([source], letters, options)).windows.map(textOf);
  };
  const [first, again, other] = [await draw(1), await draw(1), await draw(2)];
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
  const { windows } = await loadCalibration([source], letters, { samples: 14, window: 5 });
  const whole = windows.map(textOf);
  for (const window of first) expect(whole).toContain(window);
  const all = { samples: 14, window: 5, order: "random" } as const;
  const shuffled = (await loadCalibration([source], letters, all)).windows.map(textOf);
  expect([...shuffled].sort()).toEqual([...whole].sort());
});

test("files give their shares by weight, each text with its own start", async () => {
  const a = await file("wa.txt", "a".repeat(99));
  const b = await file("wb.txt", "b".repeat(99));
  const files = [{ ...a, weight: 3 }, b];
  const { windows } = await loadCalibration(files, letters, { samples: 5, window: 4 });
  expect(windows.map(textOf)).toEqual(["<s>aaa", "aaaa", "aaaa", "aaaa", "<s>bbb"]);
  const starved = [{ ...a, weight: 100 }, b];
  await expect(loadCalibration(starved, letters, { samples: 5, window: 4 })).rejects.toThrow(
    /wb\.txt would give none/,
  );
});

test("JSON lines: texts are separated by an empty line, the field can be named", async () => {
  const source = await file("d.jsonl", '{"text":"abc"}\n\n{"text":"def"}\n"ghi"\n');
  const { windows } = await loadCalibration([source], letters, { samples: 1, window: 13 });
  expect(windows.map(textOf)).toEqual(["<s>abc\n\ndef\n\ngh"]);
  const named = { ...(await file("e.jsonl", '{"body":"abc"}')), field: "body" };
  const { windows: one } = await loadCalibration([named], letters, { samples: 1, window: 4 });
  expect(one.map(textOf)).toEqual(["<s>abc"]);
});

test("JSON lines: chats are written by the model's template, with one start token each", async () => {
  const chat = (content: string) => JSON.stringify({ messages: [{ role: "user", content }] });
  const source = await file("f.jsonl", `${chat("ab")}\n${chat("cd")}\n`);
  const { windows } = await loadCalibration([source], letters, { samples: 1, window: 18 });
  expect(windows.map(textOf)).toEqual(["<s>user ab</s><s>user cd</s>"]);
  const silent = Object.create(letters, { chatTemplates: { value: new ChatTemplates() } });
  await expect(loadCalibration([source], silent, { samples: 1, window: 4 })).rejects.toThrow(
    UnsupportedError,
  );
});

test("a malformed line is named", async () => {
  const broken = await file("g.jsonl", '{"text":"abc"}\n{"text":');
  const options = { samples: 1, window: 2 };
  await expect(loadCalibration([broken], letters, options)).rejects.toThrow(/g\.jsonl, line 2/);
  const other = await file("h.jsonl", '{"title":"abc"}');
  await expect(loadCalibration([other], letters, options)).rejects.toThrow(/"text".*got title/);
  await expect(loadCalibration([{ path: "absent" }], letters, options)).rejects.toThrow(
    FormatError,
  );
});

test("too little text is an error that says how much there is, or a stated reduction", async () => {
  const source = await file("i.txt", "abcdefghij");
  const options = { samples: 3, window: 5 };
  await expect(loadCalibration([source], letters, options)).rejects.toThrow(
    /has 2 windows of 5 tokens \(11 tokens in all\), and 3 were asked for/,
  );
  const fewer = await loadCalibration([source], letters, { ...options, allowFewer: true });
  expect(fewer.windows.map(textOf)).toEqual(["<s>abcd", "efghi"]);
  expect(fewer.notice).toMatch(/has 2 windows .* 3 were asked for/);
  const none = { samples: 1, window: 50, allowFewer: true };
  await expect(loadCalibration([source], letters, none)).rejects.toThrow(UsageError);
});

test("evaluation windows: every prediction, or llama.cpp's second half with a start token each", () => {
  const text = { text: "abcdefghijklm", needsStart: true };
  const all = evaluationWindows(text, letters, { window: 6, protocol: "windows" });
  expect(all.map(({ ids }) => textOf(ids))).toEqual(["<s>abcde", "fghijk"]);
  expect(all.map(({ from, to }) => [from, to])).toEqual([
    [0, 5],
    [0, 5],
  ]);
  const half = evaluationWindows(text, letters, { window: 6, protocol: "second-half" });
  expect(half.map(({ ids }) => textOf(ids))).toEqual(["<s>abcde", "<s>ghijk"]);
  expect(half.map(({ from, to }) => [from, to])).toEqual([
    [3, 5],
    [3, 5],
  ]);
  const short = () =>
    evaluationWindows({ ...text, text: "abc" }, letters, { window: 6, protocol: "windows" });
  expect(short).toThrow("the text has 4 tokens, not enough for one window of 6");
});

describe.skipIf(!hasData)(title, () => {
  test.each([
    ["babyllama-tok105", "tinystories-eval.txt"],
    ["stories260K", "tinystories-eval.txt"],
    ["prose-6m", "prose/test.txt"],
  ])("%s: as many windows as the reference counted", async (model, text) => {
    const tokenizer = await loadTokenizer(new DirectoryFiles(path(`models/${model}`)));
    const reference = JSON.parse(readFileSync(path(`reference/${model}.json`), "utf8"));
    const joined = await readJoinedText(path(`text/${text}`), tokenizer);
    const windows = evaluationWindows(joined, tokenizer, {
      window: reference.window,
      protocol: "windows",
    });
    expect(windows.length).toBe(reference.float.windows);
  });

  test("the first windows of 27 MB are those of the whole text, which is not tokenised whole", async () => {
    const tokenizer = await loadTokenizer(new DirectoryFiles(path("models/prose-6m")));
    let encoded = 0;
    const counting: Tokenizer = Object.create(tokenizer, {
      encodeLazily: {
        *value(text: string) {
          for (const ids of tokenizer.encodeLazily(text)) {
            encoded += ids.length;
            yield ids;
          }
        },
      },
    });
    const source = { path: path("text/prose/train.txt") };
    const { windows } = await loadCalibration([source], counting, { samples: 64, window: 512 });
    expect(encoded).toBeLessThan(64 * 512 + 1000);
    const prefix = joinDocuments(readFileSync(source.path, "utf8").slice(0, 400_000));
    const ids = tokenizer.encode(prefix, { addSpecial: true });
    expect(ids.length).toBeGreaterThan(64 * 512);
    const flat = windows.flatMap((window) => [...window]);
    expect(flat).toEqual([...ids.subarray(0, 64 * 512)]);
  });
});
