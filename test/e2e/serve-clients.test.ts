import { connect, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChatServer, serveTiny } from "../fixtures/chat-server.ts";

/*
 * Clients that are cut, slow, malformed or not meant to be there.
 */

let server: ChatServer;
const failures: unknown[] = [];
beforeAll(async () => {
  server = await serveTiny({
    onError: (error) => failures.push(error),
    apiKey: "sk-test",
    corsOrigins: ["https://chat.example"],
    limits: { bodyBytes: 20_000, stallMs: 500 },
    assets: new Map([
      ["/", { bytes: new TextEncoder().encode("<!doctype html>"), type: "text/html" }],
    ]),
  });
});
afterAll(() => server.remove());

const key = { authorization: "Bearer sk-test" };
const json = { ...key, "content-type": "application/json" };

interface Told {
  readonly status: number;
  readonly error: { message: string; type: string; param: string | null; code: string | null };
  readonly headers: Headers;
}

async function told(path: string, how: RequestInit = {}): Promise<Told> {
  const answer = await fetch(server.url + path, how);
  const { error } = (await answer.json()) as Pick<Told, "error">;
  return { status: answer.status, error, headers: answer.headers };
}

const post = (body: string, headers: Record<string, string> = json): RequestInit => ({
  method: "POST",
  headers,
  body,
});

const long = JSON.stringify({
  prompt: "The cat",
  max_tokens: 200,
  temperature: 1,
  ignore_eos: true,
});

