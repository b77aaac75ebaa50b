import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openModelFiles } from "../../runtime/open-checkpoint.ts";
import { ChatTemplates } from "../../tokenizers/chat-template-source.ts";
import { loadTokenizer } from "../../tokenizers/load-tokenizer.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { openPrompts } from "./open-prompts.ts";
import { promptSet } from "./prompt-set.ts";

const model = fileURLToPath(new URL("../../../builtin/model", import.meta.url));
const config = { contextLength: 256 };
let folder = "";
let tokenizer: Tokenizer;

/** The same tokenizer with a template that is easily seen through. */
function chatting(template: string): Tokenizer {
  const chatTemplates = new ChatTemplates({ files: new Map([["default", template]]) });
  return Object.create(tokenizer, { chatTemplates: { value: chatTemplates } }) as Tokenizer;
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-prompts-"));
  const files = await openModelFiles(model);
  const { vocab_size: size } = (await files.json("config.json")) as { vocab_size: number };
  tokenizer = await loadTokenizer(files, size);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const said = (ids: readonly number[]): string => tokenizer.decode(ids, { skipSpecial: true });
const asText = (text: string): number[] => [...tokenizer.startIds, ...tokenizer.encode(text)];

describe("openPrompts", () => {
  test("gives the built-in prompts, questions as text without a chat template", async () => {
    const { set, prompts, sha256 } = await openPrompts({ tokenizer, config }, { count: 2 });
    expect(set).toBe("fewbit-1");
    const [beginning, question] = promptSet;
    expect(prompts[0]?.ids).toEqual(asText(beginning.text));
    expect(prompts[1]?.ids).toEqual(asText(`Question: ${question.text}\nAnswer:`));
    expect(prompts.map(({ text }) => text)).toEqual([beginning.text, question.text]);
    const more = await openPrompts({ tokenizer, config }, { count: 3 });
    expect(more.sha256).not.toBe(sha256);
  });

  test("asks questions through the chat template, and never with the date of today", async () => {
    const template = "[{{ messages[0].content }}|{{ strftime_now('%Y') }}]";
    const asked = { tokenizer: chatting(template), config };
    const { prompts } = await openPrompts(asked, { count: 2 });
    expect(prompts[0]?.ids).toEqual(asText(promptSet[0].text));
    expect(prompts[1]?.ids).toEqual([...tokenizer.encode(`[${promptSet[1].text}|2026]`)]);
  });

  test("reads a prompt a line, or JSON lines of texts and of conversations", async () => {
    const lines = file("lines.txt", "It was a\n\nThe dog said\n");
    const plain = await openPrompts({ tokenizer, config }, { prompts: lines });
    expect(plain.set).toBeNull();
    expect(plain.prompts.map(({ ids }) => ids)).toEqual([
      asText("It was a"),
      asText("The dog said"),
    ]);
    const chat = [
      { role: "user", content: "the dog" },
      { role: "assistant", content: "the cat" },
    ];
    const records = [{ text: "It was a" }, { messages: chat }].map((each) => JSON.stringify(each));
    const asked = {
      tokenizer: chatting("{{ messages | length }} {{ messages[-1].content }}"),
      config,
    };
    const json = await openPrompts(asked, { prompts: file("chat.jsonl", records.join("\n")) });
    expect(json.prompts.map(({ text }) => text)).toEqual(["It was a", "the dog"]);
    expect(said(json.prompts[1]?.ids ?? [])).toBe(said([...tokenizer.encode("1 the dog")]));
  });

  test("cuts what may follow to the context, and refuses a prompt that fills it", async () => {
    const length = asText(promptSet[0].text).length;
    const room = { tokenizer, config: { contextLength: length + 5 } };
    const { prompts } = await openPrompts(room, { count: 1 });
    expect(prompts[0]?.maxTokens).toBe(5);
    const none = { tokenizer, config: { contextLength: length } };
    await expect(openPrompts(none, { count: 1 })).rejects.toThrow(
      `prompt 1 has ${length} tokens, which leaves no room in the model's context of ${length}`,
    );
  });

  test.each([
    [{ count: 21 }, "expected 1 to 20 of the built-in prompts, got 21"],
    [{ count: 0 }, "expected 1 to 20 of the built-in prompts, got 0"],
    [{ maxTokens: 0 }, "expected at least 1 token to write, got 0"],
  ])("refuses %j", async (choice, message) => {
    await expect(openPrompts({ tokenizer, config }, choice)).rejects.toThrow(message);
  });

  test("refuses a file without a prompt, and a conversation without a question", async () => {
    const empty = file("empty.txt", "\n \n");
    await expect(openPrompts({ tokenizer, config }, { prompts: empty })).rejects.toThrow(
      `${empty} has no prompt`,
    );
    const answer = JSON.stringify({ messages: [{ role: "assistant", content: "yes" }] });
    const path = file("answer.jsonl", answer);
    await expect(openPrompts({ tokenizer, config }, { prompts: path })).rejects.toThrow(
      /expected a message that the assistant is to answer/,
    );
  });
});
