/*
 * Many clients at once, some of whom are cut: node bench/serving/load.ts URL [--clients 200]
 * [--seconds 60] [--tokens 16]. Answers at temperature 0 are held against those of a lone client; memory
 * is read from /metrics. Prints one JSON document.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clients: { type: "string", default: "200" },
    seconds: { type: "string", default: "60" },
    tokens: { type: "string", default: "16" },
  },
});
const [url = "http://127.0.0.1:8080"] = positionals;
const [clients, seconds, tokens] = [values.clients, values.seconds, values.tokens].map(Number);

const names = ["Ruth", "Rosa", "Hugo", "Tina", "Vera", "Otto", "Nora", "Emil"];
const things = ["the clock", "a hat", "the knife", "a bottle", "the toy"];
const prompts = names.flatMap((name) =>
  things.map((thing) => `${name} goes to the kitchen and finds ${thing}. Then`),
);

interface Answer {
  readonly text: string;
  readonly firstMs: number;
  readonly status: number;
}

/** Asks for a stream; `cutAfter`: goes away after so many pieces. */
async function ask(prompt: string, cutAfter = Number.POSITIVE_INFINITY): Promise<Answer> {
  const startMs = performance.now();
  const controller = new AbortController();
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt, temperature: 0, max_tokens: tokens, stream: true }),
    signal: controller.signal,
  });
  const { status } = response;
  if (status !== 200) {
    await response.text();
    const after = Number(response.headers.get("retry-after") ?? 1);
    await wait(1000 * after);
    return { text: "", firstMs: 0, status };
  }
  const decoder = new TextDecoder();
  let body = "";
  let firstMs = 0;
  let pieces = 0;
  const reader = response.body?.getReader();
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    firstMs ||= performance.now() - startMs;
    body += decoder.decode(next.value, { stream: true });
    if (++pieces < cutAfter) continue;
    controller.abort();
    return { text: "", firstMs, status: 0 };
  }
  const lines = body.split("\n").filter((line) => line.startsWith("data: {"));
  const text = lines
    .map((line) => JSON.parse(line.slice("data: ".length)) as { choices: { text: string }[] })
    .map(({ choices }) => choices[0]?.text ?? "")
    .join("");
  return { text, firstMs, status };
}

async function residentBytes(): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^fewbit_resident_bytes (\d+)$/m.exec(text)?.[1]);
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;

const expected = new Map<string, string>();
for (const prompt of prompts) expected.set(prompt, (await ask(prompt)).text);

const counts = { answered: 0, wrong: 0, refused: 0, cut: 0, failed: 0 };
const firsts: number[] = [];
const memory: number[] = [];
const endMs = performance.now() + 1000 * seconds;

async function client(index: number): Promise<void> {
  for (let turn = 0; performance.now() < endMs; turn++) {
    const prompt = prompts[(index * 7 + turn) % prompts.length];
    const isCut = (index + turn) % 10 === 0;
    try {
      const { text, firstMs, status } = await ask(prompt, isCut ? 3 : undefined);
      if (status === 0) counts.cut++;
      else if (status === 429) counts.refused++;
      else if (status !== 200) counts.failed++;
      else {
        counts.answered++;
        firsts.push(firstMs);
        if (text !== expected.get(prompt)) counts.wrong++;
      }
    } catch {
      counts.failed++;
    }
  }
}

async function watch(): Promise<void> {
  while (performance.now() < endMs) {
    memory.push(await residentBytes());
    await wait(1000);
  }
}

await Promise.all([watch(), ...Array.from({ length: clients }, (_, i) => client(i))]);
const sorted = firsts.toSorted((a, b) => a - b);
const third = Math.ceil(memory.length / 3);
const mean = (some: readonly number[]): number => some.reduce((a, b) => a + b, 0) / some.length;
const result = {
  clients,
  seconds,
  tokens,
  ...counts,
  answersPerSecond: counts.answered / seconds,
  firstTokenMs: { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), most: sorted.at(-1) },
  residentMB: {
    afterWarmUp: mean(memory.slice(third, 2 * third)) / 1e6,
    atEnd: mean(memory.slice(2 * third)) / 1e6,
  },
};
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
