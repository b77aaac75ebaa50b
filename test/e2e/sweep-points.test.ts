import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openResults, type PointRecord } from "../../src/index.ts";
import { fewbitHere } from "./cli-process.ts";

/*
 * Points of a sweep that are no quantization: checkpoints that are there already, and trainings of
 * the float model.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const env = { FEWBIT_THREADS: "1" };
const checkpoint = join(root, "builtin/checkpoints/w1-elastic");

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-sweep-points-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const usual = `name: test
models:
  - { id: one, path: ${root}builtin/model }
evaluation:
  texts: [{ file: ${root}builtin/text/validation.txt, window: 64, maxWindows: 6 }]
  speedTokens: 0
  samples: { prompts: [Once, The lamp], tokens: 5 }
variants:
  - checkpoint: ${checkpoint}
  - label: trained as long
    train:
      steps: 2
      data: { files: ["${root}builtin/text/calibration.txt"], window: 64, batch: 2 }
      optimizer: { learningRate: 0.001, betas: [0.9, 0.999] }
`;

let files = 0;

/** Writes a recipe; returns its path. Its results go beside it. */
function recipeOf(text: string): string {
  const path = join(folder, `recipe-${++files}.yaml`);
  writeFileSync(path, text);
  return path;
}

const outOf = (recipe: string): string => recipe.replace(".yaml", "");