/** A number that the server counts. */
async function counted(name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`, { headers: key })).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1] ?? 0);
}

describe("what is malformed is refused in OpenAI's form", () => {
  const path = "/v1/completions";
  test.each([
    ["no JSON", post("{"), 400, "invalid_json"],
    ["nothing", post(""), 400, "invalid_json"],
    ["another kind of value", post("3"), 400, null],
    ["deep nesting", post(`{"prompt":${"[".repeat(5000)}`), 400, "invalid_json"],
    [
      "bytes that are no text",
      { ...post(""), body: Uint8Array.of(0x7b, 0xff) },
      400,
      "invalid_json",
    ],
    ["a form", post("a=b", { ...key, "content-type": "text/plain" }), 415, null],
    ["a compressed body", post("{}", { ...json, "content-encoding": "gzip" }), 415, null],
    ["too much", post(JSON.stringify({ prompt: "x".repeat(30_000) })), 413, "body_too_large"],
    ["another method", { method: "DELETE", headers: key }, 405, "method_not_allowed"],
    ["a token that there is not", post('{"prompt":[99999]}'), 400, null],
  ])("%s", async (_, how, status, code) => {
    const answer = await told(path, how);
    expect(answer).toMatchObject({ status, error: { code, type: "invalid_request_error" } });
    expect(answer.error.message).not.toBe("");
  });

  test.each([
    "/v1/messages",
    "/v1/files",
    "/../package.json",
    "/%2e%2e/package.json",
    "/index.html",
  ])("%s is not there", async (missing) => {
    expect(await told(missing, { headers: key })).toMatchObject({
      status: 404,
      error: { code: "not_found" },
    });
  });

  test.each([
    ["a list", "[]", null, "the body: expected an object, got []"],
    ["a text for a number", '{"prompt":"","top_k":"3"}', "top_k", 'got "3"'],
    ["a penalty near 0", '{"prompt":"","repetition_penalty":1e-300}', "repetition_penalty", "0.01"],
    ["a bias of no token", '{"prompt":"a","logit_bias":{"99999":1}}', "logit_bias", "`logit_bias`"],
  ])("%s: the message says where and why", async (_, body, param, words) => {
    const { status, error } = await told(path, post(body));
    expect({ status, param: error.param }).toEqual({ status: 400, param });
    expect(error.message).toContain(words);
  });

  test("tokens that there are not have no text", async () => {
    const answer = await told("/detokenize", post('{"tokens":[5,99999]}'));
    expect(answer).toMatchObject({ status: 400, error: { param: "tokens" } });
  });

  test("another method says which one is taken, also at the page", async () => {
    const answers = [await told("/", { method: "POST" }), await told(path, { headers: key })];
    expect(answers.map(({ status, headers }) => [status, headers.get("allow")])).toEqual([
      [405, "GET, HEAD"],
      [405, "POST"],
    ]);
  });

  test.each([
    ["a method of no standard", "BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400],
    ["a head without end", `GET / HTTP/1.1\r\nX: ${"x".repeat(40_000)}`, 431],
  ])("%s", async (_, text, status) => {
    const socket = connect(server.port, "127.0.0.1");
    socket.write(text);
    let answer = "";
    for await (const piece of socket.setEncoding("utf8")) answer += String(piece);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(JSON.parse(answer.split("\r\n\r\n")[1])).toMatchObject({
      error: { type: "invalid_request_error" },
    });
  });

  test("a body without end, of unknown length", async () => {
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(4096).fill(0x20)),
    });
    const how = { method: "POST", headers: json, body: endless, duplex: "half" } as const;
    await expect(told(path, how)).resolves.toMatchObject({ status: 413 });
  });
});

describe("who may ask", () => {
  test.each([
    ["no key", {}],
    ["another key", { authorization: "Bearer sk-tesT" }],
    ["a longer key", { authorization: "Bearer sk-test1" }],
  ])("%s: 401", async (_, headers) => {
    expect(await told("/v1/models", { headers })).toMatchObject({
      status: 401,
      error: { code: "invalid_api_key", type: "authentication_error" },
    });
  });

  test("the health and the page need no key", async () => {
    for (const path of ["/health", "/"]) expect((await fetch(server.url + path)).status).toBe(200);
  });

  test("pages of the origin that is allowed, and of no other", async () => {
    const allowed = async (origin: string) =>
      (await fetch(`${server.url}/health`, { headers: { origin } })).headers.get(
        "access-control-allow-origin",
      );
    expect(await allowed("https://chat.example")).toBe("https://chat.example");
    expect(await allowed("https://other.example")).toBeNull();
  });

  test("a name that leads to this machine by somebody else's doing", async () => {
    const answer = await rawRequest("GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1.1 403 [^]*unknown_host/);
  });
});

/** Sends bytes as they are; what comes back until there is an answer. */
async function rawRequest(bytes: string): Promise<string> {
  const socket = connect(server.port, "127.0.0.1");
  socket.write(bytes);
  let text = "";
  for await (const piece of socket) {
    text += String(piece);
    if (text.includes('"error"')) break;
  }
  return text;
}

function rawPost(body: string): string {
  const head = [
    "POST /v1/completions HTTP/1.1",
    "Host: localhost",
    "Authorization: Bearer sk-test",
  ];
  const rest = ["Content-Type: application/json", `Content-Length: ${body.length}`, "", body];
  return [...head, ...rest].join("\r\n");
}

const openSocket = async (bytes: string): Promise<Socket> => {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(bytes);
  await wait(50);
  return socket;
};

describe("clients that go away", () => {
  test.each([
    ["a stream", JSON.stringify({ ...JSON.parse(long), stream: true })],
    ["a whole answer", long],
  ])("%s that nobody waits for is ended", async (_, body) => {
    const before = await counted("fewbit_cancelled_requests_total");
    const socket = await openSocket(rawPost(body));
    socket.destroy();
    await expect.poll(() => counted("fewbit_cancelled_requests_total")).toBe(before + 1);
    await expect.poll(() => counted("fewbit_running_requests")).toBe(0);
    expect(failures).toEqual([]);
    // The request that asks is one, too.
    await expect.poll(() => counted("fewbit_open_requests")).toBe(1);
  });

  test("half a request harms nobody", async () => {
    const socket = await openSocket(rawPost(long).slice(0, -10));
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    socket.destroy();
    await expect.poll(() => counted("fewbit_open_requests")).toBe(1);
  });

  test("one that does not read holds nobody else", async () => {
    const slow = await openSocket(rawPost(JSON.stringify({ ...JSON.parse(long), stream: true })));
    slow.pause();
    const answer = await fetch(`${server.url}/v1/completions`, {
      ...post(JSON.stringify({ prompt: "A dog", max_tokens: 4 })),
    });
    expect(answer.status).toBe(200);
    slow.destroy();
  });
});

describe("the end of a server", () => {
  test("answers are finished, and new requests refused", async () => {
    const other = await serveTiny();
    const answer = fetch(`${other.url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "The cat", max_tokens: 30, ignore_eos: true }),
    });
    await expect.poll(() => fetchCount(other)).toBeGreaterThan(0);
    const closed = other.close(60_000);
    expect((await answer).status).toBe(200);
    await closed;
    await expect(fetch(`${other.url}/health`)).rejects.toThrow();
    await other.remove();
  });

  test("at the deadline, answers are cut and say so", async () => {
    const other = await serveTiny();
    const answer = await fetch(`${other.url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "A", max_tokens: 250, ignore_eos: true, n: 16, stream: true }),
    });
    await other.close(0);
    const text = await answer.text();
    expect(text).toContain('"code":"shutting_down"');
    expect(text).not.toContain("[DONE]");
    await other.remove();
  });
});

/** Requests that are being answered, besides the one that asks. */
async function fetchCount(other: ChatServer): Promise<number> {
  const text = await (await fetch(`${other.url}/metrics`)).text();
  return Number(/^fewbit_open_requests (\d+)$/m.exec(text)?.[1]) - 1;
}

test("a queue that is full says when to ask again; one that never has room says so", async () => {
  const other = await serveTiny({ engine: { maxRunning: 1, maxQueued: 1 } });
  const ask = (n: number) =>
    fetch(`${other.url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "The cat", max_tokens: 150, ignore_eos: true, n }),
    });
  const answers = await Promise.all([ask(2), ask(2)]);
  const [full] = answers.filter(({ status }) => status === 429);
  expect(Number(full.headers.get("retry-after"))).toBeGreaterThan(0);
  const { error } = (await full.json()) as Pick<Told, "error">;
  expect(error).toMatchObject({ type: "rate_limit_error", code: "queue_full" });
  expect((await ask(3)).status).toBe(400);
  await other.remove();
});

