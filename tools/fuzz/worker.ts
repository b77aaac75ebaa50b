import { mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { judgeCase, type JudgedCase, minimise } from "./judge-case.ts";
import type { RunCase } from "./kind.ts";
import { kinds } from "./kinds/index.ts";
import { type Counts, encodeProgress, noCounts, notBegun } from "./progress.ts";

/** What the worker is asked for: cases of a kind, from a seed on, for so long or so many. */
export interface Order {
  readonly kind: string;
  readonly seed: number;
  readonly milliseconds: number;
  readonly cases: number;
}

/** A case that broke the law. */
export interface Found extends JudgedCase {
  readonly kind: string;
  readonly seed: number;
}

/** What the worker tells: each fault at once, and that an order is done. */
export type Told = { readonly type: "found"; readonly found: Found } | { readonly type: "done" };

Error.stackTraceLimit = 60;
const folder = process.env.FUZZ_FOLDER ?? "";
const status = openSync(join(folder, "progress"), "w");
const opened = new Map<string, RunCase>();
const seen = new Set<string>();

async function openKind(id: string): Promise<RunCase> {
  const before = opened.get(id);
  if (before) return before;
  const kind = kinds.find((each) => each.id === id);
  if (!kind) throw new Error(`there is no kind ${id}`);
  const place = join(folder, id);
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
  process.chdir(place);
  const run = await kind.open(place);
  opened.set(id, run);
  return run;
}

/** Carries out an order; progress stands in a file, which a process that dies leaves behind. */
async function carryOut({ kind, seed: first, milliseconds, cases }: Order): Promise<void> {
  writeSync(status, encodeProgress(notBegun, noCounts()), 0, undefined, 0);
  const run = await openKind(kind);
  // What is written by a name alone is written there.
  process.chdir(join(folder, kind));
  const counts: Counts = noCounts();
  const end = performance.now() + milliseconds;
  for (let seed = first; seed < first + cases && performance.now() < end; seed++) {
    writeSync(status, encodeProgress(seed, counts), 0, undefined, 0);
    const judged = await judgeCase(run, seed);
    counts[judged.verdict]++;
    if (judged.verdict === "accepted" || judged.verdict === "typed") continue;
    const key = `${kind} ${judged.verdict} ${judged.verdict === "untyped" ? judged.fault.split(": ")[0] : seed}`;
    const isNew = !seen.has(key);
    seen.add(key);
    const told = isNew && judged.verdict === "untyped" ? await minimise(run, seed, judged) : judged;
    tell({ type: "found", found: { ...told, kind, seed } });
  }
  writeSync(status, encodeProgress(-1, counts), 0, undefined, 0);
  tell({ type: "done" });
}

function tell(told: Told): void {
  process.send?.(told);
}

process.on("message", (order: Order) => void carryOut(order));
process.on("disconnect", () => process.exit());
