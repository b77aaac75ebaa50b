import { defineTask } from "./define-task.ts";
import { multipleChoice } from "./task.ts";

/** Which of two ways reaches an everyday goal? */
export default defineTask({
  id: "piqa",
  title: "PIQA",
  paper: { arxiv: "1911.11641" },
  files: ["piqa"],
  follows: "piqa",
  deviations: [],
  rule: "likeliest",
  normalized: true,
  example: '{"query": "Question: Keep bread fresh\\n", "choices": ["a box", "a sieve"], "gold": 0}',
  read(record) {
    const context = (goal: string): string => `Question: ${goal}\nAnswer:`;
    if (record.has("goal")) {
      const choices = [record.filledText("sol1"), record.filledText("sol2")];
      return multipleChoice(context(record.text("goal")), choices, record.integer("label", 0, 1));
    }
    const choices = record.choices("choices");
    const goal = record
      .text("query")
      .replace(/^Question: /, "")
      .replace(/\n$/, "");
    return multipleChoice(context(goal), choices, record.integer("gold", 0, choices.length - 1));
  },
});
