import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluate, type TaskEvaluation, taskAverages, taskDefinitions } from "../../src/index.ts";
import { fewbitHere } from "./cli-process.ts";

const builtin = fileURLToPath(new URL("../../builtin/", import.meta.url));
const model = join(builtin, "model");
const where = join(builtin, "tasks/where.jsonl");
const folder = mkdtempSync(join(tmpdir(), "fewbit-tasks-"));

beforeAll(() => {
  // Two items a task, of each definition's example: enough to be found, read and scored.
  for (const { id, example } of Object.values(taskDefinitions)) {
    writeFileSync(join(folder, `${id}.jsonl`), `${example}\n${example.replace("a", "A")}\n`);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("fewbit eval on tasks", () => {
  it("prints one document without single answers, and writes these to a file", async () => {
    const samples = join(folder, "samples.jsonl");
    const flags = ["--limit", "8", "--shots", "2", "--seed", "3", "--samples", samples, "--json"];
    const { code, stdout } = await fewbitHere(["eval", model, "--task", where, ...flags]);
    expect(code).toBe(0);
    const { tasks } = JSON.parse(stdout) as TaskEvaluation;
    expect(tasks).toHaveLength(1);
    expect(tasks[0]).toMatchObject({ name: "where", items: 8, shots: 2, limited: true });
    expect(tasks[0]).not.toHaveProperty("answers");

    const lines = readFileSync(samples, "utf8").trimEnd().split("\n");
    const items = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(items).toHaveLength(8);
    expect(items[5]).toMatchObject({ model, task: "where", item: 5 });
    expect(items[5]?.["context"]).toMatch(/^.+\n\n.+\n\n.+$/s);
    const right = items.filter((item) => item["right"] === true).length;
    expect(tasks[0]?.accuracy.mean).toBe(right / 8);

    const options = { tasks: [where], limit: 8, shots: 2, seed: 3 };
    const [score] = (await evaluate(model, options)).tasks;
    expect(score?.answers.map(({ logLikelihoods }) => logLikelihoods)).toEqual(
      items.map((item) => item["logLikelihoods"]),
    );
  });

  it("finds the tasks of an average in a folder and gives it its row", async () => {
    const args = ["eval", model, "--average", "paretoq-8", "--tasks-from", folder];
    const { code, stdout } = await fewbitHere([...args, "--task", "lambada_openai"]);
    expect(code).toBe(0);
    const names = stdout.split("\n").map((line) => line.trim().split(" ")[0]);
    for (const id of [...taskAverages["paretoq-8"].tasks, "lambada_openai", "paretoq-8"]) {
      expect(names).toContain(id);
    }
    // These five and six are among the eight, so their averages are there too.
    expect(names).toContain("efficientqat-5");
    expect(names).toContain("onebit-6");
  });

  it("gives no average of a part, and says so", async () => {
    const args = ["eval", model, "--average", "onebit-6", "--tasks-from", folder, "--limit", "1"];
    const { code, stdout, stderr } = await fewbitHere(args);
    expect(code).toBe(0);
    expect(stdout).not.toContain("onebit-6");
    expect(stdout).toMatch(/^ {2}mean/m);
    expect(stderr).toContain("not given: onebit-6");
  });

  it("names file, line and field of a bad item before the model is run", async () => {
    const path = join(folder, "bad.jsonl");
    writeFileSync(path, `{"query": "a", "choices": ["b", "c"], "gold": 0}\n{"query": "a"}\n`);
    const { code, stderr } = await fewbitHere(["eval", model, "--task", path]);
    expect(code).toBe(1);
    expect(stderr).toContain(
      `${path}, line 2: expected "choices", at least two texts; got nothing`,
    );
    expect(stderr).not.toContain("answer 2/");
  });

  it("names the item whose answer is longer than the context before the model is run", async () => {
    const path = join(folder, "long.jsonl");
    const item = (choice: string): string =>
      JSON.stringify({ query: "So", choices: ["a", choice], gold: 0 });
    writeFileSync(path, `${item("b")}\n${item("word ".repeat(2000))}\n`);
    const { code, stderr } = await fewbitHere(["eval", model, "--task", where, "--task", path]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/long, item 2: "word word .* too many to be scored/);
    expect(stderr).not.toContain("answer");
  });

  it.each([
    [["--task", "hellaswak"], "there is no task hellaswak"],
    [["--task", "hellaswag"], "the task hellaswag needs its data file"],
    [["--average", "paretoq-9"], "--average"],
    [["--text", where, "--shots", "1"], "--shots says how tasks are measured"],
    [["--task", where, "--samples", "/nowhere/samples.jsonl"], "samples cannot be written"],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await fewbitHere(["eval", model, ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
