import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { TaskDefinition } from "./define-task.ts";
import { taskDefinitions } from "./index.ts";
import { openTask } from "./open-task.ts";
import type { TaskItem } from "./task.ts";
import { TaskRecord } from "./task-record.ts";

const all: readonly [string, TaskDefinition][] = Object.entries(taskDefinitions);

function read(definition: TaskDefinition, record: unknown): TaskItem {
  return definition.read(new TaskRecord({ value: record, where: "file, line 1" }, "{}"));
}

/** The prompts of an item: context and continuation, the right one marked. */
function prompts({ options, gold }: TaskItem): string[] {
  return options.map(
    ({ context, continuation }, index) => `${index === gold ? "*" : ""}${context}|${continuation}`,
  );
}

const { piqa, arc_easy, hellaswag, winogrande, boolq, siqa, openbookqa, lambada_openai } =
  taskDefinitions;

/**
 * Of each task a record as this project's copies have it, the same question as its authors publish
 * it, and the prompts that the published rule makes of it.
 */
const cases: readonly [TaskDefinition, unknown, unknown, readonly string[]][] = [
  [
    piqa,
    { query: "Question: Keep bread fresh\n", choices: ["a box", "a sieve"], gold: 0 },
    { goal: "Keep bread fresh", sol1: "a box", sol2: "a sieve", label: 0 },
    ["*Question: Keep bread fresh\nAnswer:| a box", "Question: Keep bread fresh\nAnswer:| a sieve"],
  ],
  [
    arc_easy,
    { query: "Question: What melts?", choices: ["steam", "ice"], gold: 1 },
    {
      question: "What melts?",
      choices: { text: ["steam", "ice"], label: ["A", "B"] },
      answerKey: "B",
    },
    ["Question: What melts?\nAnswer:| steam", "*Question: What melts?\nAnswer:| ice"],
  ],
  [
    hellaswag,
    { query: "Baking: She opens it. Then she", choices: ["bakes.", " sinks."], gold: 1 },
    {
      activity_label: "Baking",
      ctx_a: "She opens it.",
      ctx_b: "then She",
      endings: ["bakes.", "[step] sinks."],
      label: "1",
    },
    ["Baking: She opens it. Then she| bakes.", "*Baking: She opens it. Then she|  sinks."],
  ],
  [
    winogrande,
    { context_options: ["It fits, so it", "It fits, so I"], continuation: "ran off.", gold: 1 },
    { sentence: "It fits, so _ ran off.", option1: "it", option2: "I", answer: "2" },
    ["It fits, so it| ran off.", "*It fits, so I| ran off."],
  ],
  [
    boolq,
    { query: "Passage: Snow is white.\nQuestion: is it?", choices: ["no", "yes"], gold: 1 },
    { passage: "Snow is white.", question: "is it", answer: true },
    [
      "Snow is white.\nQuestion: is it?\nAnswer:| no",
      "*Snow is white.\nQuestion: is it?\nAnswer:| yes",
    ],
  ],
  [
    openbookqa,
    { query: "Fog is around", choices: ["a marsh", "a desert"], gold: 0 },
    {
      question_stem: "Fog is around",
      choices: { text: ["a marsh", "a desert"], label: ["A", "B"] },
      answerKey: " A",
    },
    ["*Fog is around| a marsh", "Fog is around| a desert"],
  ],
  [
    lambada_openai,
    { context: "She left the", continuation: "house" },
    { text: "She left the house" },
    ["*She left the| house"],
  ],
];

