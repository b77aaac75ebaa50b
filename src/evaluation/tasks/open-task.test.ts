import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openTask } from "./open-task.ts";

const folder = mkdtempSync(join(tmpdir(), "fewbit-tasks-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(...lines: readonly string[]): string {
  const path = join(folder, "colours.jsonl");
  writeFileSync(path, lines.join("\n"));
  return path;
}

const good = '{"query": "Snow is", "choices": ["white", "black"], "gold": 0}';

describe("openTask", () => {
  it("names the task like the file and separates query and choice by a space", async () => {
    const task = await openTask(fileOf(good, "", good));
    expect(task.name).toBe("colours");
    expect(task.items).toHaveLength(2);
    expect(task.items[0]).toEqual({
      gold: 0,
      options: [
        { context: "Snow is", continuation: " white", characters: 5 },
        { context: "Snow is", continuation: " black", characters: 5 },
      ],
    });
  });

  it.each([
    ["{", /line 2 is not JSON/],
    ["[1]", /line 2: expected "query", a text; got nothing/],
    ['{"query": 3}', /line 2: expected "query", a text; got 3/],
    ['{"query": "a", "choices": ["b"], "gold": 0}', /line 2: expected "choices", at least two/],
    ['{"query": "a", "choices": ["b", 2], "gold": 0}', /line 2: expected "choices"/],
    ['{"query": "a", "choices": ["b", ""], "gold": 0}', /line 2: expected "choices" with text/],
    ['{"query": "a", "choices": ["b", "c"], "gold": 2}', /line 2: .*from 0 to 1; got 2/],
    ['{"query": "a", "choices": ["b", "c"], "gold": 0.5}', /line 2: .*from 0 to 1; got 0.5/],
    ['{"query": "a", "choices": ["b", "c"]}', /line 2: expected "gold".*; got nothing/],
  ])("refuses %s and names the line", async (line, message) => {
    await expect(openTask(fileOf(good, line))).rejects.toThrow(message);
  });

  it("reads one array as it reads lines, by name too, and counts its items in errors", async () => {
    const path = join(folder, "colours.json");
    writeFileSync(path, `[\n${good},\n${good}\n]`);
    const { items } = await openTask(path);
    expect(items).toEqual((await openTask(fileOf(good, good))).items);
    writeFileSync(join(folder, "boolq.json"), '[{"query": "Passage: a", "choices": 1}]');
    await expect(openTask("boolq", { tasksFrom: folder })).rejects.toThrow(/boolq\.json, item 1: /);
  });

  it("refuses an empty file", async () => {
    await expect(openTask(fileOf("", ""))).rejects.toThrow(/it is empty/);
  });

  it("reads a file that is named like a task by the task's rule", async () => {
    const path = join(folder, "piqa.jsonl");
    writeFileSync(path, '{"query": "Question: Go\\n", "choices": ["a", "b"], "gold": 1}');
    const byFile = await openTask(path);
    expect(byFile.name).toBe("piqa");
    expect(byFile.items[0]?.options[0]?.context).toBe("Question: Go\nAnswer:");
    expect(await openTask(`piqa=${path}`)).toEqual(byFile);
    expect(await openTask("piqa", { tasksFrom: folder })).toEqual(byFile);
    expect(byFile.sha256).toMatch(/^[0-9a-f]{64}$/);
    const plain = await openTask(`multiple_choice=${path}`);
    expect(plain.items[0]?.options[0]?.context).toBe("Question: Go\n");
  });

  it.each<[string, { tasksFrom?: string }, RegExp]>([
    ["hellaswak", {}, /there is no task hellaswak/],
    ["hellaswak=x.jsonl", {}, /there is no task hellaswak/],
    ["hellaswag", {}, /the task hellaswag needs its data file/],
    ["multiple_choice", { tasksFrom: folder }, /the task multiple_choice needs its data file/],
    ["hellaswag", { tasksFrom: folder }, /has no data for the task hellaswag/],
    ["./absent.jsonl", {}, /absent\.jsonl/],
  ])("refuses %s where there is no such task or file", async (given, options, message) => {
    await expect(openTask(given, options)).rejects.toThrow(message);
  });

  it("takes the first items, and draws examples from all or from another file", async () => {
    const lines = ["a", "b", "c"].map((query) => good.replace("Snow is", query));
    const path = fileOf(...lines);
    const task = await openTask(path, { limit: 1, shots: 2 });
    expect(task).toMatchObject({ limited: true, shots: 2 });
    expect(task.items).toHaveLength(1);
    const context = task.items[0]?.options[0]?.context ?? "";
    expect(["b white\n\nc white\n\na", "c white\n\nb white\n\na"]).toContain(context);
    expect((await openTask(path, { limit: 3 })).limited).toBe(false);
    const shotsFrom = join(folder, "others.jsonl");
    writeFileSync(shotsFrom, good.replace("Snow is", "Coal is"));
    const others = await openTask(path, { shots: 1, shotsFrom });
    expect(others.items[2]?.options[1]?.context).toBe("Coal is white\n\nc");
  });

  it.each([
    [{ limit: 0 }, /whole number of items, at least 1; got 0/],
    [{ limit: 1.5 }, /whole number of items, at least 1; got 1.5/],
    [{ limit: Number.NaN }, /got NaN/],
    [{ shots: -1 }, /whole number of examples, at least 0; got -1/],
    [{ shots: 0.5 }, /got 0.5/],
    [{ shotsFrom: "others.jsonl" }, /others.jsonl was named for examples, but none were asked/],
  ])("refuses %j", async (options, message) => {
    await expect(openTask(fileOf(good), options)).rejects.toThrow(message);
  });

  it("gives a task in memory its examples and its limit", async () => {
    const own = await openTask(fileOf(good, good.replace("Snow", "Coal")));
    const task = await openTask(own, { limit: 1, shots: 1 });
    expect(task.items.map(({ options }) => options[0]?.context)).toEqual([
      "Coal is white\n\nSnow is",
    ]);
    expect(task).toMatchObject({ name: own.name, shots: 1, limited: true });
  });
});
