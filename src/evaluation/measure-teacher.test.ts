import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LanguageModel, load } from "../index.ts";
import { evaluateModel } from "./evaluate.ts";
import type { EvaluateOptions, Evaluation } from "./evaluation.ts";
import { measureTeacher } from "./measure-teacher.ts";
import { multipleChoice, type Task } from "./tasks/task.ts";

const builtin = fileURLToPath(new URL("../../builtin/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "fewbit-teacher-"));

const task = (name: string, query: string): Task => ({
  name,
  items: [
    multipleChoice(query, ["ran home", "blue of the"], 0),
    multipleChoice(query, ["green", "was happy"], 1),
  ],
});
const choice = { text: `${builtin}text/validation.txt`, window: 64, maxWindows: 6 };
const tasks = [task("first", "Tom saw a dog and"), task("second", "The little girl")];

/** What does not depend on when and how it was measured. */
function figuresOf(evaluation: Evaluation): unknown {
  return { ...evaluation, elapsedMs: 0, peakMemoryBytes: 0, evaluationTokensPerSecond: 0 };
}

describe("an original that is measured once", () => {
  let teacher: LanguageModel;
  let student: LanguageModel;
  beforeAll(async () => {
    teacher = await load(`${builtin}model`);
    student = await load(`${builtin}checkpoints/w1.58-seq`);
  });
  afterAll(() => {
    teacher.release();
    student.release();
    rmSync(folder, { recursive: true });
  });

  const evaluate = (options: Partial<EvaluateOptions<LanguageModel>>) =>
    evaluateModel(student, { ...choice, against: teacher, speedTokens: 0, ...options });

  it("gives the figures that running it again gives, from memory and from a file", async () => {
    const statesFile = join(folder, "states.safetensors");
    const expected = figuresOf(await evaluate({ tasks }));
    for (const place of [{}, { statesFile }, { statesFile }]) {
      const measured = await measureTeacher(teacher, { ...choice, ...place, tasks });
      expect(figuresOf(await evaluate({ tasks, measured }))).toEqual(expected);
      measured.release();
    }
    expect(readdirSync(folder)).toEqual(["states.safetensors"]);
  });

  it("is run on tasks that it was not measured on", async () => {
    const measured = await measureTeacher(teacher, { ...choice, tasks: tasks.slice(0, 1) });
    const expected = (await evaluate({ tasks })).original?.tasks;
    expect((await evaluate({ tasks, measured })).original?.tasks).toEqual(expected);
    measured.release();
  });

  it("writes its states anew when the file has those of other windows", async () => {
    const statesFile = join(folder, "other.safetensors");
    const measured = await measureTeacher(teacher, { ...choice, maxWindows: 3, statesFile });
    measured.release();
    const { klDivergence } = await evaluate({});
    const again = await measureTeacher(teacher, { ...choice, statesFile });
    expect((await evaluate({ measured: again })).klDivergence).toEqual(klDivergence);
    again.release();
  });

  it("refuses to stand for another text, window or protocol", async () => {
    const measured = await measureTeacher(teacher, choice);
    for (const other of [{ window: 48 }, { protocol: "second-half" }, { maxWindows: 3 }] as const) {
      await expect(evaluate({ ...other, measured })).rejects.toThrow(/measured on other windows/);
    }
    measured.release();
    await expect(evaluate({ measured })).rejects.toThrow(/were released/);
  });
});
