import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { fewbitHere, startFewbit } from "./cli-process.ts";

const model = fileURLToPath(new URL("../../builtin/model", import.meta.url));
const args = ["serve", `tiny=${model}`, "--port", "0", "--threads", "1"];

/** Starts a server, and resolves to its address. */
async function start(more: readonly string[] = []) {
  const started = startFewbit([...args, ...more, "--json"]);
  let text = "";
  while (!text.includes("\n}")) {
    const [piece] = (await once(started.child.stdout ?? started.child, "data")) as [string];
    text += piece;
  }
  return { ...started, ...(JSON.parse(text) as { url: string; port: number; models: object[] }) };
}

const ask = (url: string, tokens: number, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ prompt: "The cat", max_tokens: tokens, ignore_eos: true }),
  });

test("a server says where it is, answers, and ends at SIGTERM with what it had begun", async () => {
  const { child, finished, url, models } = await start();
  expect(models).toEqual([{ name: "tiny", source: model }]);
  expect((await ask(url, 2)).status).toBe(200);
  const last = ask(url, 200);
  await expect
    .poll(async () => (await fetch(`${url}/metrics`)).text())
    .toMatch(/^fewbit_running_requests\{model="tiny"\} 1$/m);
  child.kill("SIGTERM");
  expect((await last).status).toBe(200);
  const { code, stderr } = await finished;
  expect(code).toBe(0);
  expect(stderr).toContain("stopping");
});

test("a second signal ends it at once", async () => {
  const { child, finished, url } = await start(["--shutdown-timeout", "600"]);
  const answers = Promise.allSettled(Array.from({ length: 40 }, () => ask(url, 240)));
  await expect
    .poll(async () => (await fetch(`${url}/metrics`)).text())
    .toMatch(/^fewbit_running_requests\{model="tiny"\} [1-9]/m);
  child.kill("SIGTERM");
  child.kill("SIGTERM");
  await answers;
  expect([0, 143]).toContain((await finished).code);
});

test("the key comes from the environment, too", async () => {
  const started = startFewbit([...args, "--json"], { env: { FEWBIT_API_KEY: "sk-env" } });
  const [piece] = (await once(started.child.stdout ?? started.child, "data")) as [string];
  const { url } = JSON.parse(piece) as { url: string };
  expect((await ask(url, 1)).status).toBe(401);
  expect((await ask(url, 1, { authorization: "Bearer sk-env" })).status).toBe(200);
  started.child.kill("SIGINT");
  expect((await started.finished).code).toBe(0);
});

test.each([
  [["serve"], /missing required argument/],
  [["serve", model, "--port", "99999999"], /port/],
  [["serve", model, model], /two models are named/],
])("%j is refused", async (words, reason) => {
  const { code, stderr } = await fewbitHere(words);
  expect(code).toBe(2);
  expect(stderr).toMatch(reason);
});
