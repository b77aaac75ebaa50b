import { expect, test } from "vitest";
import { chooseToolFormat } from "./tool-format.ts";
import { ToolCallReader, type ToolEvent } from "./tool-call-reader.ts";

const { format } = chooseToolFormat("<tool_call>");
const names = ["add", "add_all"];

/** Reads a text in pieces of one length, and joins what belongs together. */
function read(text: string, length: number): ToolEvent[] {
  const reader = new ToolCallReader(format, names);
  const events: ToolEvent[] = [];
  for (let at = 0; at < text.length; at += length) {
    events.push(...reader.push(text.slice(at, at + length)));
  }
  events.push(...reader.finish());
  const joined: ToolEvent[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    if (last?.type === event.type && "text" in last && "text" in event) {
      joined[joined.length - 1] = { ...last, text: last.text + event.text };
    } else joined.push(event);
  }
  return joined;
}

const call = (name: string, text: string): string => format.begin(name) + text + format.end;

const cases: readonly (readonly [string, string, readonly ToolEvent[]])[] = [
  ["no call", "a < b", [{ type: "content", text: "a < b" }]],
  [
    "a call",
    call("add", '{"a": "}\\"{"}'),
    [
      { type: "call", call: 0, name: "add" },
      { type: "arguments", call: 0, text: '{"a": "}\\"{"}' },
    ],
  ],
  [
    "two calls and words in front",
    `So: ${call("add", "{}")}${format.separator}${call("add_all", '{"x": [{}]}')}`,
    [
      { type: "content", text: "So: " },
      { type: "call", call: 0, name: "add" },
      { type: "arguments", call: 0, text: "{}" },
      { type: "call", call: 1, name: "add_all" },
      { type: "arguments", call: 1, text: '{"x": [{}]}' },
    ],
  ],
  [
    "a call of something else",
    call("steal", "{}"),
    [{ type: "content", text: call("steal", "{}") }],
  ],
  [
    "a call that is cut",
    `${format.begin("add")}{"a": [1`,
    [
      { type: "call", call: 0, name: "add" },
      { type: "arguments", call: 0, text: '{"a": [1' },
    ],
  ],
  [
    "a second call that is cut before its name",
    `${call("add", "{}")}${format.separator}${format.begin("add").slice(0, 9)}`,
    [
      { type: "call", call: 0, name: "add" },
      { type: "arguments", call: 0, text: "{}" },
    ],
  ],
  ["the beginning of one", "x <tool_", [{ type: "content", text: "x <tool_" }]],
];

test.each(cases)("%s: the pieces do not matter", (_, text, expected) => {
  for (const length of [1, 3, text.length]) expect(read(text, length)).toEqual(expected);
});
