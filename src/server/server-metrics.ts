import { memoryUsage, monotonicMs } from "../platform/node.ts";
import type { ModelPool } from "../runtime/serving/model-pool.ts";

/** Bounds of the time histograms, in seconds. */
const bounds = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300];

/** Counts of durations, as Prometheus has them. */
class Histogram {
  private readonly counts = bounds.map(() => 0);
  private count = 0;
  private sum = 0;

  observe(seconds: number): void {
    this.count++;
    this.sum += seconds;
    for (const [i, bound] of bounds.entries()) if (seconds <= bound) this.counts[i]++;
  }

  lines(name: string): string[] {
    return [
      ...bounds.map((bound, i) => `${name}_bucket{le="${bound}"} ${this.counts[i]}`),
      `${name}_bucket{le="+Inf"} ${this.count}`,
      `${name}_sum ${this.sum}`,
      `${name}_count ${this.count}`,
    ];
  }
}

/** What a server counts of itself. */
export class ServerMetrics {
  private readonly answers = new Map<string, number>();
  private readonly firstToken = new Histogram();
  private readonly wholeRequest = new Histogram();
  private open = 0;

  /** Counts a request to a route as it comes; the function that it returns, as it is answered. */
  begin(route: string): (status: number) => void {
    const startMs = monotonicMs();
    this.open++;
    let isOpen = true;
    return (status) => {
      if (!isOpen) return;
      isOpen = false;
      this.open--;
      const key = `route="${route}",status="${status}"`;
      this.answers.set(key, (this.answers.get(key) ?? 0) + 1);
      this.wholeRequest.observe((monotonicMs() - startMs) / 1000);
    };
  }

  /** Requests that are being answered. */
  get openRequests(): number {
    return this.open;
  }

  /** Notes how long a client waited for the first token of an answer. */
  observeFirstToken(ms: number): void {
    this.firstToken.observe(ms / 1000);
  }

  /** Writes all counts in Prometheus' text format. */
  text(pool: ModelPool): string {
    const requests = [...this.answers].map(([key, n]) => `fewbit_requests_total{${key}} ${n}`);
    const lines = [
      ...family("fewbit_requests_total", "counter", "Requests answered.", requests),
      ...family("fewbit_open_requests", "gauge", "Requests that are being answered.", [
        `fewbit_open_requests ${this.open}`,
      ]),
      ...family(
        "fewbit_first_token_seconds",
        "histogram",
        "Time from a request to its first token.",
        this.firstToken.lines("fewbit_first_token_seconds"),
      ),
      ...family(
        "fewbit_request_seconds",
        "histogram",
        "Time of whole requests.",
        this.wholeRequest.lines("fewbit_request_seconds"),
      ),
      ...family("fewbit_resident_bytes", "gauge", "Memory of the process.", [
        `fewbit_resident_bytes ${memoryUsage().residentBytes}`,
      ]),
      ...modelLines(pool),
    ];
    return `${lines.join("\n")}\n`;
  }
}

function family(name: string, type: string, help: string, lines: readonly string[]): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines];
}

/** Counts of each model's engine: name, kind, meaning, and where the number stands. */
const engineFigures = [
  ["queued_requests", "gauge", "Requests that wait.", "queued"],
  ["running_requests", "gauge", "Requests that tokens are made for.", "running"],
  ["kv_cache_bytes", "gauge", "Memory of keys and values.", "kvCacheBytes"],
  ["prompt_tokens_total", "counter", "Tokens of prompts.", "promptTokens"],
  ["cached_tokens_total", "counter", "Those of them that were cached.", "cachedTokens"],
  ["generated_tokens_total", "counter", "Tokens written.", "generatedTokens"],
  ["drafted_tokens_total", "counter", "Tokens guessed beforehand.", "draftedTokens"],
  ["accepted_tokens_total", "counter", "Those of them that came true.", "acceptedTokens"],
  ["finished_requests_total", "counter", "Requests that were finished.", "finishedRequests"],
  ["cancelled_requests_total", "counter", "Requests that were cut.", "cancelledRequests"],
  ["failed_requests_total", "counter", "Requests that failed.", "failedRequests"],
  ["refused_requests_total", "counter", "Requests for which there was no room.", "refusedRequests"],
  ["preemptions_total", "counter", "Requests put back for want of memory.", "preemptions"],
  ["tokens_per_second", "gauge", "Tokens a second, of late.", "tokensPerSecond"],
] as const;

function modelLines(pool: ModelPool): string[] {
  const models = pool.list();
  const loaded = models.map(
    ({ name, state }) =>
      `fewbit_model_loaded{model="${label(name)}"} ${state === "loaded" ? 1 : 0}`,
  );
  const lines = family("fewbit_model_loaded", "gauge", "Whether the model is in memory.", loaded);
  for (const [id, kind, meaning, field] of engineFigures) {
    const name = `fewbit_${id}`;
    const values = models.flatMap((model) =>
      model.stats ? [`${name}{model="${label(model.name)}"} ${model.stats[field]}`] : [],
    );
    lines.push(...family(name, kind, meaning, values));
  }
  return lines;
}

function label(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
