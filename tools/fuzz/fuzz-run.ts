import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { addCounts, type Counts, decodeProgress, noCounts, notBegun } from "./progress.ts";
import type { Found, Order, Told } from "./worker.ts";

/** A case that has not ended after so long counts as slow, and its process is ended. */
const patienceMs = 40_000;

/** Preparing the cases of a kind may take longer on a machine that is busy. */
const preparingMs = 300_000;

/** How long the cases of one kind run at most before the next kind has its turn. */
const longestTurnMs = 6_000;

/** How long all runs, or how many cases each kind has. */
export type Extent = { readonly minutes: number } | { readonly cases: number };

/** What is told of a kind whose cases cannot begin. */
const unprepared = {
  verdict: "untyped",
  fault: "its cases cannot be prepared",
  stack: "",
  changes: [],
  changeCount: 0,
} as const;

/** A run of the fuzzer: workers do the cases, kind after kind, until the time is over. */
export class FuzzRun {
  private readonly folder: string;
  private readonly kinds: Set<string>;
  private readonly counts: ReadonlyMap<string, Counts>;
  private readonly nextSeed: Map<string, number>;
  /** How often a fault was found, by what it is. */
  private readonly faults = new Map<string, number>();
  private worker: ChildProcess | null = null;
  private isStopped = false;

  constructor(folder: string, kinds: readonly string[], seed: number) {
    this.folder = folder;
    this.kinds = new Set(kinds);
    this.counts = new Map(kinds.map((id) => [id, noCounts()]));
    this.nextSeed = new Map(kinds.map((id) => [id, seed]));
  }

  /** Ends after the case that runs. */
  stop(): void {
    this.isStopped = true;
    this.worker?.kill("SIGKILL");
  }

  /** Runs cases and tells faults as they are found. Returns how many there were. */
  async work(extent: Extent): Promise<number> {
    const end = "minutes" in extent ? performance.now() + extent.minutes * 60_000 : Infinity;
    const turnMs = Math.min(longestTurnMs, (end - performance.now()) / this.kinds.size / 2);
    const cases = "cases" in extent ? extent.cases : Infinity;
    const rounds = "cases" in extent ? 1 : Infinity;
    for (let round = 0; round < rounds && !this.isStopped; round++) {
      for (const kind of this.kinds) {
        const left = end - performance.now();
        if (left <= 0 || this.isStopped) break;
        await this.turn(kind, cases === Infinity ? Math.min(turnMs, left) : Infinity, cases);
      }
      if (performance.now() >= end) break;
      // Memory that is not given back would hide what a case needs.
      this.end();
    }
    this.end();
    return [...this.faults.values()].reduce((sum, count) => sum + count, 0);
  }

  private async turn(kind: string, milliseconds: number, cases: number): Promise<void> {
    const end = performance.now() + milliseconds;
    let rest = cases;
    while (rest > 0 && performance.now() < end && this.kinds.has(kind) && !this.isStopped) {
      const seed = this.nextSeed.get(kind) ?? 0;
      const order = {
        kind,
        seed,
        milliseconds: Math.min(end - performance.now(), 1e9),
        cases: Math.min(rest, 1e9),
      };
      const { done, died } = await this.carryOut(order);
      this.nextSeed.set(kind, seed + done);
      rest -= done;
      if (died === null) return;
      this.report({ kind, seed: seed + done - 1, ...died });
    }
  }

