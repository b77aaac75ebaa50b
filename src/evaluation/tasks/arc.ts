import { defineTask, type TaskDefinition } from "./define-task.ts";
import { multipleChoice } from "./task.ts";

/** Which of mostly four answers is right, to a science question of a school test? */
const shared = {
  paper: { arxiv: "1803.05457" },
  deviations: [
    "In the copies with `query`, each item has four choices: 7 of ARC-Easy and 4 of " +
      "ARC-Challenge have " +
      "a wrong one twice.",
  ],
  rule: "likeliest",
  normalized: true,
  example: '{"query": "Question: What melts?", "choices": ["ice", "steam"], "gold": 0}',
  read(record) {
    const context = (question: string): string => `Question: ${question}\nAnswer:`;
    if (record.has("question")) {
      const { choices, gold } = record.labelledChoices("choices", "answerKey");
      return multipleChoice(context(record.filledText("question")), choices, gold);
    }
    const choices = record.choices("choices");
    const question = record.filledText("query").replace(/^Question: /, "");
    return multipleChoice(
      context(question),
      choices,
      record.integer("gold", 0, choices.length - 1),
    );
  },
} satisfies Partial<TaskDefinition>;

/** ARC's questions that simple methods answer. */
export const arcEasy = defineTask({
  ...shared,
  id: "arc_easy",
  title: "ARC-Easy",
  files: ["arc_easy"],
  follows: "arc_easy",
});

/** ARC's questions that neither retrieval nor word statistics answer. */
export const arcChallenge = defineTask({
  ...shared,
  id: "arc_challenge",
  title: "ARC-Challenge",
  files: ["arc_challenge"],
  follows: "arc_challenge",
});
