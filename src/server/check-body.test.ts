import { expect, test } from "vitest";
import type { z } from "zod";
import { ApiError } from "./api-error.ts";
import { checkBody } from "./read-body.ts";
import { chatRequest } from "./schemas/chat.ts";
import { completionRequest } from "./schemas/completion.ts";

test.each([
  [[], null, "the body: expected an object, got []"],
  [null, null, "the body: expected an object, got null"],
  [{}, "prompt", "`prompt` is missing: expected a text or a list"],
  [{ prompt: 5 }, "prompt", "`prompt`: expected a text or a list, got 5"],
  [
    { prompt: [1, "a"] },
    "prompt.1",
    '`prompt.1`: expected a whole number of at least 0 or a text or a list, got "a"',
  ],
  [{ prompt: "", n: 0 }, "n", "`n`: expected a whole number from 1 to 128, got 0"],
  [{ prompt: "", top_p: 0 }, "top_p", "`top_p`: expected a number above 0, got 0"],
  [
    { prompt: "", max_tokens: Infinity },
    "max_tokens",
    "`max_tokens`: expected a whole number of at least 0, got Infinity",
  ],
  [{ prompt: "", stop: ["a", 1] }, "stop.1", "`stop.1`: expected a text, got 1"],
  [{ prompt: "", stream: "yes" }, "stream", '`stream`: expected true or false, got "yes"'],
  [{ prompt: "", model: true }, "model", "`model`: expected a text, got true"],
  [
    { prompt: "", model: "a".repeat(2000) },
    "model",
    "`model`: expected at most 500 characters, got 2000",
  ],
  [
    { prompt: "", stop: Array.from({ length: 20 }, String) },
    "stop",
    "`stop`: expected at most 16 entries, got 20",
  ],
  [
    { prompt: "", logit_bias: { the: 1 } },
    "logit_bias.the",
    '`logit_bias.the`: expected token ids as names, got "the"',
  ],
  [{ prompt: "", seed: 0.5 }, "seed", "`seed`: expected a whole number, got 0.5"],
  [{ prompt: "", seed: 2 ** 63 }, null, null],
  [
    { prompt: "", logprobs: 21 },
    "logprobs",
    "`logprobs`: expected a whole number from 0 to 20 or true or false, got 21",
  ],
])("a completion, %j", (body, param, message) => {
  const expected = message === null ? null : { status: 400, param, message };
  expect(faultOf(completionRequest, body)).toEqual(expected);
});

test.each([
  [{ messages: [] }, "messages", "`messages` is empty: expected a list"],
  [
    { messages: [{ role: "user", content: 5 }] },
    "messages.0.content",
    "`messages.0.content`: expected a text or a list, got 5",
  ],
  [
    { messages: [{ role: "user" }], response_format: { type: "xml" } },
    "response_format.type",
    '`response_format.type`: expected text or json_object or json_schema, got "xml"',
  ],
  [
    { messages: [{ role: "user" }], tool_choice: "must" },
    "tool_choice",
    '`tool_choice`: "must" is none of none, auto, required',
  ],
  [
    { messages: [{ role: "user" }], tools: [{ type: "function", function: { name: "a b" } }] },
    "tools.0.function.name",
    '`tools.0.function.name`: expected letters, digits, _, - and ., got "a b"',
  ],
])("a chat, %j", (body, param, message) => {
  expect(faultOf(chatRequest, body)).toEqual({ status: 400, param, message });
});

/** What a request is told of a body. */
function faultOf(schema: z.ZodType, body: unknown): object | null {
  try {
    checkBody(schema, body);
    return null;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { status, param, message } = error;
    return { status, param, message };
  }
}
