/*
 * Many clients of all kinds at once: node bench/serving/load.ts URL [--clients 200] [--seconds 600]
 * [--tokens 16] [--warm-up 60] [--seed 1]. Most ask for a short text, some for a long one, many with a
 * beginning in common; some read slowly, some are cut, some send what no server wants. Answers at
 * temperature 0 are held against those of a lone client; the wait for the first token against what the
 * server's queue promises; memory is read from /metrics. Prints one JSON document, and ends with 1
 * where something is not as it should be.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Prng } from "../../src/util/prng.ts";
import { type Answer, ask, type Question } from "./ask.ts";
import { hostileClients } from "./hostile.ts";
import { leftBehind, memoryFigures, promisedBy, watchMemory } from "./watch-server.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clients: { type: "string", default: "200" },
    seconds: { type: "string", default: "600" },
    tokens: { type: "string", default: "16" },
    "warm-up": { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
  },
});
const [url = "http://127.0.0.1:8080"] = positionals;
const [clients, seconds, tokens, warmUp, seed] = [
  values.clients,
  values.seconds,
  values.tokens,
  values["warm-up"],
  values.seed,
].map(Number);

const promised = await promisedBy(url);
const names = ["Ruth", "Rosa", "Hugo", "Tina", "Vera", "Otto", "Nora", "Emil"];
const things = ["the clock", "a hat", "the knife", "a bottle", "the toy"];
const short = names.flatMap((name) =>
  things.map((thing) => `${name} goes to the kitchen and finds ${thing}. Then`),
);
const opening = "This is a story of a house in which many people live and look for things. ";
const shared = short.slice(0, 20).map((text) => opening.repeat(2) + text);
const longTokens = Math.min(1000, promised.context - tokens);
const long = await Promise.all(
  [0, 1, 2, 3].map(async (i) => {
    const content = short
      .slice(i)
      .join(" ")
      .repeat(Math.ceil(longTokens / 200));
    const response = await fetch(`${url}/tokenize`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ content, add_special: true }),
    });
    return ((await response.json()) as { tokens: number[] }).tokens.slice(0, longTokens);
  }),
);
const hostile = hostileClients(promised.bodyBytes, promised.context);

/** What each prompt is answered when nobody else asks. */
const expected = new Map<Question["prompt"], string>();
for (const prompt of [...short, ...shared, ...long]) {
  const { text } = await ask(url, { prompt, tokens, stream: true });
  expected.set(prompt, text);
}

const counts = {
  answered: 0,
  wrong: 0,
  cut: 0,
  refusedFull: 0,
  refusedLate: 0,
  hostile: 0,
  hostileWrong: 0,
  failed: 0,
};
const faults: string[] = [];
const firstMs: number[] = [];
const queuedMs: number[] = [];
const promptMs: number[] = [];

function note(fault: string): void {
  if (faults.length < 10) faults.push(fault);
}

/** The shares of what clients do. */
function draw(prng: Prng): Question {
  const pick = <T>(some: readonly T[]): T => some[prng.below(some.length)];
  const kind = prng.uniform();
  const prompt = kind < 0.1 ? pick(long) : kind < 0.4 ? pick(shared) : pick(short);
  const how = prng.uniform();
  const base = { prompt, tokens, stream: true };
  if (how < 0.1) return { ...base, cutAfter: 1 + prng.below(4) };
  if (how < 0.2) return { ...base, pauseMs: 200 };
  return { ...base, stream: how < 0.7 };
}

async function take(question: Question, answer: Answer): Promise<void> {
  const { status, code, retryAfterSeconds } = answer;
  if (status === null) counts.cut++;
  else if (status === 429 && retryAfterSeconds !== null) {
    counts[code === "queue_timeout" ? "refusedLate" : "refusedFull"]++;
    await wait(1000 * retryAfterSeconds);
  } else if (status !== 200) {
    counts.failed++;
    note(`status ${status}, code ${code}, Retry-After ${retryAfterSeconds}`);
  } else {
    counts.answered++;
    if (answer.firstMs !== null) firstMs.push(answer.firstMs);
    if (answer.queuedMs !== null) queuedMs.push(answer.queuedMs);
    if (answer.promptMs !== null) promptMs.push(answer.promptMs);
    if (answer.text === expected.get(question.prompt)) return;
    counts.wrong++;
    note(`expected ${JSON.stringify(expected.get(question.prompt))}, got ${answer.text}`);
  }
}

async function client(index: number, endMs: number): Promise<void> {
  const prng = new Prng(seed * 1000 + index);
  while (performance.now() < endMs) {
    try {
      if (prng.uniform() < 0.05) {
        const fault = await hostile[prng.below(hostile.length)](url);
        counts.hostile++;
        if (fault === null) continue;
        counts.hostileWrong++;
        note(fault);
      } else {
        const question = draw(prng);
        await take(question, await ask(url, question));
      }
    } catch (error) {
      counts.failed++;
      note(String(error instanceof Error && error.cause ? error.cause : error));
    }
  }
}

const sorted = (some: number[]): number[] => some.toSorted((a, b) => a - b);
const quantile = (some: number[], share: number): number | null =>
  sorted(some)[Math.min(some.length - 1, Math.floor(share * some.length))] ?? null;
const quantiles = (some: number[]): object => ({
  p50: quantile(some, 0.5),
  p99: quantile(some, 0.99),
  most: quantile(some, 1),
});

const startMs = performance.now();
const endMs = startMs + 1000 * seconds;
const everybody = Array.from({ length: clients }, (_, i) => client(i, endMs));
const [bytes] = await Promise.all([watchMemory(url, endMs), ...everybody]);
const elapsed = (performance.now() - startMs) / 1000;
const memory = memoryFigures(bytes, warmUp);
const left = await leftBehind(url);
// What the queue promises, and then the prompt is still to be read.
const boundMs = promised.queueMs + (quantile(promptMs, 0.99) ?? 0);
const checks = {
  answersAreRight: counts.wrong === 0 && counts.answered > 0,
  nothingFailed: counts.failed === 0,
  hostileAreRefused: counts.hostileWrong === 0,
  memoryIsFlat: memory.growth <= 0.05,
  promiseIsKept: (quantile(firstMs, 0.99) ?? 0) <= boundMs,
  nothingIsLeft: left === 0,
};
const result = {
  clients,
  seconds,
  tokens,
  promised,
  ...counts,
  answersPerSecond: counts.answered / elapsed,
  firstTokenMs: { ...quantiles(firstMs), promised: boundMs },
  queuedMs: quantiles(queuedMs),
  promptMs: quantiles(promptMs),
  resident: memory,
  checks,
  faults,
};
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
process.exitCode = Object.values(checks).every(Boolean) ? 0 : 1;