  /** Gives an order to the worker; a worker that dies or hangs is replaced by the next order's. */
  private async carryOut(
    order: Order,
  ): Promise<{ done: number; died: Omit<Found, "kind" | "seed"> | null }> {
    const child = this.worker ?? this.start();
    let hung = false;
    const ended = new Promise<boolean>((resolve) => {
      child.removeAllListeners("message").removeAllListeners("exit");
      child.on("message", (told: Told) => {
        if (told.type === "done") resolve(true);
        else this.report(told.found);
      });
      child.once("exit", () => resolve(false));
    });
    let last = { seed: notBegun, since: performance.now() };
    const watch = setInterval(() => {
      const { seed } = this.progress();
      if (seed !== last.seed) last = { seed, since: performance.now() };
      else if (performance.now() - last.since > (seed < order.seed ? preparingMs : patienceMs)) {
        hung = true;
        child.kill("SIGKILL");
      }
    }, 500);
    child.send(order);
    const isDone = await ended;
    clearInterval(watch);
    const { seed, counts } = this.progress();
    const all = this.counts.get(order.kind);
    if (all) addCounts(all, counts);
    const finished = Object.values(counts).reduce((sum, count) => sum + count, 0);
    if (isDone) return { done: finished, died: null };
    this.worker = null;
    if (this.isStopped) return { done: finished, died: null };
    if (seed < order.seed) {
      this.kinds.delete(order.kind);
      return { done: 1, died: unprepared };
    }
    if (all) all[hung ? "slow" : "untyped"]++;
    const fault = hung
      ? `has not ended after ${patienceMs / 1000} s`
      : `ended the process (${child.signalCode ?? child.exitCode})`;
    const died = {
      verdict: hung ? "slow" : "untyped",
      fault,
      stack: "",
      changes: [],
      changeCount: 0,
    } as const;
    return { done: finished + 1, died };
  }

  private start(): ChildProcess {
    const place = join(this.folder, "worker");
    rmSync(place, { recursive: true, force: true });
    mkdirSync(place);
    this.worker = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), [], {
      execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
      env: {
        ...process.env,
        FUZZ_FOLDER: place,
        TMPDIR: place,
        HF_HUB_OFFLINE: "1",
        HF_HOME: place,
      },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    return this.worker;
  }

  private end(): void {
    this.worker?.removeAllListeners("exit");
    this.worker?.kill("SIGKILL");
    this.worker = null;
  }

  private progress(): { seed: number; counts: Counts } {
    try {
      return decodeProgress(readFileSync(join(this.folder, "worker", "progress")));
    } catch {
      return { seed: notBegun, counts: noCounts() };
    }
  }

  /** Tells a fault the first time, with a command that shows it again. */
  private report({ kind, seed, verdict, fault, stack, changes }: Found): void {
    const isFigure = verdict === "large" || (verdict === "slow" && stack === "");
    // Messages differ from case to case; a place in the code does not.
    const [place] = fault.split(": ");
    const key = `${kind} ${verdict}${isFigure ? "" : ` ${place}`}`;
    const before = this.faults.get(key) ?? 0;
    this.faults.set(key, before + 1);
    if (before > (isFigure ? 4 : 0)) return;
    console.log(`\n${kind}: ${verdict}: ${fault}`);
    for (const change of changes) console.log(`  ${change}`);
    for (const line of verdict === "untyped" ? stack.split("\n").slice(1, 7) : [])
      console.log(`  ${line.trim()}`);
    console.log(`  npm run fuzz -- --only ${kind} --seed ${seed} --cases 1`);
  }

  /** What came of all cases, a line a kind. */
  table(): string[] {
    const heads = ["kind", "inputs", "accepted", "typed", "untyped", "slow", "large"];
    const total = noCounts();
    const line = (name: string, counts: Counts): string[] => {
      const { accepted, typed, untyped, slow, large } = counts;
      const inputs = accepted + typed + untyped + slow + large;
      return [name, ...[inputs, accepted, typed, untyped, slow, large].map(String)];
    };
    const rows = [...this.counts].map(([id, counts]) => {
      addCounts(total, counts);
      return line(id, counts);
    });
    const places = this.faults.size === 1 ? "1 place" : `${this.faults.size} places`;
    const all = [heads, ...rows, line("all", total)].map(([name = "", ...cells]) =>
      [name.padEnd(20), ...cells.map((cell) => cell.padStart(9))].join(" "),
    );
    return ["", ...all, `laws broken at ${places}`];
  }
}
