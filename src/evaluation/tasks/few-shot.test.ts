import { describe, expect, it } from "vitest";
import { prependExamples, withExamples } from "./few-shot.ts";
import { multipleChoice, type Task, type TaskItem } from "./task.ts";

const items = Array.from({ length: 12 }, (_, index) =>
  multipleChoice(`Q${index}:`, ["no", `yes${index}`], 1),
);
const task: Task = { name: "questions", items };

/** The examples in front of an item, without the item. */
function examplesOf({ options }: TaskItem): string[] {
  return options[0]?.context.split("\n\n").slice(0, -1) ?? [];
}

describe("withExamples", () => {
  it("puts right answers in front, an empty line behind each", () => {
    const { items: made, shots } = withExamples(task, { shots: 2, seed: 1, pool: items });
    expect(shots).toBe(2);
    expect(made[3]?.options[0]?.context).toMatch(/^Q\d+: yes\d+\n\nQ\d+: yes\d+\n\nQ3:$/);
    expect(made[3]?.options.map(({ continuation }) => continuation)).toEqual([" no", " yes3"]);
  });

  it("draws different items, never the item itself, even when all others are needed", () => {
    const { items: made } = withExamples(task, { shots: 11, seed: 5, pool: items });
    for (const [index, item] of made.entries()) {
      const examples = examplesOf(item);
      expect(new Set(examples).size).toBe(11);
      expect(examples).not.toContain(`Q${index}: yes${index}`);
    }
  });

  it("depends on seed and place only: another length of the task changes nothing", () => {
    const draw = (seed: number, count: number): string[][] =>
      withExamples(
        { ...task, items: items.slice(0, count) },
        { shots: 3, seed, pool: items },
      ).items.map(examplesOf);
    expect(draw(4, 5)).toEqual(draw(4, 12).slice(0, 5));
    expect(draw(4, 12)).not.toEqual(draw(5, 12));
    const firsts = draw(4, 12).map(([first]) => first);
    expect(new Set(firsts).size).toBeGreaterThan(4);
  });

  it("refuses more examples than there are other items", () => {
    expect(() => withExamples(task, { shots: 12, seed: 0, pool: items })).toThrow(/too few items/);
    const [twice] = items;
    const pool = [twice, twice].filter((item) => item !== undefined);
    expect(() => withExamples(task, { shots: 1, seed: 0, pool })).toThrow(/questions: 1 examples/);
  });

  it("gives all contexts of an item the same examples", () => {
    const [first, second] = prependExamples(
      { options: [option("The cat"), option("The dog")], gold: 0 },
      ["An example."],
    ).options;
    expect(first?.context).toBe("An example.\n\nThe cat");
    expect(second?.context).toBe("An example.\n\nThe dog");
  });
});

function option(context: string): TaskItem["options"][number] {
  return { context, continuation: " ran.", characters: 4 };
}
