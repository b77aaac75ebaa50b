import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { evaluate, evaluateServer, quantize } from "../../src/index.ts";
import { serve } from "../../src/index.ts";
import type { RunningServer } from "../../src/server/start-server.ts";
import { fewbitHere } from "./cli-process.ts";

/*
 * What is measured of a server is what is measured of its model here.
 */

const builtin = fileURLToPath(new URL("../../builtin/", import.meta.url));
const original = join(builtin, "model");
const text = join(builtin, "text/validation.txt");
const how = { text, window: 64, maxWindows: 4, speedTokens: 0, threads: 1 };

let folder = "";
let quantized = "";
let server: RunningServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-serve-eval-"));
  quantized = join(folder, "w3");
  await quantize(original, { method: "rtn", scheme: "w3g32", out: quantized, threads: 1 });
  const engine = { products: "exact", kvCache: "f32" } as const;
  const models = [{ name: "w3", source: quantized }];
  server = await serve(models, { port: 0, threads: 1, engine, apiKey: "sk-test" });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const address = () => ({ url: server.url, apiKey: "sk-test" });

describe("a server of the quantized model", () => {
  test.each(["windows", "second-half"] as const)("has its perplexity: %s", async (protocol) => {
    const { text: file, window, maxWindows } = how;
    const there = await evaluateServer(address(), { text: file, window, maxWindows, protocol });
    const here = await evaluate(quantized, { ...how, protocol });
    expect(there.tokensSha256).toBe(here.tokensSha256);
    expect(there.tokens).toBe(here.tokens);
    expect(there.perplexity).toBeCloseTo(here.perplexity, 5);
    expect(there.prompts).toBe("ids");
  });

  test("has its divergence, from below, and the same likeliest tokens", async () => {
    const { text: file, window, maxWindows } = how;
    const choice = { text: file, window, maxWindows, against: original, threads: 1 };
    const there = await evaluateServer(address(), choice);
    const few = await evaluateServer(address(), { ...choice, top: 2 });
    const here = await evaluate(quantized, { ...how, against: original });
    const [bound, less, whole] = [there, few, here].map((each) => each.klDivergence?.mean ?? 0);
    expect(there.divergenceOfTop).toBe(20);
    expect(bound).toBeLessThanOrEqual(whole * 1.0001);
    expect(bound).toBeGreaterThan(whole * 0.6);
    expect(less).toBeLessThan(bound);
    expect(there.topTokenAgreement).toBeCloseTo(here.topTokenAgreement ?? 0, 2);
    expect(there.original?.perplexity).toBeCloseTo(here.original?.perplexity ?? 0, 4);
  });

  test("has its scores of tasks", async () => {
    const tasks = [join(builtin, "tasks/where.jsonl")];
    const there = await evaluateServer(address(), { tasks, limit: 12 });
    const here = await evaluate(quantized, { tasks, limit: 12, threads: 1 });
    const [a, b] = [there.tasks[0], here.tasks[0]];
    expect(a.accuracy).toEqual(b.accuracy);
    expect(a.normalizedAccuracy).toEqual(b.normalizedAccuracy);
    for (const [i, { logLikelihoods }] of b.answers.entries()) {
      for (const [j, value] of logLikelihoods.entries()) {
        expect(a.answers[i].logLikelihoods[j]).toBeCloseTo(value, 3);
      }
    }
  });

  test("on the command line", async () => {
    const args = ["eval", "--server", `${server.url}/v1/`, "--text", text, "--window", "64"];
    const rest = ["--max-windows", "2", "--json"];
    const run = await fewbitHere([...args, ...rest], { env: { FEWBIT_API_KEY: "sk-test" } });
    expect(run.code).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ windows: 2, model: `${server.url}#w3` });
    const refused = await fewbitHere([...args, ...rest, "--api-key", "wrong"]);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain("--api-key");
    const both = await fewbitHere(["eval", original, ...args.slice(1)]);
    expect(both.code).toBe(2);
    const idle = await fewbitHere(["eval", original, "--text", text, "--api-key", "x"]);
    expect(idle.stderr).toContain("--api-key says how a server is measured");
  });
});

/** A server in the manner of llama-cpp-python: prompts are texts, and a start token is put in front. */
function textServer(withLogprobs: boolean, showsStart = true): Promise<Server> {
  const answers: Partial<Record<string, (body: Record<string, unknown>) => object | null>> = {
    "/v1/models": () => ({ data: [{ id: "letters" }] }),
    "/extras/tokenize": ({ input }) => ({ tokens: [1, ...Buffer.from(String(input))] }),
    "/extras/detokenize": ({ tokens }) => ({
      text: Buffer.from(tokens as number[]).toString("latin1"),
    }),
    "/v1/completions": ({ prompt }) => {
      if (typeof prompt !== "string") return null;
      const likely = [null, ...Array.from(prompt, () => -2), -1].slice(showsStart ? 0 : 2);
      return { choices: [{ logprobs: withLogprobs ? { token_logprobs: likely } : null }] };
    },
  };
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const body = pieces.length > 0 ? (JSON.parse(String(Buffer.concat(pieces))) as object) : {};
      const make = answers[request.url ?? ""];
      const answer = make?.(body as Record<string, unknown>) ?? null;
      response.writeHead(make ? (answer ? 200 : 422) : 404, { "content-type": "application/json" });
      response.end(JSON.stringify(answer ?? { error: { message: "not that" } }));
    });
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

const urlOf = (other: Server): string =>
  `http://127.0.0.1:${(other.address() as AddressInfo).port}`;

describe("other servers", () => {
  test("one that takes texts only is sent texts", async () => {
    const other = await textServer(true);
    const found = await evaluateServer({ url: urlOf(other) }, { text, window: 32, maxWindows: 2 });
    expect(found).toMatchObject({ prompts: "texts", windows: 2, tokens: 62 });
    expect(found.perplexity).toBeCloseTo(Math.exp(2), 5);
    other.close();
  });

  test("one that leaves the start token out is refused: all would be off by one", async () => {
    const other = await textServer(true, false);
    const measured = evaluateServer({ url: urlOf(other) }, { text, window: 32, maxWindows: 1 });
    await expect(measured).rejects.toThrow(/ends too early: tokens are one off/);
    other.close();
  });

  test("one that says nothing of prompts is refused with the reason", async () => {
    const other = await textServer(false);
    const measured = evaluateServer({ url: urlOf(other) }, { text, window: 32, maxWindows: 1 });
    await expect(measured).rejects.toThrow(/not that|how likely the tokens of a prompt/);
    other.close();
  });
});
