import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { loadCalibration } from "../../src/calibration/dataset.ts";
import { methods } from "../../src/methods/index.ts";
import { presets } from "../../src/recipe/presets/index.ts";
import { findVersion, type FoundVersion, type Limits, runMaker } from "./maker-process.ts";
import { type Maker, makers } from "./maker.ts";
import { fingerprint, type Original, type TextChoice } from "./measure.ts";
import { keyOf, type Outcome, OutcomeStore } from "./outcome.ts";
import { outcomeTable, type Row } from "./outcome-table.ts";

/** What is compared, and on what. */
export interface Plan {
  readonly model: string;
  readonly calibration: string;
  readonly samples: number;
  readonly window: number;
  readonly schemes: readonly string[];
  readonly texts: TextChoice;
  readonly limits: Limits;
  readonly out: string;
  /** Leave the checkpoints where they were made. */
  readonly keep: boolean;
  /** Try again what failed before. */
  readonly retryFailed: boolean;
}

/** A maker for one of the schemes, and the name of its result. */
interface Run {
  readonly maker: Maker;
  readonly scheme: string;
  readonly name: string;
  readonly missing: string | null;
}

/** Makes and measures models by many makers; what is done is found again by its key. */
export class Session {
  private readonly plan: Plan;
  private readonly original: Original;
  private readonly store: OutcomeStore;
  private readonly runs: readonly Run[];

  constructor(plan: Plan, original: Original) {
    this.plan = plan;
    this.original = original;
    this.store = new OutcomeStore(join(plan.out, "runs"));
    this.runs = runsOf(plan);
  }

  /**
   * Runs those of `chosen` that are not done, one after the other. Returns the table of all that is
   * done, and of what was asked for and is missing.
   */
  async work(chosen: readonly Maker[], say: (line: string) => void): Promise<string> {
    const windows = await this.writeWindows();
    for (const run of this.runs.filter(({ maker }) => chosen.includes(maker))) {
      const title = `${run.scheme} ${run.maker.id}`;
      const earlier = this.store.read(run.name);
      if (run.missing !== null) say(`${title}: ${run.missing}`);
      else if (earlier && (earlier.error === null || !this.plan.retryFailed)) continue;
      else {
        say(`${title} …`);
        const outcome = await this.make(run, windows);
        this.store.write(run.name, outcome);
        await this.writeTable(chosen);
        say(outcome.error === null ? `${title}: done` : `${title}: ${outcome.error}`);
      }
    }
    return this.writeTable(chosen);
  }

  private async writeTable(chosen: readonly Maker[]): Promise<string> {
    const rows: Row[] = [await this.originalRow()];
    for (const { maker, scheme, name, missing } of this.runs) {
      const outcome = this.store.read(name);
      const isMissing = missing !== null && chosen.includes(maker);
      if (outcome || isMissing) rows.push({ maker: maker.id, scheme, outcome, missing });
    }
    const { out, texts } = this.plan;
    const names = rows[0]?.outcome?.figures.map(({ text }) => text) ?? [...texts.texts];
    const table = outcomeTable(rows, names);
    writeFileSync(join(out, "peers.md"), table);
    writeFileSync(join(out, "peers.json"), `${JSON.stringify(rows, null, 2)}\n`);
    return table;
  }

  private async make({ maker, scheme, name }: Run, windows: string): Promise<Outcome> {
    const { plan, original } = this;
    const out = join(plan.out, "models", name);
    const load = loadavg()[0] ?? 0;
    const startedAt = new Date().toISOString();
    const order = {
      model: plan.model,
      windows,
      scheme: `${scheme}${maker.suffix ?? ""}`,
      settings: this.settingsOf(maker),
      out,
      log: join(plan.out, "logs", `${name}.log`),
    };
    const { made, error, wallSeconds } = await runMaker(maker, order, plan.limits);
    const common = { maker: maker.id, scheme, settings: maker.settings, startedAt, load };
    const figures = made ? await measured(() => original.measure(out)) : { found: [], error };
    if (!plan.keep) rmSync(out, { recursive: true, force: true });
    const bytes = made ? original.bytesWith(made) : null;
    return { ...common, wallSeconds, made, bytes, figures: figures.found, error: figures.error };
  }

