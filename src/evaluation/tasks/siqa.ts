import { defineTask } from "./define-task.ts";
import { multipleChoice } from "./task.ts";
import type { TaskRecord } from "./task-record.ts";

/** Which answer fits a question about what people do and feel? */
export default defineTask({
  id: "siqa",
  title: "Social IQa",
  paper: { arxiv: "1904.09728" },
  files: ["siqa", "social_iqa"],
  follows: "social_iqa",
  deviations: [
    "Items of the shape `query` have two answers, behind letters in the query; the set has " +
      "three. " +
      "The answers are taken out and scored as texts, as the rule has it, so chance is 50 %, not " +
      "33 %.",
  ],
  rule: "likeliest",
  normalized: false,
  example:
    '{"query": "Context: Ann fell.\\nQuestion: How is Ann?\\n' +
    'Choices:\\nA. hurt\\nB. rich\\nAnswer:", ' +
    '"choices": ["A", "B"], "gold": 0}',
  read(record) {
    if (!record.has("query")) {
      const choices = ["answerA", "answerB", "answerC"].map((field) => record.filledText(field));
      const context = contextOf(record.text("context"), record.filledText("question"));
      return multipleChoice(context, choices, record.integer("label", 1, 3) - 1);
    }
    return fromLettered(record);
  },
});

/** Context, question and answers of a query that lists its answers behind letters. */
const lettered =
  /^Context: (?<context>.*)\nQuestion: (?<question>.*)\nChoices:\n(?<list>.*)\nAnswer:$/s;

function fromLettered(record: TaskRecord): ReturnType<typeof multipleChoice> {
  const query = record.text("query");
  const { context = "", question = "", list = "" } = lettered.exec(query)?.groups ?? {};
  const choices = list.split("\n").map((line) => line.replace(/^[A-Z]\. /, ""));
  const letters = record.choices("choices");
  if (question === "" || choices.length !== letters.length) {
    throw record.unlike(
      `"query", with "Context: ", "Question: " and ${letters.length} lettered "Choices:"`,
      query,
    );
  }
  const gold = record.integer("gold", 0, choices.length - 1);
  return multipleChoice(contextOf(context, question), choices, gold);
}

function contextOf(context: string, question: string): string {
  return `Q: ${context} ${question}\nA:`;
}
