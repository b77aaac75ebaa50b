import { defineTask } from "./define-task.ts";
import { multipleChoice } from "./task.ts";

/** Which of four answers is right, to a question that needs a fact of elementary science? */
export default defineTask({
  id: "openbookqa",
  title: "OpenBookQA",
  paper: { arxiv: "1809.02789" },
  files: ["openbookqa", "openbook_qa"],
  follows: "openbookqa",
  deviations: [],
  rule: "likeliest",
  normalized: true,
  example: '{"query": "There is mostly fog around", "choices": ["a marsh", "a desert"], "gold": 0}',
  read(record) {
    if (record.has("question_stem")) {
      const { choices, gold } = record.labelledChoices("choices", "answerKey");
      return multipleChoice(record.filledText("question_stem"), choices, gold);
    }
    const choices = record.choices("choices");
    const gold = record.integer("gold", 0, choices.length - 1);
    return multipleChoice(record.filledText("query"), choices, gold);
  },
});
