import { expect, test } from "vitest";
import { ApiError } from "./api-error.ts";
import { checkBody } from "./read-body.ts";
import { chatRequest } from "./schemas/chat.ts";
import { completionRequest } from "./schemas/completion.ts";

test.each([
  [[], null, "the body must be an object, got a list"],
  [null, null, "the body must be an object, got null"],
  [{}, "prompt", "`prompt` is missing"],
  [{ prompt: 5 }, "prompt", "`prompt` must be a text or a list, got 5"],
  [{ prompt: [1, "a"] }, "prompt.1", '`prompt.1` must be a number, got "a"'],
  [{ prompt: [1.5] }, "prompt.0", "`prompt.0` must be a whole number, got 1.5"],
  [{ prompt: "", n: 0 }, "n", "`n` must be at least 1, got 0"],
  [{ prompt: "", top_p: 0 }, "top_p", "`top_p` must be above 0, got 0"],
  [
    { prompt: "", max_tokens: Infinity },
    "max_tokens",
    "`max_tokens` must be a number, got Infinity",
  ],
  [{ prompt: "", stop: ["a", 1] }, "stop.1", "`stop.1` must be a text, got 1"],
  [{ prompt: "", stream: "yes" }, "stream", '`stream` must be true or false, got "yes"'],
  [{ prompt: "", model: "x".repeat(600) }, "model", "`model` must have at most 500 characters"],
  [{ prompt: "", model: true }, "model", "`model` must be a text, got true"],
  [{ prompt: "", logprobs: 21 }, "logprobs", "`logprobs` must be at most 20, got 21"],
  [
    { prompt: "", logit_bias: { a: 1 } },
    "logit_bias.a",
    "`logit_bias.a` is no name for this: expected token ids",
  ],
])("%j", (body, param, message) => {
  expect(faultOf(() => checkBody(completionRequest, body))).toEqual({ param, message });
});

test.each([
  [{ messages: [] }, "messages", "`messages` must not be empty"],
  [
    { messages: [{ role: "user", content: 5 }] },
    "messages.0.content",
    "`messages.0.content` must be a text or a list, got 5",
  ],
  [
    { messages: [{ role: "user" }], response_format: { type: "xml" } },
    "response_format.type",
    '`response_format.type` must be text or json_object or json_schema, got "xml"',
  ],
  [
    { messages: [{ role: "user" }], tool_choice: "must" },
    "tool_choice",
    '`tool_choice` must be none or auto or required or an object, got "must"',
  ],
  [
    { messages: [{ role: "user" }], tools: [{ type: "function", function: { name: "a b" } }] },
    "tools.0.function.name",
    "`tools.0.function.name` is not taken: expected letters, digits, _, - and .",
  ],
])("in a chat: %j", (body, param, message) => {
  expect(faultOf(() => checkBody(chatRequest, body))).toEqual({ param, message });
});

function faultOf(check: () => unknown): { param: string | null; message: string } | null {
  try {
    check();
    return null;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { param: error.param, message: error.message };
  }
}
