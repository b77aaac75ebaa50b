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
  it("names the task like the file and parts query and choice by a space", async () => {
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
    ["{", /line 2: not JSON/],
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

  it("refuses an empty file", async () => {
    await expect(openTask(fileOf("", ""))).rejects.toThrow(/it is empty/);
  });
});