/** The words of a point's command, with another folder to write and whole paths. */
function wordsOf({ command }: PointRecord, out: string): string[] {
  const words = [...(command ?? "").matchAll(/'([^']*)'|(\S+)/g)].map(([, a, b]) => a ?? b ?? "");
  const absolute = words.map((word) =>
    word.replaceAll(/(?:\.\.\/)+[^"]*/g, (path) => resolve(folder, path)),
  );
  return absolute.slice(1).with(-1, out);
}

async function perplexityOf(path: string): Promise<number> {
  const text = ["--text", `${root}builtin/text/validation.txt`, "--window", "64"];
  const words = ["eval", path, ...text, "--max-windows", "6", "--speed-tokens", "0", "--json"];
  const { stdout } = await fewbitHere(words, { env });
  return (JSON.parse(stdout) as { perplexity: number }).perplexity;
}

describe("a sweep with a checkpoint and a training", () => {
  let recipe = "";
  let points: readonly PointRecord[] = [];
  beforeAll(async () => {
    recipe = recipeOf(usual);
    const { code, stderr } = await fewbitHere(["sweep", recipe], { env });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    points = (await openResults(outOf(recipe))).points;
  });

  test("names the points by what their records say", () => {
    expect(
      points.map(({ point: { label, method, scheme, bits } }) => ({ label, method, scheme, bits })),
    ).toEqual([
      { label: "original", method: null, scheme: null, bits: 16 },
      { label: "paretoq w1-elastic", method: "paretoq", scheme: "w1-elastic", bits: 1 },
      { label: "trained as long", method: "train", scheme: null, bits: 16 },
    ]);
  });

  test("measures the checkpoint where it is, and makes nothing of it", async () => {
    const { result, run } = points[1];
    expect(result?.texts[0].perplexity).toBe(await perplexityOf(checkpoint));
    expect(result?.texts[0].klDivergence?.mean).toBeGreaterThan(0);
    expect(result).toMatchObject({ makeMs: null, peakMemoryBytes: null });
    expect(run).toMatchObject({ recipe: { scheme: "w1-elastic" } });
    expect(points[1].command).toBe(
      "fewbit quantize builtin/model --method paretoq --steps 300 --batch 4 --learning-rate 0.002 " +
        "--scheme w1-elastic --calibration builtin/text/calibration.txt --samples 360 " +
        "--window 256 --out builtin/checkpoints/w1-elastic",
    );
  });

  test("trains as fewbit train does, by the command that its record holds", async () => {
    const { result, run } = points[2];
    const made = join(folder, "by-hand");
    const { code, stderr } = await fewbitHere(wordsOf(points[2], made), { env });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(result?.texts[0].perplexity).toBe(await perplexityOf(made));
    expect(result?.bitsPerWeight.linear).toBe(16);
    expect(result?.peakMemoryBytes).toBeGreaterThan(1e7);
    expect(run).toMatchObject({ kind: "train", steps: 2 });
  });

  test("lets every point continue the prompts", async () => {
    const { stdout } = await fewbitHere(
      ["run", checkpoint, "--prompt", "The lamp", "--max-tokens", "5", "--temperature", "0"],
      { env },
    );
    const texts = points.map(({ result }) => result?.samples?.map(({ prompt }) => prompt));
    expect(texts).toEqual([1, 2, 3].map(() => ["Once", "The lamp"]));
    const { continuation } = points[1].result?.samples?.[1] ?? {};
    expect(stdout).toContain(`The lamp${continuation}`);
  });

  test("shows its plan, and has nothing left to do", async () => {
    const { stdout } = await fewbitHere(["sweep", recipe, "--plan"], { env });
    expect(stdout).toContain("3 points of 1 model · 3 done already");
    expect(stdout).toContain("nothing is left to do");
    const longer = recipeOf(usual.replace("steps: 2", "epochs: 1"));
    const { stdout: plan } = await fewbitHere(["sweep", longer, "--plan", "--json"], { env });
    const [, given, trained] = (JSON.parse(plan) as { points: { estimate: object }[] }).points;
    expect(given?.estimate).toMatchObject({ makeSeconds: 0, memoryBytes: 0, outputBytes: 0 });
    expect(trained?.estimate).toMatchObject({
      outputBytes: 2 * (points[0].result?.parameters ?? 0),
    });
  });

  test("knows a training by its configuration, and not by where its text lies", async () => {
    const copy = join(folder, "copy.txt");
    writeFileSync(copy, readFileSync(join(root, "builtin/text/calibration.txt")));
    const ids = async (text: string): Promise<string[]> => {
      const { stdout } = await fewbitHere(["sweep", recipeOf(text), "--plan", "--json"], { env });
      const plan = JSON.parse(stdout) as { points: { point: { id: string } }[] };
      return plan.points.map(({ point }) => point.id);
    };
    const known = points.map(({ point }) => point.id);
    expect(await ids(usual.replace(`${root}builtin/text/calibration.txt`, copy))).toEqual(known);
    const continued = await ids(usual.replace("tokens: 5", "tokens: 6"));
    expect(continued.filter((id) => known.includes(id))).toEqual([]);
    const other = await ids(usual.replace("steps: 2", "steps: 3"));
    expect(other.map((id, index) => id === known[index])).toEqual([true, true, false]);
  });
});

describe("is refused before any work, with line and field:", () => {
  beforeAll(() => {
    mkdirSync(join(folder, "bare"));
    mkdirSync(join(folder, "foreign"));
    writeFileSync(join(folder, "foreign", "run.json"), '{"recipe": {"method": "other"}}');
  });

  test.each<[why: string, before: string, after: string, said: RegExp]>([
    ["no such checkpoint", checkpoint, "nowhere", /:9:5: variants\[0\]\.checkpoint: there is no /],
    [
      "a checkpoint without a record",
      checkpoint,
      "bare",
      /:9:5: variants\[0\]\.checkpoint: .*run\.json/,
    ],
    [
      "another program's record",
      checkpoint,
      "foreign",
      /:9:5: variants\[0\]\.checkpoint: recipe: /,
    ],
    [
      "a checkpoint for two models",
      "evaluation:",
      `  - { id: two, path: ${root}builtin/model }\nevaluation:`,
      /:10:5: variants\[0\]: a checkpoint belongs to one model, not to 2/,
    ],
    [
      "a checkpoint with a scheme",
      "  - checkpoint:",
      "  - scheme: w2\n    checkpoint:",
      /:10:5: variants\[0\]\.checkpoint: does not go with the other fields/,
    ],
    [
      "a slip of the pen",
      "checkpoint:",
      "checkpiont:",
      /:9:5: variants\[0\]\.checkpiont: .*\n +did you mean checkpoint/,
    ],
    [
      "an unknown field of a training",
      "betas",
      "beta",
      /:14:41: variants\[1\]\.train\.optimizer\.beta: there is no such field\n +did you mean betas/,
    ],
    [
      "a value of a training",
      "steps: 2",
      "steps: 0",
      /:12:7: variants\[1\]\.train\.steps: expected a whole number of at least 1/,
    ],
    [
      "a length given twice",
      "steps: 2",
      "steps: 2\n      epochs: 1",
      /:11:5: variants\[1\]\.train: the length of the run is given twice/,
    ],
    [
      "missing text",
      "builtin/text/calibration.txt",
      "no.txt",
      /:10:5: variants\[1\]: there is no .*no\.txt/,
    ],
    [
      "a prompt without tokens to follow",
      "tokens: 5",
      "tokens: 0",
      /:7:41: evaluation\.samples\.tokens: expected a whole number of at least 1/,
    ],
    [
      "a prompt that the context is too short for",
      "tokens: 5",
      "tokens: 256",
      /:7:24: evaluation\.samples\.prompts\[0\]: \d tokens and 256 new ones exceed a model's context of 256/,
    ],
    [
      "a model of its own",
      "steps: 2",
      "from: other",
      /:12:7: variants\[1\]\.train\.from: there is no such field/,
    ],
  ])("%s", async (_, before, after, said) => {
    expect(usual).toContain(before);
    const recipe = recipeOf(usual.replace(before, after));
    const { code, stderr } = await fewbitHere(["sweep", recipe], { env });
    expect(stderr).toMatch(said);
    expect(stderr).toContain(`${recipe}:`);
    expect(code).toBe(2);
    expect(existsSync(outOf(recipe))).toBe(false);
  });
});