  /** The settings of a script; fewbit reads the text itself. */
  private settingsOf({ python, settings }: Maker): Record<string, unknown> {
    const { calibration, samples, window } = this.plan;
    return python === null ? { calibration, samples, window, ...settings } : { ...settings };
  }

  private async originalRow(): Promise<Row> {
    const name = `original-${keyOf(dataKey(this.plan))}`;
    const earlier = this.store.read(name);
    const outcome = earlier ?? {
      maker: "original",
      scheme: "float",
      settings: {},
      startedAt: new Date().toISOString(),
      load: 0,
      wallSeconds: 0,
      made: null,
      bytes: this.original.bytes,
      figures: await this.original.ownFigures(),
      error: null,
    };
    if (!earlier) this.store.write(name, outcome);
    return { maker: "original", scheme: "float", outcome, missing: null };
  }

  /** Writes the calibration windows, tokenised as fewbit does, for all scripts. */
  private async writeWindows(): Promise<string> {
    const { calibration, samples, window, out } = this.plan;
    const files = [{ path: calibration }];
    const { tokenizer } = this.original.model;
    const { windows } = await loadCalibration(files, tokenizer, { samples, window });
    mkdirSync(out, { recursive: true });
    const path = join(out, "windows.json");
    writeFileSync(path, JSON.stringify(windows.map((ids) => [...ids])));
    return path;
  }
}

/** Measures; that a model cannot be measured is its result, too. */
async function measured<T>(
  measure: () => Promise<T[]>,
): Promise<{ found: T[]; error: string | null }> {
  try {
    return { found: await measure(), error: null };
  } catch (error) {
    return { found: [], error: `cannot be measured: ${(error as Error).message}` };
  }
}

/** Every maker for every scheme that it knows. */
function runsOf(plan: Plan): Run[] {
  const shared = { ...dataKey(plan), threads: plan.limits.threads };
  const here = revision();
  const found = makers.map((maker) => ({ maker, ...versionOf(maker, plan.limits, here) }));
  return plan.schemes.flatMap((scheme) =>
    found
      .filter(({ maker }) => maker.schemes.test(scheme))
      .map(({ maker, version, missing }) => {
        const { id, settings } = maker;
        const key = keyOf([shared, id, settings, scheme, version]);
        return { maker, scheme, name: `${scheme}-${id.replaceAll(/[/:]/g, "-")}-${key}`, missing };
      }),
  );
}

/** What all results depend on. */
function dataKey({ model, calibration, samples, window, texts }: Plan): object {
  const contents = [calibration, ...texts.texts].map((path) => keyOf(readFileSync(path, "utf8")));
  const { maxWindows } = texts;
  return { model: fingerprint(model), contents, samples, window, maxWindows };
}

/** The version of what a maker runs, its script included; or what it lacks. */
function versionOf(maker: Maker, limits: Limits, here: string): FoundVersion {
  const { method, preset } = maker.settings;
  const lacks = (name: unknown, known: object): boolean =>
    maker.python === null && name !== undefined && !Object.hasOwn(known, String(name));
  if (lacks(method, methods) || lacks(preset, presets)) {
    return { version: null, missing: `this version of fewbit has no ${String(method ?? preset)}` };
  }
  if (maker.python === null) return { version: here, missing: null };
  const scripts = ["peer.py", maker.script].map((name) =>
    readFileSync(new URL(name, import.meta.url), "utf8"),
  );
  const { version, missing } = findVersion(maker, limits);
  return { version: `${version} ${keyOf(scripts)}`, missing };
}

/** What tells one state of fewbit's sources from another: trees of the commit, and changes. */
function revision(): string {
  const cwd = new URL("../..", import.meta.url);
  const ask = (...words: string[]): string =>
    spawnSync("git", words, { cwd, encoding: "utf8" }).stdout;
  const paths = ["src", "native"];
  return keyOf([
    ask("rev-parse", ...paths.map((path) => `HEAD:${path}`)),
    ask("diff", "HEAD", "--", ...paths),
  ]);
}
