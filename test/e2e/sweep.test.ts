import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openBackend } from "../../src/backend/registry.ts";
import { openResults, type PointRecord, queryResults, report } from "../../src/index.ts";
import { runSweep } from "../../src/sweep/sweep.ts";
import { type Finished, fewbit, fewbitHere } from "./cli-process.ts";
import { holdAt } from "./held-runs.ts";
import { killAt } from "./killed-runs.ts";

/*
 * Sweeps over the built-in model through the command line: plans, results, refusals, and what is
 * left when a process is killed.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const env = { FEWBIT_THREADS: "1" };

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-sweep-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const usual = `name: test
models:
  - { id: one, path: ${root}builtin/model }
  - { id: two, path: ${root}builtin/model }
calibration: { files: ${root}builtin/text/calibration.txt, samples: 4, window: 64 }
evaluation:
  texts: [{ file: ${root}builtin/text/validation.txt, window: 64, maxWindows: 6 }]
  tasks: [${root}builtin/tasks/agreement.jsonl]
  limit: 8
  speedTokens: 0
  generate: { count: 3, maxTokens: 12 }
variants:
  - method: rtn
    scheme: w2g32
  - method: gptq
    scheme: w3g32
    options: { damping: 0.02 }
`;

/** Of one model: three points. */
const single = usual.replace(/ {2}- \{ id: two.*\n/, "");

let files = 0;

/** Writes a recipe; returns its path. Its results go beside it. */
function recipeOf(text: string): string {
  const path = join(folder, `recipe-${++files}.yaml`);
  writeFileSync(path, text);
  return path;
}

const outOf = (recipe: string): string => recipe.replace(".yaml", "");

/** What of a record does not depend on when and how fast it was made. */
function lasting({ point, status, error, command, result }: PointRecord): unknown {
  if (!result) return { point, status, error, command };
  const { texts, tasks, averages, generation, sizeBytes, bitsPerWeight } = result;
  const measured = { texts, tasks, averages, generation, sizeBytes, bitsPerWeight };
  return { point, status, error, command, ...measured };
}

const lastingOf = async (out: string): Promise<unknown[]> =>
  (await openResults(out)).points.map(lasting);

describe("a sweep", () => {
  let expected: unknown[] = [];
  let out = "";
  let recipe = "";
  beforeAll(async () => {
    recipe = recipeOf(usual);
    out = outOf(recipe);
    const { code, stderr, stdout } = await fewbit(["sweep", recipe], { env });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain("test · 6 points of 2 models");
    expect(stderr).toMatch(/point 6\/6 {2}two gptq w3g32 {2}perplexity [\d.]+ ± [\d.]+/);
    expect(stdout).toMatch(/^ {2}one original +16\.00/m);
    expected = await lastingOf(out);
  });

  test("measures each original and each variant, and leaves no checkpoints", async () => {
    const { points, recipe: kept } = await openResults(out);
    expect(points.map(({ point }) => `${point.model} ${point.label}`)).toEqual(
      ["one", "two"].flatMap((id) => [`${id} original`, `${id} rtn w2g32`, `${id} gptq w3g32`]),
    );
    expect(points.every(({ status, attempts }) => status === "done" && attempts === 1)).toBe(true);
    expect(kept).toMatchObject({ name: "test" });
    const [original, rtn, gptq] = points;
    expect(original.result?.texts[0].klDivergence).toBeNull();
    expect(rtn.result?.texts[0].klDivergence?.mean).toBeGreaterThan(
      gptq.result?.texts[0].klDivergence?.mean ?? Number.POSITIVE_INFINITY,
    );
    expect(gptq.result?.tasks[0]).toMatchObject({ name: "agreement", items: 8 });
    const wrote = points.slice(0, 3).map(({ result }) => result?.generation);
    expect(wrote.map((each) => each?.klDivergence === null)).toEqual([true, false, false]);
    expect(wrote[0]).toMatchObject({ promptSet: "fewbit-1", maxTokens: 12, reproduced: null });
    expect(new Set(wrote.map((each) => each?.promptsSha256)).size).toBe(1);
    expect(gptq.result?.peakMemoryBytes).toBeGreaterThan(1e7);
    expect(gptq.run).toMatchObject({ recipe: { options: { damping: 0.02 } } });
    // rtn reads no text: the calibration of the recipe costs it nothing.
    expect(rtn.run).toMatchObject({ recipe: { calibration: null } });
    expect(readdirSync(join(out, "models"))).toEqual([]);
    expect(existsSync(join(out, "cache"))).toBe(false);
  });

  test("gives what quantize and eval give, by the command that its record holds", async () => {
    const { points } = await openResults(out);
    const words = points[2].command?.split(" ").slice(1) ?? [];
    const made = join(folder, "by-hand");
    const at = words.indexOf("--out");
    const model = words.indexOf("quantize") + 1;
    const args = words.with(at + 1, made).with(model, `${root}builtin/model`);
    const text = args.indexOf("--calibration") + 1;
    const again = await fewbitHere(args.with(text, `${root}builtin/text/calibration.txt`), { env });
    expect({ code: again.code, stderr: again.stderr }).toMatchObject({ code: 0 });
    const measured = await fewbitHere(
      ["eval", made, "--against", `${root}builtin/model`, "--json", "--speed-tokens", "0"].concat([
        "--text",
        `${root}builtin/text/validation.txt`,
        "--window",
        "64",
        "--max-windows",
        "6",
        "--generate",
        "3",
        "--max-tokens",
        "12",
      ]),
      { env },
    );
    const { windowLosses, klDivergence, generation } = JSON.parse(measured.stdout) as Record<
      string,
      unknown
    >;
    expect(points[2].result?.texts[0]).toMatchObject({ windowLosses, klDivergence });
    expect(points[2].result?.generation).toEqual(generation);
  });

  test("that is run again does nothing, and says so", async () => {
    const { code, stderr } = await fewbitHere(["sweep", recipe], { env });
    expect(code).toBe(0);
    expect(stderr).toContain("6 done already");
    expect(stderr).not.toMatch(/point \d\/6/);
  });

  test("takes on points that are added to its recipe, and forgets none", async () => {
    const longer = recipeOf(usual.replace("scheme: w2g32", "scheme: [w2g32, w4g32]"));
    const kept = join(folder, "longer");
    cpSync(out, kept, { recursive: true });
    const { code, stderr } = await fewbitHere(["sweep", longer, "--out", kept], { env });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain("8 points of 2 models · 6 done already");
    expect(
      (await lastingOf(kept)).filter((point) => expected.some((e) => isSame(e, point))),
    ).toHaveLength(6);
    const { stderr: said } = await fewbitHere(["sweep", recipe, "--out", kept], { env });
    expect(said).toContain("6 done already · 2 others in the database");
    expect(await lastingOf(kept)).toEqual(expected);
  });

  test("takes over what is done elsewhere, on a copy of the models, from a folder or the results of a report", async () => {
    const page = join(folder, "page");
    await report(out, { out: page });
    const copy = join(folder, "copied-model");
    cpSync(join(root, "builtin/model"), copy, { recursive: true });
    const moved = recipeOf(usual.replaceAll(`${root}builtin/model`, copy));
    for (const [index, from] of [out, join(page, "results.json")].entries()) {
      const elsewhere = join(folder, `elsewhere-${index}`);
      const taken = ["sweep", moved, "--results", from, "--out", elsewhere];
      const plan = await fewbitHere([...taken, "--plan"], { env });
      expect(plan.stdout).toContain("6 done already");
      expect(existsSync(elsewhere)).toBe(false);
      const { code, stderr } = await fewbitHere(taken, { env });
      expect({ code, stderr }).toMatchObject({ code: 0 });
      expect(stderr).not.toMatch(/point \d\/6/);
      const { points } = await openResults(elsewhere);
      expect(points.map(({ machine, startedAt }) => ({ machine, startedAt }))).toEqual(
        (await openResults(out)).points.map(({ machine, startedAt }) => ({ machine, startedAt })),
      );
      const losses = (all: readonly PointRecord[]): number[] =>
        all.flatMap(({ result }) => result?.texts.map(({ perplexity }) => perplexity) ?? []);
      expect(losses(points)).toEqual(losses((await openResults(out)).points));
    }
  });

  test("shows all columns of a query where its output is no terminal, and says what a terminal lacks", async () => {
    const sql = ["results", out, "--sql", "SELECT * FROM results"];
    const { columns } = await queryResults(out, "SELECT * FROM results");
    const piped = await fewbitHere(sql, { env: { COLUMNS: "60" } });
    const [header, first] = piped.stdout.trim().split("\n");
    expect(header.trim().split(/ {2,}/)).toEqual(columns);
    expect(piped.stdout).not.toContain("…");
    expect(first).toMatch(/[0-9a-f]{64}$/);
    const shown = await fewbitHere(sql, { terminal: true });
    expect(shown.stdout).toMatch(new RegExp(`\\d+ of ${columns.length} columns do not fit`));
  });

  test("answers SQL, and lets nothing be changed by it", async () => {
    const sql = "SELECT model, count(*) AS points FROM results GROUP BY model ORDER BY model";
    expect((await queryResults(out, sql)).rows).toEqual([
      { model: "one", points: 3 },
      { model: "two", points: 3 },
    ]);
    const { stdout } = await fewbitHere(["results", out, "--csv", "--sql", sql]);
    expect(stdout).toBe("model,points\r\none,3\r\ntwo,3\r\n");
    const listed = await fewbitHere(["results", out, "--csv"]);
    expect(listed.stdout.split("\r\n")).toHaveLength(8);
    const wrong = await fewbitHere(["results", out, "--sql", "DELETE FROM records"]);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("begins with SELECT or WITH, got DELETE");
    expect((await fewbitHere(["results", out, "--sql", "SELECT x"])).stderr).toContain(
      "no such column",
    );
    const elsewhere = await fewbitHere(["results", out, "--sql", "SELECT task FROM texts"]);
    expect(elsewhere.stderr).toMatch(/task is a column of .*task_results/);
    expect(await lastingOf(out)).toEqual(expected);
  });

  test("shows its plan, and writes nothing for that", async () => {
    const elsewhere = recipeOf(usual);
    const { code, stdout, stderr } = await fewbitHere(["sweep", elsewhere, "--plan"], { env });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toContain("6 points of 2 models");
    expect(stdout).toMatch(/one +gptq w3g32 +waiting/);
    expect(existsSync(outOf(elsewhere))).toBe(false);
    const { stdout: json } = await fewbitHere(["sweep", elsewhere, "--plan", "--json"], { env });
    expect(JSON.parse(json)).toMatchObject({ name: "test", points: { length: 6 } });
  });

  /** The process that makes a checkpoint. */
  const helper = { process: "checkpoint-helper", env };

  /** Moments at which a sweep is killed, each later in its work than the one before. */
  const moments: [what: string, kill: (args: readonly string[]) => Promise<Finished>][] = [
    ["while it makes its database", (args) => killAt(args, /^sql CREATE VIEW task_results/, env)],
    ["while it enters its points", (args) => killAt(args, /^sql INSERT INTO records/, env)],
    [
      "while it keeps an original's result",
      (args) => killAt(args, /^sql UPDATE records SET status = 'done'/, env),
    ],
    ["while it makes a checkpoint", async (args) => (await holdAt(args, /^write /, helper)).kill()],
    [
      "while it keeps an original's states",
      (args) => killAt(args, /^rename .*\.safetensors$/, env),
    ],
    ["before it removes a checkpoint", (args) => killAt(args, /^rm one-rtn/, env)],
    [
      "while it makes another checkpoint",
      async (args) => (await holdAt(args, /^write journal/, helper)).kill(),
    ],
    [
      "when that has its name, and is not measured",
      async (args) => (await holdAt(args, /^rm \.journal/, helper)).kill(),
    ],
    [
      "while it keeps the last result",
      (args) => killAt(args, /^sql UPDATE records SET status = 'done'/, env),
    ],
  ];

  test("that is killed at any time resumes to the same results", async () => {
    const own = recipeOf(single);
    const results = outOf(own);
    let kills = 0;
    for (const [what, kill] of moments) {
      const { code, stderr } = await kill(["sweep", own]);
      expect({ code, stderr }, what).toMatchObject({ code: null });
      kills++;
    }
    expect(kills).toBe(moments.length);
    const { code, stderr } = await fewbit(["sweep", own], { env });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain("2 done already");
    expect(await lastingOf(results)).toEqual(expected.slice(0, 3));
    expect(readdirSync(join(results, "models"))).toEqual([]);
  });

  test("is shared by two processes: nothing is done twice or lost", async () => {
    const own = recipeOf(usual);
    const results = outOf(own);
    const done = (text: string): number => text.match(/^ {2}point \d\/6/gm)?.length ?? 0;
    // The first makes no second point until the other has done one.
    const held = await holdAt(["sweep", own], /^write /, helper);
    const second = await fewbit(["sweep", own], {
      env,
      onStderr: (text) => {
        if (done(text) > 0) held.release();
      },
    });
    const first = await held.finished;
    for (const { code, stderr } of [first, second]) {
      expect({ code, stderr }).toMatchObject({ code: 0 });
    }
    expect(done(first.stderr) + done(second.stderr)).toBe(6);
    expect(done(first.stderr)).toBeGreaterThan(1);
    expect(done(second.stderr)).toBeGreaterThan(0);
    expect(await lastingOf(results)).toEqual(expected);
    expect((await openResults(results)).points.every(({ attempts }) => attempts === 1)).toBe(true);
  });

  test("that is stopped by Ctrl-C says how to resume, and resumes", async () => {
    const own = recipeOf(single);
    const held = await holdAt(["sweep", own], /^write /, helper);
    await held.interrupt();
    held.release();
    const stopped = await held.finished;
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(/stopped {2}1 of 3 points are done and kept\n +run the same/);
    const { code } = await fewbit(["sweep", own], { env });
    expect(code).toBe(0);
    expect(await lastingOf(outOf(own))).toEqual(expected.slice(0, 3));
    expect((await openResults(outOf(own))).points.every(({ attempts }) => attempts === 1)).toBe(
      true,
    );
  });
});

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

describe("a point that fails", () => {
  const small = single.replace(/ {2}- method: gptq[^]*$/, "");

  test("is kept as failed with its reason, stops nothing, and can be tried again", async () => {
    const broken = join(folder, "broken");
    cpSync(join(root, "builtin/model"), broken, { recursive: true });
    const weights = join(broken, "model.safetensors");
    const bytes = readFileSync(weights);
    // Not a number, in a weight of a block.
    const header = Number(bytes.readBigUInt64LE(0));
    const tensors = JSON.parse(bytes.toString("utf8", 8, 8 + header)) as Record<
      string,
      { data_offsets: [number, number] }
    >;
    const [begin] = tensors["model.layers.0.mlp.up_proj.weight"].data_offsets;
    bytes.writeUInt16LE(0x7e00, 8 + header + begin);
    writeFileSync(weights, bytes);
    const recipe = recipeOf(
      small.replace("calibration:", `  - { id: bad, path: ${broken} }\ncalibration:`),
    );
    const { code, stdout, stderr } = await fewbitHere(["sweep", recipe], { env });
    expect(code).toBe(1);
    expect(stderr).toContain("2 of 4 points failed");
    expect(stdout).toMatch(/bad rtn w2g32 +failed/);
    expect(stdout).toMatch(/failed {2}bad original: .*NaN|failed {2}bad original: .*not a number/i);
    const { points } = await openResults(outOf(recipe));
    expect(points.map(({ status }) => status)).toEqual(["done", "done", "failed", "failed"]);
    expect(points[2]).toMatchObject({ attempts: 1, error: { code: "NUMERIC" }, result: null });
    const again = await fewbitHere(["sweep", recipe], { env });
    expect(again.stderr).toContain("2 done already · 2 failed before");
    expect(again.stderr).not.toContain("point 3/4");
    const retried = await fewbitHere(["sweep", recipe, "--retry-failed"], { env });
    expect(retried.stderr).toContain("point 4/4");
  });

  test("by the death of its process is tried once more", async () => {
    const flag = join(folder, "died");
    const helper = join(folder, "helper.mjs");
    const real = new URL("../../src/checkpoint-helper.ts", import.meta.url).href;
    writeFileSync(
      helper,
      `import { existsSync, writeFileSync } from "node:fs";
      if (!existsSync(${JSON.stringify(flag)})) {
        writeFileSync(${JSON.stringify(flag)}, "");
        process.kill(process.pid, "SIGKILL");
      }
      await import(${JSON.stringify(real)});`,
    );
    const recipe = recipeOf(small);
    const failures: string[] = [];
    const { points } = await runSweep(recipe, {
      backend: openBackend({ threads: 1 }).backend,
      out: outOf(recipe),
      helper: new URL(`file://${helper}`).href,
      retryFailed: false,
      emit: (event) => {
        if (event.type === "end" && event.record.error) failures.push(event.record.error.message);
      },
    });
    expect(failures).toEqual(["the process that did this work ended (SIGKILL)"]);
    expect(points.map(({ status, attempts }) => `${status} ${attempts}`)).toEqual([
      "done 1",
      "done 2",
    ]);
  });
});

describe("a recipe is refused before any work, with line and field,", () => {
  const badTask = "bad.jsonl";
  beforeAll(() => {
    const good = '{"query": "a", "choices": ["b", "c"], "gold": 0}';
    writeFileSync(join(folder, badTask), `${good}\n${good.replace("0}", "7}")}\n`);
    writeFileSync(join(folder, "notes.txt"), "too short");
  });

  test.each<[why: string, before: string, after: string, said: RegExp]>([
    [
      "a method that there is not",
      "method: gptq",
      "method: gtpq",
      /:15:5: variants\[1\]\.method: "gtpq" is none of .*\n +did you mean gptq/,
    ],
    [
      "a field that there is not",
      "limit: 8",
      "limits: 8",
      /:9:3: evaluation\.limits: there is no such field\n +did you mean limit/,
    ],
    [
      "an option that the method has not",
      "damping: 0.02",
      "dampening: 0.02",
      /:17:16: variants\[1\]\.options\.dampening: GPTQ has no such option\n +did you mean damping/,
    ],
    [
      "an option's value",
      "damping: 0.02",
      "damping: -1",
      /:15:5: variants\[1\]: options of gptq: damping/,
    ],
    [
      "a scheme that does not parse",
      "w2g32",
      "2bits",
      /:14:5: variants\[0\]\.scheme: "2bits" is not a scheme id/,
    ],
    [
      "a method that does not know the scheme",
      "w3g32",
      "w1-onebit",
      /:16:5: variants\[1\]\.scheme: GPTQ does not support the scheme w1-onebit/,
    ],
    [
      "a transform as the method",
      "method: rtn",
      "method: awq",
      /:13:5: variants\[0\]\.method: "awq" is none of/,
    ],
    [
      "a missing model",
      "builtin/model }\n  - { id: two",
      "nowhere }\n  - { id: two",
      /:3:16: models\[0\]\.path: there is no .*nowhere/,
    ],
    [
      "a missing text",
      "validation.txt",
      "nothing.txt",
      /:7:13: evaluation\.texts\[0\]\.file: there is no .*nothing\.txt/,
    ],
    [
      "a missing task file",
      "agreement.jsonl",
      "nothing.jsonl",
      /:8:11: evaluation\.tasks\[0\]: .*nothing\.jsonl/,
    ],
    [
      "a task file with a bad item",
      `${root}builtin/tasks/agreement.jsonl`,
      badTask,
      /:8:11: evaluation\.tasks\[0\]: .*bad\.jsonl, line 2: /,
    ],
    [
      "two models of one id",
      "id: two",
      "id: one",
      /:4:7: models\[1\]\.id: there are two models one/,
    ],
    [
      "two points of one name",
      "method: rtn\n    scheme: w2g32",
      "method: rtn\n    scheme: [w2g32, w2g32]",
      /variants\[0\]: one has two points called rtn w2g32/,
    ],
    [
      "a model that a variant names",
      "method: rtn",
      "method: rtn\n    models: [oen]",
      /:14:14: variants\[0\]\.models\[0\]: there is no model oen\n +did you mean one/,
    ],
    [
      "an exclusion that fits nothing",
      "variants:",
      "exclude: [{ method: hqq }]\nvariants:",
      /:12:11: exclude\[0\]: fits no point/,
    ],
    [
      "calibration that a method needs",
      /calibration:.*\n/.exec(usual)?.[0] ?? "",
      "",
      /variants\[1\]: GPTQ needs calibration text/,
    ],
    [
      "a pattern that fits no layer",
      "method: rtn",
      "method: rtn\n    ignore: [nothing.here]",
      /:13:5: variants\[0\]: .*nothing\.here/,
    ],
    [
      "a scheme of some layers",
      "method: rtn",
      "method: rtn\n    layers: [{ pattern: mlp, scheme: w9 }]",
      /:14:30: variants\[0\]\.layers\[0\]\.scheme: scheme w9: 9 bits/,
    ],
    ["broken YAML", "variants:", "variants: ]", /:12:11: /],
  ])("%s", async (_, before, after, said) => {
    expect(usual).toContain(before);
    const recipe = recipeOf(usual.replace(before, after));
    const { code, stderr } = await fewbitHere(["sweep", recipe], { env });
    expect(stderr).toMatch(said);
    expect(stderr).toContain(`${recipe}:`);
    expect(code).toBe(2);
    expect(existsSync(outOf(recipe))).toBe(false);
  });

  test("a missing recipe, and none", async () => {
    expect((await fewbitHere(["sweep", join(folder, "no.yaml")])).stderr).toContain(
      "does not exist",
    );
    expect(await fewbitHere(["sweep"])).toMatchObject({ code: 2 });
  });
});

describe("a folder is refused", () => {
  const withDatabase = (name: string): { recipe: string; path: string } => {
    const recipe = recipeOf(usual.replace("name: test", `name: ${name}`));
    const path = join(outOf(recipe), "results.db");
    return { recipe, path };
  };

  test("whose results are of a newer fewbit, or no database: they stay as they are", async () => {
    const { recipe, path } = withDatabase("newer");
    cpSync(join(root, "builtin/text"), outOf(recipe), { recursive: true });
    const database = new DatabaseSync(path);
    database.exec(
      `PRAGMA application_id = ${0x66_62_69_74}; PRAGMA user_version = 99; CREATE TABLE future (x)`,
    );
    database.close();
    const before = readFileSync(path);
    const newer = await fewbitHere(["sweep", recipe], { env });
    expect(newer.code).toBe(1);
    expect(newer.stderr).toMatch(/has layout 99, this fewbit knows layouts up to \d+/);
    expect(readFileSync(path).equals(before)).toBe(true);
    writeFileSync(path, "not a database");
    const none = await fewbitHere(["sweep", recipe], { env });
    expect(none.code).toBe(1);
    expect(none.stderr).toContain("is no SQLite database");
    expect(readFileSync(path, "utf8")).toBe("not a database");
    expect((await fewbitHere(["results", outOf(recipe)])).stderr).toContain(
      "is no SQLite database",
    );
  });

  test("that holds no results at all", async () => {
    const { code, stderr } = await fewbitHere(["results", folder]);
    expect(code).toBe(2);
    expect(stderr).toContain("there are no results");
  });
});

test("fewbit sweep --schema prints the published schema", async () => {
  const { stdout } = await fewbitHere(["sweep", "--schema"]);
  const published = readFileSync(join(root, "docs/sweep.schema.json"), "utf8");
  expect(JSON.parse(stdout)).toEqual(JSON.parse(published));
});
