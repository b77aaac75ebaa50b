import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Made, madeSchema } from "./outcome.ts";
import type { Maker } from "./maker.ts";

/** Where the peers' Pythons are, and how much a run may take. */
export interface Limits {
  /** Folder with a virtual environment for each peer. */
  readonly pythons: string;
  readonly threads: number;
  readonly minutes: number;
  readonly memoryGigabytes: number;
}

/** What a process is asked to make. */
export interface Order {
  readonly model: string;
  /** File of the calibration windows: a JSON list of lists of token ids. */
  readonly windows: string;
  readonly scheme: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly out: string;
  /** File for all that the process says. */
  readonly log: string;
}

/** How a process ended: with a result, or why without one. */
export interface Ending {
  readonly made: Made | null;
  readonly error: string | null;
  readonly wallSeconds: number;
}

/** The program that runs a maker's script. */
function programOf({ python }: Maker, { pythons }: Limits): string {
  if (python === null) return process.execPath;
  const own = join(pythons, python, "bin", "python");
  return existsSync(own) ? own : (process.env["FEWBIT_PYTHON"] ?? "python3");
}

/** A version, or what there is none of. */
export interface FoundVersion {
  readonly version: string | null;
  readonly missing: string | null;
}

/** Asks a peer's Python for the version of its package. */
export function findVersion(maker: Maker, limits: Limits): FoundVersion {
  const program = programOf(maker, limits);
  const name = maker.package ?? "torch";
  const script = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))";
  const { status, stdout } = spawnSync(program, ["-c", script, name], { encoding: "utf8" });
  if (status === 0) return { version: stdout.trim(), missing: null };
  const missing = `${program} has no package ${name}; see tools/peers/README.md`;
  return { version: null, missing };
}

/** Runs a maker in a process of its own, and removes that with this one. */
export async function runMaker(maker: Maker, order: Order, limits: Limits): Promise<Ending> {
  rmSync(order.out, { recursive: true, force: true });
  for (const path of [order.log, order.out]) mkdirSync(dirname(path), { recursive: true });
  const log = openSync(order.log, "w");
  const words = wordsOf(maker, order, limits);
  const started = performance.now();
  const child = spawn(programOf(maker, limits), words, {
    stdio: ["ignore", log, log],
    // Some peers write logs of their own where they are started.
    cwd: dirname(order.log),
    env: { ...process.env, ...surroundings(limits.threads) },
    timeout: limits.minutes * 60_000,
    killSignal: "SIGKILL",
  });
  const stop = (): void => void child.kill("SIGKILL");
  process.once("exit", stop);
  const ended = await new Promise<{ code: number | null; error?: Error }>((resolve) => {
    child.on("error", (error) => resolve({ code: null, error }));
    child.on("close", (code) => resolve({ code }));
  });
  process.off("exit", stop);
  closeSync(log);
  const wallSeconds = (performance.now() - started) / 1000;
  if (ended.code === 0) return { ...readMade(order.out), wallSeconds };
  const wasLate = child.signalCode === "SIGKILL" && wallSeconds >= limits.minutes * 60;
  const late = `stopped after ${limits.minutes} minutes`;
  const error = wasLate ? late : (ended.error?.message ?? lastWords(order.log, ended.code));
  return { made: null, error, wallSeconds };
}

function wordsOf({ script }: Maker, order: Order, limits: Limits): string[] {
  const options = {
    model: order.model,
    windows: order.windows,
    scheme: order.scheme,
    settings: JSON.stringify(order.settings),
    out: order.out,
    threads: String(limits.threads),
    "memory-gb": String(limits.memoryGigabytes),
  };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  return [fileURLToPath(new URL(script, import.meta.url)), ...flags];
}

/** What keeps the peers on this machine and its processor. */
function surroundings(threads: number): Record<string, string> {
  const offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"];
  const counts = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"];
  return {
    ...Object.fromEntries(offline.map((name) => [name, "1"])),
    ...Object.fromEntries(counts.map((name) => [name, String(threads)])),
    CUDA_VISIBLE_DEVICES: "",
    PYTHONDONTWRITEBYTECODE: "1",
    TOKENIZERS_PARALLELISM: "false",
  };
}

/** Reads what a process says that it made. */
function readMade(folder: string): { made: Made | null; error: string | null } {
  try {
    const made = madeSchema.parse(JSON.parse(readFileSync(join(folder, "made.json"), "utf8")));
    return { made, error: null };
  } catch (error) {
    return { made: null, error: `no result can be read: ${(error as Error).message}` };
  }
}

/** The line of a log that says most about a failure: the last one of its errors, or of all. */
function lastWords(log: string, code: number | null): string {
  const lines = readFileSync(log, "utf8")
    .split(/[\r\n]+/)
    .map((line) => line.trim());
  const said = lines.filter((line) => line !== "");
  const error = said.findLast((line) =>
    /^(\w+\.)*\w*(Error|Exception|Exit)\b|^stopped: /.test(line),
  );
  return `${error ?? said.at(-1) ?? "nothing was said"} (exit code ${code ?? "none: killed"})`;
}
