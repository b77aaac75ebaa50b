import { defineTask } from "./define-task.ts";
import { multipleChoice } from "./task.ts";
import type { TaskRecord } from "./task-record.ts";

const answers = ["no", "yes"] as const;

/** Is the answer to a question about a passage yes or no? */
export default defineTask({
  id: "boolq",
  title: "BoolQ",
  paper: { arxiv: "1905.10044" },
  files: ["boolq"],
  follows: "boolq",
  deviations: [
    "A passage of the shape `query` has no title of its article in front, which those of " +
      "SuperGLUE have.",
  ],
  rule: "likeliest",
  normalized: false,
  example:
    '{"query": "Passage: Snow is white.\\nQuestion: is snow white?", ' +
    '"choices": ["no", "yes"], "gold": 1}',
  read(record) {
    if (record.has("passage")) {
      const question = record.filledText("question").replace(/\?$/, "");
      const context = `${record.text("passage")}\nQuestion: ${question}?\nAnswer:`;
      return multipleChoice(context, answers, Number(truthOf(record)));
    }
    const choices = record.choices("choices");
    const query = record.filledText("query").replace(/^Passage: /, "");
    const gold = record.integer("gold", 0, choices.length - 1);
    return multipleChoice(`${query}\nAnswer:`, choices, gold);
  },
});

function truthOf(record: TaskRecord): boolean {
  return record.truth(record.has("answer") ? "answer" : "label");
}
