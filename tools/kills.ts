import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { openResults } from "../src/index.ts";
import { Prng } from "../src/util/prng.ts";
import { fewbit } from "../test/e2e/cli-process.ts";
import { holdAt } from "../test/e2e/held-runs.ts";
import { besides, changesOf, expectDone, filesOf, killAt } from "../test/e2e/killed-runs.ts";

/*
 * Kills runs of every kind at changes that they make to files or a database, drawn by a seed, runs
 * them again, and compares what they leave with what an undisturbed run leaves: the same bytes, and
 * nothing else.
 *
 *   npm run kills -- --kills 200 --seed 1 --only train
 */

const usage = "npm run kills -- [--kills N] [--seed N] [--only NAME]";
const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "24" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "" },
  },
});
const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "fewbit-kills-"));
const model = join(folder, "model");
const text = join(folder, "text.txt");
/** Products of one thread, so that a machine may do several of these at once. */
const env = { FEWBIT_THREADS: "1" };
const helper = "checkpoint-helper";

/** A kind of run. */
interface Scenario {
  readonly name: string;
  readonly args: (out: string) => readonly string[];
  /** Processes that change files, by the names of their main modules. */
  readonly processes: readonly string[];
  /** What a run leaves, as far as it is the same each time. */
  readonly outcome: (out: string) => Promise<unknown>;
}

/** An undisturbed run: what it leaves, and the changes of each of its processes. */
interface Undisturbed {
  readonly outcome: unknown;
  readonly changes: ReadonlyMap<string, readonly string[]>;
}

const tokens = ["--samples", "4", "--window", "32"];
const calibration = ["--calibration", text, ...tokens];
const steps = (of = ""): string[] =>
  ["steps 3", "batch 2", "checkpoint-every 1"].flatMap((option) => `--${of}${option}`.split(" "));

const checkpoint = (name: string, args: (out: string) => readonly string[]): Scenario => ({
  name,
  args: (out) => [...args(out), "--out", out, "--quiet"],
  processes: ["main"],
  outcome: async (out) => ({ files: filesOf(out), besides: besides(out) }),
});

const quantize = (name: string, ...args: readonly string[]): Scenario =>
  checkpoint(name, () => ["quantize", model, ...args]);

const sweepRecipe = `name: kills
models: [{ id: tiny, path: ${model} }]
calibration: { files: ${text}, samples: 4, window: 32 }
evaluation: { texts: [{ file: ${text}, window: 32, maxWindows: 2 }], speedTokens: 0 }
keep: true
variants:
  - { method: gptq, scheme: w4g32 }
  - { preset: efficientqat, scheme: w2g32 }
`;

const scenarios: readonly Scenario[] = [
  quantize("rtn", "--method", "rtn", "--scheme", "w4g32"),
  quantize("gptq", "--method", "gptq", "--scheme", "w3g32", "--head", "w8g32", ...calibration),
  quantize("block-ap", "--method", "block-ap", "--scheme", "w2g32", ...calibration),
  quantize(
    "awq+gptq",
    ..."--transform awq --method gptq --scheme w3g32".split(" "),
    ...calibration,
  ),
  quantize("self", "--method", "gptq", "--scheme", "w4g32", "--self-calibration", ...tokens),
  quantize("paretoq", "--method", "paretoq", "--scheme", "w2-seq", ...calibration, ...steps()),
  quantize("efficientqat", "--preset", "efficientqat", "--scheme", "w2g32", ...calibration),
  quantize(
    "onebit",
    "--preset",
    "onebit",
    "--scheme",
    "w1-onebit",
    ...calibration,
    ...steps("onebit-kd-"),
  ),
  checkpoint("train", () => ["train", join(folder, "train.json"), "--text", text]),
  checkpoint("export", () => ["export", join(folder, "quantized"), "--format", "hf"]),
  {
    name: "sweep",
    args: (out) => ["sweep", join(folder, "sweep.yaml"), "--out", out, "--quiet"],
    processes: ["main", helper],
    outcome: async (out) => ({
      files: Object.entries(filesOf(out)).filter(([name]) => !name.includes("results.db")),
      points: (await openResults(out)).points.map(({ point, status, result }) => ({
        id: point.id,
        status,
        perplexities: result?.texts.map(({ perplexity }) => perplexity),
        sizeBytes: result?.sizeBytes,
      })),
      besides: besides(out),
    }),
  },
];

const shape = {
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  vocab_size: 288,
  max_position_embeddings: 64,
};

