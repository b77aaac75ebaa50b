import { setTimeout as wait } from "node:timers/promises";

/* What the server says of itself while it is asked. */

/** What it was told to keep to. */
export interface Promised {
  readonly bodyBytes: number;
  readonly context: number;
  readonly slots: number;
  readonly mostQueued: number;
  /** Longest wait for a turn. */
  readonly queueMs: number;
}

interface Props {
  readonly limits: { readonly bodyBytes: number };
  readonly models: readonly {
    readonly options: {
      readonly maxContext: number;
      readonly maxRunning: number;
      readonly maxQueued: number;
      readonly maxQueuedMs: number;
    };
  }[];
}

export async function promisedBy(url: string): Promise<Promised> {
  const { limits, models } = (await (await fetch(`${url}/props`)).json()) as Props;
  const { options } = models[0];
  return {
    bodyBytes: limits.bodyBytes,
    context: options.maxContext,
    slots: options.maxRunning,
    mostQueued: options.maxQueued,
    queueMs: options.maxQueuedMs,
  };
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1]);
}

/** Memory of the server's process, once a second until `endMs`. */
export async function watchMemory(url: string, endMs: number): Promise<number[]> {
  const bytes: number[] = [];
  while (performance.now() < endMs) {
    bytes.push(await metric(url, "fewbit_resident_bytes"));
    await wait(1000);
  }
  return bytes;
}

/** Requests that are still being worked on when all clients have gone; waits half a minute for none. */
export async function leftBehind(url: string): Promise<number> {
  for (let seconds = 0; ; seconds++) {
    const running = await metric(url, "fewbit_running_requests");
    const queued = await metric(url, "fewbit_queued_requests");
    // The one that asks is open, too.
    const open = (await metric(url, "fewbit_open_requests")) - 1;
    const left = Math.max(running + queued, open);
    if (left === 0 || seconds === 30) return left;
    await wait(1000);
  }
}

const mean = (some: readonly number[]): number => some.reduce((a, b) => a + b, 0) / some.length;

/** How memory went after the warm-up: means of tenths, and the last quarter over the first. */
export function memoryFigures(
  bytes: readonly number[],
  warmUpSeconds: number,
): { readonly atFirstMB: number; readonly tenthsMB: number[]; readonly growth: number } {
  const after = bytes.slice(Math.min(Math.floor(warmUpSeconds), Math.floor(bytes.length / 2)));
  const part = (from: number, to: number): number =>
    mean(after.slice(Math.floor(from * after.length), Math.ceil(to * after.length)));
  const tenths = Array.from({ length: 10 }, (_, i) => part(i / 10, (i + 1) / 10));
  return {
    atFirstMB: bytes[0] / 1e6,
    tenthsMB: tenths.map((each) => Math.round(each / 1e6)),
    growth: part(0.75, 1) / part(0, 0.25) - 1,
  };
}
