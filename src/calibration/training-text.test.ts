import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createTokenizer } from "../tokenizers/hub-tokenizer.ts";
import { FormatError, UsageError } from "../util/errors.ts";
import { loadTrainingText } from "./training-text.ts";

const folder = mkdtempSync(join(tmpdir(), "fewbit-text-"));
afterAll(() => rmSync(folder, { recursive: true }));

const vocab = Object.fromEntries([..."abcd?"].map((character, id) => [character, id]));
const tokenizer = createTokenizer({
  definition: {
    added_tokens: [{ id: 5, content: "<end>", special: true }],
    model: { type: "BPE", vocab, merges: [] },
  },
  settings: {
    eos_token: "<end>",
    chat_template: "{% for m in messages %}{{ m['content'] }}<end>{% endfor %}",
  },
});

function file(name: string, text: string): { path: string } {
  writeFileSync(join(folder, name), text);
  return { path: join(folder, name) };
}

const chat = (question: string, answer: string): string =>
  JSON.stringify({
    messages: [
      { role: "user", content: question },
      { role: "assistant", content: answer },
    ],
  });
const chats = file(
  "chats.jsonl",
  `${chat("a?", "b")}\n\n${chat("aaaaaaaa?", "b")}\n${chat("?", "cd")}\n`,
);
const text = file("text.txt", "abcd".repeat(10));

test("a conversation a window, filled up, and only its answer predicted", async () => {
  const { windows, targets, notice } = await loadTrainingText([chats], tokenizer, {
    samples: 2,
    window: 6,
  });
  // biome-ignore format: ids and targets below each other
  expect(windows.map((window) => [...window])).toEqual([[0, 4, 5, 1, 5, 0], [4, 5, 2, 3, 5, 0]]);
  expect(targets?.map((target) => [...target])).toEqual([
    [-1, -1, 1, 5, -1, -1],
    [-1, 2, 3, 5, -1, -1],
  ]);
  expect(notice).toBeNull();
});

test("plain text is cut as for calibration, and everything predicted", async () => {
  const { windows, targets } = await loadTrainingText([text], tokenizer, { samples: 3, window: 8 });
  expect(windows).toHaveLength(3);
  expect(targets).toBeNull();
});

test("too few conversations with an answer in the window are refused, or fewer taken", async () => {
  const options = { samples: 3, window: 6 };
  const loaded = loadTrainingText([chats], tokenizer, options);
  await expect(loaded).rejects.toThrow(/3 conversations, 1 without an answer within 6 tokens/);
  const fewer = await loadTrainingText([chats], tokenizer, { ...options, allowFewer: true });
  expect(fewer.windows).toHaveLength(2);
  expect(fewer.notice).toContain("3 were asked for");
});

test("conversations and plain text are not mixed", async () => {
  const options = { samples: 1, window: 6 };
  await expect(loadTrainingText([chats, text], tokenizer, options)).rejects.toThrow(UsageError);
  const mixed = file("mixed.jsonl", `${chat("a", "b")}\n{"text": "abc"}\n`);
  await expect(loadTrainingText([mixed], tokenizer, options)).rejects.toThrow(FormatError);
});
