import OpenAI, { type APIError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateText, load } from "../../src/index.ts";
import { type ChatServer, serveTiny } from "../fixtures/chat-server.ts";

/*
 * The official client, unchanged, against a server of the built-in model.
 */

let server: ChatServer;
let client: OpenAI;

beforeAll(async () => {
  server = await serveTiny({ apiKey: "sk-test" });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "sk-test", maxRetries: 0 });
});
afterAll(() => server.remove());

const messages = [{ role: "user" as const, content: "The cat" }];
const greedy = { model: "tiny", temperature: 0 };

const weather = {
  type: "function" as const,
  function: {
    name: "get_weather",
    parameters: {
      type: "object",
      properties: { city: { enum: ["Paris", "Rome"] } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};

const place = {
  name: "place",
  schema: {
    type: "object",
    properties: { city: { enum: ["Paris", "Rome"] }, warm: { type: "boolean" } },
    required: ["city", "warm"],
    additionalProperties: false,
  },
};

describe("chat", () => {
  test("gives the text that the library generates from the template's text", async () => {
    const answer = await client.chat.completions.create({ ...greedy, messages, max_tokens: 12 });
    const model = await load(server.model, { threads: 1 });
    const ids = model.tokenizer.encode("user: The cat\nassistant: ");
    const own = await generateText(model, { prompt: ids, maxTokens: 12, products: "exact" });
    model.release();
    expect(answer.choices[0].message.content).toBe(own.text);
    expect(answer.usage?.prompt_tokens).toBe(ids.length);
    expect(answer.usage?.completion_tokens).toBe(own.tokens.length);
    expect(answer).toHaveProperty("timings.predicted_n", own.tokens.length);
  });

  test("streamed, gives the same text, and the usage in the last piece", async () => {
    const whole = await client.chat.completions.create({ ...greedy, messages, max_tokens: 12 });
    const stream = await client.chat.completions.create({
      ...greedy,
      messages,
      max_completion_tokens: 12,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let last = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      last = chunk;
    }
    expect(text).toBe(whole.choices[0].message.content);
    expect(last).toMatchObject({ choices: [], usage: whole.usage });
  });

  test("several answers differ by their draws, and the seed gives the same ones again", async () => {
    const ask = () =>
      client.chat.completions.create({ model: "tiny", messages, n: 3, seed: 7, max_tokens: 16 });
    const [first, second] = [await ask(), await ask()];
    const texts = first.choices.map(({ message }) => message.content);
    expect(new Set(texts).size).toBe(3);
    expect(second.choices.map(({ message }) => message.content)).toEqual(texts);
  });

  test("says how likely tokens were, the likeliest first", async () => {
    const answer = await client.chat.completions.create({
      ...greedy,
      messages,
      max_tokens: 4,
      logprobs: true,
      top_logprobs: 3,
    });
    const tokens = answer.choices[0].logprobs?.content ?? [];
    expect(tokens).toHaveLength(4);
    for (const { logprob, token, top_logprobs: top } of tokens) {
      expect(top.map((each) => each.logprob)).toEqual(
        top.map((each) => each.logprob).toSorted((a, b) => b - a),
      );
      expect(top[0]).toMatchObject({ token, logprob });
    }
  });

  test("ends before a stop text, and forbids what a bias forbids", async () => {
    const plain = await client.chat.completions.create({ ...greedy, messages, max_tokens: 12 });
    const text = plain.choices[0].message.content ?? "";
    const stop = text.slice(4, 8);
    const cut = await client.chat.completions.create({ ...greedy, messages, max_tokens: 12, stop });
    expect(cut.choices[0]).toMatchObject({
      message: { content: text.slice(0, text.indexOf(stop)) },
      finish_reason: "stop",
    });
    const { tokens } = (await (
      await fetch(`${server.url}/tokenize`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: "Bearer sk-test" },
        body: JSON.stringify({ content: text }),
      })
    ).json()) as { tokens: number[] };
    const other = await client.chat.completions.create({
      ...greedy,
      messages,
      max_tokens: 1,
      logit_bias: { [tokens[0]]: -100 },
    });
    expect(text.startsWith(other.choices[0].message.content ?? "")).toBe(false);
  });
});

describe("grammars", () => {
  test("an answer follows a JSON schema", async () => {
    const answer = await client.chat.completions.create({
      ...greedy,
      messages,
      response_format: { type: "json_schema", json_schema: place },
    });
    const value = JSON.parse(answer.choices[0].message.content ?? "") as object;
    expect(Object.keys(value)).toEqual(["city", "warm"]);
    expect(answer.choices[0].finish_reason).toBe("stop");
  });

  test("a forced call is whole, and its arguments follow the schema", async () => {
    const answer = await client.chat.completions.create({
      ...greedy,
      messages,
      tools: [weather],
      tool_choice: { type: "function", function: { name: "get_weather" } },
    });
    const [choice] = answer.choices;
    expect(choice.finish_reason).toBe("tool_calls");
    expect(choice.message.content).toBeNull();
    expect(choice.message.tool_calls).toHaveLength(1);
    const [call] = choice.message.tool_calls ?? [];
    if (call?.type !== "function") throw new Error("expected a function");
    expect(call.function.name).toBe("get_weather");
    const { city } = JSON.parse(call.function.arguments) as { city: string };
    expect(["Paris", "Rome"]).toContain(city);
  });

  test("streamed calls add up to the same", async () => {
    const stream = client.chat.completions.stream({
      ...greedy,
      messages,
      tools: [weather],
      tool_choice: "required",
      parallel_tool_calls: false,
    });
    const { choices } = await stream.finalChatCompletion();
    const call = choices[0].message.tool_calls?.[0];
    if (call?.type !== "function") throw new Error("expected a function");
    expect(call.function.name).toBe("get_weather");
    expect(JSON.parse(call.function.arguments)).toHaveProperty("city");
  });

  test("a schema that cannot be followed is refused with the reason", async () => {
    const schema = { type: "string", pattern: "^(?=a)b" };
    const asked = client.chat.completions.create({
      ...greedy,
      messages,
      response_format: { type: "json_schema", json_schema: { name: "x", schema } },
    });
    await expect(asked).rejects.toMatchObject({
      status: 400,
      code: "invalid_schema",
      param: "response_format",
      message: expect.stringContaining("Lookahead") as string,
    });
  });
});

describe("the other routes", () => {
  test("completions echo the prompt, and say how likely its tokens were", async () => {
    const answer = await client.completions.create({
      ...greedy,
      prompt: ["The cat", "A dog"],
      max_tokens: 3,
      echo: true,
      logprobs: 2,
      n: 1,
    });
    expect(answer.choices.map(({ text }) => text.slice(0, 5))).toEqual(["The c", "A dog"]);
    const [{ logprobs, text }] = answer.choices;
    expect(logprobs?.token_logprobs?.[0]).toBeNull();
    expect(logprobs?.token_logprobs?.slice(1).every((each) => each < 0)).toBe(true);
    expect(logprobs?.tokens?.slice(1).join("")).toBe(text);
  });

  test("streamed completions give the same text", async () => {
    const ask = { ...greedy, prompt: "The cat", max_tokens: 6 };
    const whole = await client.completions.create(ask);
    let text = "";
    for await (const chunk of await client.completions.create({ ...ask, stream: true })) {
      text += chunk.choices[0]?.text ?? "";
    }
    expect(text).toBe(whole.choices[0].text);
  });

  test("embeddings are the same vector as numbers and as base64", async () => {
    const input = ["The cat", "A dog"];
    const packed = await client.embeddings.create({ model: "tiny", input });
    const plain = await client.embeddings.create({
      model: "tiny",
      input,
      encoding_format: "float",
    });
    const [vector] = plain.data.map(({ embedding }) => embedding);
    expect(packed.data.map(({ embedding }) => embedding)).toEqual(
      plain.data.map(({ embedding }) => embedding.map(Math.fround)),
    );
    expect(vector).toHaveLength(128);
    expect(vector.reduce((sum, x) => sum + x * x, 0)).toBeCloseTo(1, 5);
  });

  test("responses, whole and in events", async () => {
    const ask = { model: "tiny", input: "The cat", temperature: 0, max_output_tokens: 8 };
    const whole = await client.responses.create(ask);
    const events: string[] = [];
    let text = "";
    for await (const event of await client.responses.create({ ...ask, stream: true })) {
      events.push(event.type);
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    expect(text).toBe(whole.output_text);
    expect(events[0]).toBe("response.created");
    expect(events.at(-1)).toBe(
      whole.status === "completed" ? "response.completed" : "response.incomplete",
    );
  });

  test.each([
    ["tools", { tools: [{ type: "function", name: "visit", parameters: {} }] }],
    ["tool_choice", { tool_choice: "required" }],
    ["top_logprobs", { top_logprobs: 3 }],
    ["prompt", { prompt: { id: "pmpt_1" } }],
    ["previous_response_id", { previous_response_id: "resp_1" }],
    ["input.0.content.0", { input: [{ role: "user", content: [{ type: "input_image" }] }] }],
  ])("responses are text only: %s is refused by name", async (param, fields) => {
    const body = { model: "tiny", input: "x", ...fields } as OpenAI.Responses.ResponseCreateParams;
    const error = await refusal(client.responses.create(body));
    expect(error).toMatchObject({ status: 400, param, type: "invalid_request_error" });
  });

  test("models are listed", async () => {
    const ids: string[] = [];
    for await (const { id } of client.models.list()) ids.push(id);
    expect(ids).toEqual(["tiny"]);
    expect((await client.models.retrieve("tiny")).id).toBe("tiny");
    const missing = await refusal(client.models.retrieve("large"));
    expect(missing).toMatchObject({ status: 404, code: "model_not_found" });
  });
});

/** What a call is refused with. */
async function refusal(call: Promise<unknown>): Promise<APIError> {
  try {
    await call;
  } catch (error) {
    return error as APIError;
  }
  throw new Error("the call was not refused");
}

describe("errors are those that the client knows", () => {
  test.each([
    ["model", { model: "large" }, 404, "model_not_found"],
    ["temperature", { temperature: -1 }, 400, null],
    ["best_of", { best_of: 2 }, 400, "unsupported_parameter"],
    ["suffix", { suffix: "x" }, 400, "unsupported_parameter"],
    ["prompt", { prompt: [] }, 400, null],
    ["prompt", { prompt: "word ".repeat(300) }, 400, "context_length_exceeded"],
    ["n", { n: 100 }, 400, null],
    ["stop", { stop: 3 }, 400, null],
  ])("%s: %j", async (param, fields, status, code) => {
    const body = { ...greedy, prompt: "The cat", ...fields } as OpenAI.CompletionCreateParams;
    const error = await refusal(client.completions.create(body));
    expect(error).toMatchObject({ status, code, param, type: "invalid_request_error" });
  });

  test("a wrong key", async () => {
    const other = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "sk-tesT", maxRetries: 0 });
    const error = await refusal(other.models.list());
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(error).toMatchObject({ status: 401, code: "invalid_api_key" });
  });

  test("a route that is not there", async () => {
    const error = await refusal(client.post("/messages", { body: {} }));
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
  });
});
