import { defineTask } from "./define-task.ts";
import { multipleChoice } from "./task.ts";
import type { TaskRecord } from "./task-record.ts";

/** Which of four sentences continues a scene or a set of instructions? */
export default defineTask({
  id: "hellaswag",
  title: "HellaSwag",
  paper: { arxiv: "1905.07830" },
  files: ["hellaswag", "hellaswag_val", "hellaswag_val_1000"],
  follows: "hellaswag",
  deviations: ["A file of 1,000 items is a part of the validation set, which has 10,042."],
  rule: "likeliest",
  normalized: true,
  example:
    '{"query": "Baking: She opens the oven. She", "choices": ["bakes.", "sinks."], "gold": 0}',
  read(record) {
    if (!record.has("ctx_a")) {
      const choices = record.choices("choices");
      const gold = record.integer("gold", 0, choices.length - 1);
      return multipleChoice(record.filledText("query"), choices, gold);
    }
    const choices = record.choices("endings").map(withoutMarks);
    const gold = record.integer("label", 0, choices.length - 1);
    return multipleChoice(withoutMarks(sceneOf(record)), choices, gold);
  },
});

/** The activity and both parts of its description; the second begins a sentence. */
function sceneOf(record: TaskRecord): string {
  const activity = record.text("activity_label");
  return `${activity}: ${record.text("ctx_a")} ${asSentence(record.text("ctx_b"))}`;
}

/** First letter large, all others small, as the rule has it. */
function asSentence(text: string): string {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("").toLowerCase();
}

/** Takes out what the data set's WikiHow part has in brackets; a title ends a sentence. */
function withoutMarks(text: string): string {
  return text
    .trim()
    .replaceAll(" [title]", ". ")
    .replace(/\[.*?\]/g, "")
    .replaceAll("  ", " ");
}