describe("definitions of tasks", () => {
  it.each(all)("%s is in the registry under its own name and reads its example", (id, task) => {
    expect(task.id).toBe(id);
    const { options, gold } = read(task, JSON.parse(task.example));
    expect(options[gold]).toBeDefined();
    expect(options.length > 1).toBe(task.rule === "likeliest");
  });

  it.each(cases)(
    "$id has one prompt for both shapes of its records",
    (task, ours, theirs, wanted) => {
      expect(prompts(read(task, ours))).toEqual(wanted);
      expect(prompts(read(task, theirs))).toEqual(wanted);
    },
  );

  it("siqa takes lettered answers out of the query; records of its authors have three", () => {
    const query = "Context: Ann fell.\nQuestion: How is Ann?\nChoices:\nA. hurt\nB. rich\nAnswer:";
    expect(prompts(read(siqa, { query, choices: ["A", "B"], gold: 0 }))).toEqual([
      "*Q: Ann fell. How is Ann?\nA:| hurt",
      "Q: Ann fell. How is Ann?\nA:| rich",
    ]);
    const answers = { answerA: "hurt", answerB: "rich", answerC: "late" };
    const theirs = { context: "Ann fell.", question: "How is Ann?", ...answers, label: "3" };
    expect(prompts(read(siqa, theirs)).at(-1)).toBe("*Q: Ann fell. How is Ann?\nA:| late");
    const without = { query: "Who?\nAnswer:", choices: ["A", "B"], gold: 0 };
    expect(() => read(siqa, without)).toThrow(/line 1: expected "query", with .* "Choices:"; got/);
  });

  it("hellaswag ends titles with a full stop and leaves out what is in brackets", () => {
    const record = {
      activity_label: "Roofs",
      ctx_a: "How to mend a roof [title] Climb up. [substeps] Take care.",
      ctx_b: "",
      endings: ["a", "b"],
      label: 0,
    };
    const [option] = read(hellaswag, record).options;
    expect(option?.context).toBe("Roofs: How to mend a roof. Climb up. Take care.");
  });

  it.each<[TaskDefinition, object, RegExp]>([
    [piqa, { goal: "a", sol1: "b", sol2: "" }, /expected "sol2", a text that is not empty; got ""/],
    [piqa, { goal: "a", sol1: "b", sol2: "c", label: 2 }, /"label", a whole number from 0 to 1/],
    [
      arc_easy,
      { question: "a", choices: { text: ["b", "c"], label: ["A"] }, answerKey: "A" },
      /expected "choices\.label", 2 texts; got \["A"\]/,
    ],
    [
      arc_easy,
      { question: "a", choices: { text: ["b", "c"], label: ["A", "B"] }, answerKey: "C" },
      /expected "answerKey", one of A, B; got "C"/,
    ],
    [winogrande, { sentence: "no blank" }, /"sentence", with a blank: _; got "no blank"/],
    [winogrande, { sentence: "ends with _" }, /with words behind its blank/],
    [
      boolq,
      { passage: "a", question: "b" },
      /expected "label", a whole number from 0 to 1; got not/,
    ],
    [lambada_openai, { text: "word" }, /expected "text", of several words; got "word"/],
    [lambada_openai, { context: "a" }, /expected "continuation", a text; got nothing/],
  ])("$id refuses a bad record, naming the field", (task, record, message) => {
    expect(() => read(task, record)).toThrow(message);
  });

  it("docs/tasks.md names every task, the rule it follows and its deviations", () => {
    const docs = readFileSync(new URL("../../../docs/tasks.md", import.meta.url), "utf8");
    for (const [id, { title, follows, paper, deviations }] of all) {
      expect(docs).toContain(`\`${id}\``);
      expect(docs).toContain(title);
      if (follows) expect(docs).toContain(`\`${follows}\``);
      if (paper) expect(docs).toContain(`arxiv.org/abs/${paper.arxiv}`);
      for (const deviation of deviations) expect(docs).toContain(deviation);
    }
  });
});

const folder = fileURLToPath(new URL("../../../../shared/data/tasks", import.meta.url));
const absent = existsSync(folder)
  ? ""
  : " (skipped: the shared tasks, ../shared/data, are not on this machine)";

describe.skipIf(absent !== "")(`data of tasks${absent}`, () => {
  it.each([
    ["piqa", 1838, 0.5],
    ["arc_easy", 2376, 0.25],
    ["arc_challenge", 1172, 0.25],
    ["hellaswag", 1000, 0.25],
    ["winogrande", 1267, 0.5],
    ["boolq", 3270, 0.5],
    ["siqa", 1954, 0.5],
    ["openbookqa", 500, 0.25],
    ["lambada_openai", 5153, 1],
  ] as const)("%s has %i items that all can be read", async (id, count, chance) => {
    const { items } = await openTask(id, { tasksFrom: folder });
    expect(items).toHaveLength(count);
    const mean = items.reduce((sum, { options }) => sum + 1 / options.length, 0) / count;
    expect(mean).toBeCloseTo(chance, 12);
  });
});