test("a turn that does not come in time is refused before a stream begins", async () => {
  const other = await serveTiny({ engine: { maxRunning: 1, maxQueuedMs: 1 } });
  const ask = (stream: boolean) =>
    fetch(`${other.url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "The cat", max_tokens: 100, ignore_eos: true, stream }),
    });
  const [first, second] = await Promise.all([ask(false), ask(true)]);
  expect([first.status, second.status].sort()).toEqual([200, 429]);
  const late = first.status === 429 ? first : second;
  expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(0);
  const { error } = (await late.json()) as Pick<Told, "error">;
  expect(error).toMatchObject({ type: "rate_limit_error", code: "queue_timeout" });
  await other.remove();
});

test("embeddings end at the deadline, too", async () => {
  const other = await serveTiny({ limits: { requestMs: 1 } });
  const answer = await fetch(`${other.url}/v1/embeddings`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: Array.from({ length: 300 }, () => "The cat and the dog") }),
  });
  expect(answer.status).toBe(504);
  const { error } = (await answer.json()) as Pick<Told, "error">;
  expect(error).toMatchObject({ type: "server_error", code: "timeout" });
  await other.remove();
});

test("a template that runs without end is stopped", async () => {
  const template =
    "{% for i in range(1000) %}{% for j in range(100000) %}{{ j }}{% endfor %}{% endfor %}";
  const other = await serveTiny({ template });
  const answer = await fetch(`${other.url}/apply-template`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content: "x" }] }),
  });
  expect(answer.status).toBe(400);
  await other.remove();
});

test("the OpenAPI document describes every route by its schema", async () => {
  const document = (await (await fetch(`${server.url}/openapi.json`, { headers: key })).json()) as {
    paths: Record<string, Record<string, { requestBody?: object; responses: object }>>;
  };
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(["/v1/chat/completions", "/v1/embeddings", "/metrics", "/tokenize"]),
  );
  const chat = document.paths["/v1/chat/completions"]?.["post"];
  expect(JSON.stringify(chat?.requestBody)).toContain("max_completion_tokens");
  expect(document.paths["/v1/models/{model}"]?.["get"]).toMatchObject({
    parameters: [{ name: "model", in: "path", required: true }],
  });
});