/** Makes the model, the text and the configurations that the runs read. */
async function prepare(): Promise<void> {
  const long = readFileSync(join(root, "builtin/text/validation.txt"), "utf8");
  writeFileSync(text, long.slice(0, 12_000));
  const training = { model: shape, data: { window: 32, batch: 2 }, steps: 6, checkpointEvery: 2 };
  writeFileSync(join(folder, "train.json"), JSON.stringify(training));
  writeFileSync(join(folder, "sweep.yaml"), sweepRecipe);
  const args = ["--text", text, "--out", model, "--quiet"];
  expectDone(await fewbit(["train", join(folder, "train.json"), ...args], { env }));
  const rtn = ["--method", "rtn", "--scheme", "w4g32", "--out", join(folder, "quantized")];
  expectDone(await fewbit(["quantize", model, ...rtn, "--quiet"], { env }));
}

/** A place for an output, alone in its folder. */
function placeOf(name: string): string {
  mkdirSync(join(folder, name));
  return join(folder, name, "out");
}

async function runUndisturbed({ name, args, processes, outcome }: Scenario): Promise<Undisturbed> {
  const changes = new Map<string, readonly string[]>();
  let left: unknown;
  for (const process of processes) {
    const out = placeOf(`${name} ${process}`);
    changes.set(process, await changesOf(args(out), join(folder, `${name} log`), process, env));
    left = await outcome(out);
    rmSync(join(folder, `${name} log`));
  }
  return { outcome: left, changes };
}

/** Kills a run before a change, or in the middle of it; returns whether it came to that. */
async function kill(
  { args, processes }: Scenario,
  out: string,
  { changes }: Undisturbed,
  prng: Prng,
): Promise<string | null> {
  const process = processes[prng.below(processes.length)];
  const log = changes.get(process) ?? [];
  const at = 1 + prng.below(log.length);
  const isHalf = log[at - 1].startsWith("write") && prng.below(2) === 0;
  const what = `${process} at ${at} of ${log.length}${isHalf ? ", in the middle" : ""}`;
  if (process === "main") {
    const { code } = await killAt(args(out), `${at}${isHalf ? "half" : ""}`, env);
    return code === null ? `${what} (${log[at - 1]})` : null;
  }
  // The other process does not outlive the program.
  const held = await holdAt(args(out), at, { env, process }).catch(() => null);
  await held?.kill();
  return held ? `${what} (${log[at - 1]})` : null;
}

/** Kills a run up to three times, lets it end, and compares. Returns how often it was killed. */
async function trial(scenario: Scenario, undisturbed: Undisturbed, prng: Prng): Promise<number> {
  const { name, args, outcome } = scenario;
  const out = placeOf(`${name} killed`);
  const killed: string[] = [];
  const wanted = 1 + prng.below(3);
  let isOver = false;
  while (killed.length < wanted && !isOver) {
    const what = await kill(scenario, out, undisturbed, prng);
    if (what === null) isOver = true;
    else killed.push(what);
  }
  // An export that is over is no run to be continued: its output is other programs' to read.
  const isRepeated = !isOver || name !== "export";
  try {
    if (isRepeated) expectDone(await fewbit(args(out), { env }));
    const left = existsSync(out) ? await outcome(out) : "nothing";
    if (!isDeepStrictEqual(left, undisturbed.outcome)) {
      const shown = (what: unknown): string => JSON.stringify(what, null, 1);
      throw new Error(`left ${shown(left)}\nnot ${shown(undisturbed.outcome)}`);
    }
  } catch (cause) {
    throw new Error(`${name}, killed ${killed.join("; then ")}`, { cause });
  }
  rmSync(join(folder, `${name} killed`), { recursive: true });
  return killed.length;
}

const wanted = Number(values.kills);
const seed = Number(values.seed);
const chosen = scenarios.filter(({ name }) => name.startsWith(values.only));
if (!Number.isSafeInteger(wanted) || !Number.isSafeInteger(seed) || chosen.length === 0) {
  throw new Error(`usage: ${usage}; names: ${scenarios.map(({ name }) => name).join(", ")}`);
}
try {
  await prepare();
  const prng = new Prng(seed);
  for (const [index, scenario] of chosen.entries()) {
    const undisturbed = await runUndisturbed(scenario);
    const moments = [...undisturbed.changes.values()].flat().length;
    const share =
      Math.floor(((index + 1) * wanted) / chosen.length) -
      Math.floor((index * wanted) / chosen.length);
    let kills = 0;
    let trials = 0;
    for (; kills < share; trials++) kills += await trial(scenario, undisturbed, prng);
    console.log(
      `${scenario.name}: ${kills} kills in ${trials} runs, drawn from ${moments} changes; ` +
        "all ended with the same bytes",
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
