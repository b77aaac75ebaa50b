import { defineTask } from "./define-task.ts";
import { multipleChoice } from "./task.ts";

/** Which choice is the likeliest after the query and a space? */
export default defineTask({
  id: "multiple_choice",
  title: "A file of your own",
  paper: null,
  files: [],
  follows: null,
  deviations: [],
  rule: "likeliest",
  normalized: true,
  example: '{"query": "Two and two are", "choices": ["four", "six"], "gold": 0}',
  read(record) {
    const query = record.text("query");
    const choices = record.choices("choices");
    return multipleChoice(query, choices, record.integer("gold", 0, choices.length - 1));
  },
});
