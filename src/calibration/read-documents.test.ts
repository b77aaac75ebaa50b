import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError } from "../util/errors.ts";
import { type DocumentMode, readDocuments } from "./read-documents.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fewbit-documents-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** What is read from a file: texts, and messages where there are any. */
async function read(name: string, content: string, mode: DocumentMode = "joined", field?: string) {
  const path = join(folder, name);
  await writeFile(path, content);
  const documents = [...(await readDocuments(path, mode, { text: field }))];
  return documents.map((document) => ("text" in document ? document.text : document.messages));
}

const lines = '{"text": "one"}\n\n{"text": "two\\n", "x": null}\r\n"three"\n';
const array = JSON.stringify([{ text: "one" }, { text: "two\n", x: null }, "three"], null, 2);
const chat = [
  { role: "system", content: "be brief" },
  { role: "user", content: "hello" },
];

describe("JSON is read as documents, whatever the file is called", () => {
  test.each([
    ["lines.jsonl", lines],
    ["lines.ndjson", lines],
    ["lines.json", lines],
    ["LINES.JSON", lines],
    ["lines.txt", lines],
    ["lines", `\ufeff${lines}`],
    ["array.json", array],
    ["array.jsonl", array.replaceAll("\n", "")],
    ["array.txt", array],
  ])("%s", async (name, content) => {
    expect(await read(name, content)).toEqual(["one", "two\n", "three"]);
    expect(await read(name, content, "separate")).toEqual(["one", "two\n", "three"]);
  });

  test("one document over several lines is one document", async () => {
    expect(await read("one.json", '{\n  "text": "one"\n}\n')).toEqual(["one"]);
  });

  test("another field, and conversations, without what is null in them", async () => {
    expect(await read("body.txt", '{"body": "one"}\n', "joined", "body")).toEqual(["one"]);
    const [first, second] = chat;
    const spoken = { text: null, messages: [{ ...first, name: null, tool_calls: [] }, second] };
    expect(await read("chat.json", JSON.stringify([spoken]))).toEqual([chat]);
    const reasoned = [{ role: "assistant", content: "b", reasoning_content: "a" }];
    expect(await read("r.jsonl", JSON.stringify({ messages: reasoned }))).toEqual([reasoned]);
  });

  test.each([
    "{ braces } are not JSON\n",
    '{"key": 1}\n{"key": 2}\n',
    '"Yes," she said.\n',
    "[1] A footnote\n",
    "[[0, 1]]\n",
    'first\n{"text": "one"}\n',
  ])("%j in a .txt file stays the text that it is", async (text) => {
    expect(await read("plain.txt", text)).toEqual([text]);
  });
});

const user = { role: "user", content: "a" };
const call = { id: "1", type: "function", function: { name: "f", arguments: "{}" } };
const message = (fields: object): string => JSON.stringify({ messages: [user, fields] });

describe("what is no text is refused with file, line and field", () => {
  test.each([
    ['{"text": null}', /line 2, "text": expected a text, got null$/],
    ['{"text": 5}', /line 2, "text": expected a text, got 5$/],
    ['{"text": ["a"]}', /line 2, "text": expected a text, got a list$/],
    ['{"text": {"a": 1}}', /line 2, "text": expected a text, got an object$/],
    ['{"title": "a"}', /line 2: expected a JSON string, the field "text".*, got title$/],
    ["null", /line 2: expected a JSON string.*, got null$/],
    ["7", /line 2: expected a JSON string.*, got 7$/],
    ['{"messages": null}', /line 2, "messages": expected a list of messages, got null$/],
    ['{"messages": []}', /line 2, "messages": expected at least one message, got an empty list$/],
    ['{"messages": ["a"]}', /line 2, "messages\[0\]": expected a message.*, got a text$/],
    [message({ content: "a" }), /"messages\[1\]\.role": expected a text, got nothing$/],
    [message({ role: "user" }), /"messages\[1\]\.content": expected a text, got nothing$/],
    [message({ role: "user", content: null }), /messages\[1\]\.content": .*, got null$/],
    [
      message({ role: "user", content: [{ type: "text", text: "a" }] }),
      /messages\[1\]\.content": expected a text, got a list$/,
    ],
    [
      message({ role: "user", parts: [{ text: "a" }] }),
      /messages\[1\]\.content": .*, got nothing$/,
    ],
    [
      message({ role: "assistant", content: null, tool_calls: [call] }),
      /line 2, "messages\[1\]\.tool_calls": expected no calls.*, got a list$/,
    ],
    [
      message({ role: "assistant", content: "a", tool_calls: [call] }),
      /messages\[1\]\.tool_calls"/,
    ],
    [
      message({ role: "assistant", content: "", function_call: { name: "f" } }),
      /messages\[1\]\.function_call": .*, got an object$/,
    ],
    [JSON.stringify({ messages: [user], tools: [call] }), /line 2, "tools": expected no calls/],
    ["{", /line 2 is not JSON: /],
  ])("%s", async (line, expected) => {
    for (const name of ["bad.jsonl", "bad.json", "bad.txt"]) {
      const refused = read(name, `{"text": "good"}\n${line}\n`);
      await expect(refused).rejects.toThrow(FormatError);
      await expect(refused).rejects.toThrow(expected);
      await expect(refused).rejects.toThrow(join(folder, name));
    }
  });

  test("an array's items are counted", async () => {
    const refused = read("bad.json", '[{"text": "good"},\n{"text": null}]');
    await expect(refused).rejects.toThrow(/bad\.json, item 2, "text": expected a text, got null$/);
  });

  test("a .json file that is not JSON is refused", async () => {
    await expect(read("no.json", "Once upon a time\n")).rejects.toThrow(
      /no\.json, line 1 is not JSON/,
    );
  });
});
