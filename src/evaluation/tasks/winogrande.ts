import { defineTask } from "./define-task.ts";
import type { TaskItem } from "./task.ts";
import type { TaskRecord } from "./task-record.ts";

/** Which of two names fits a blank, judged by how likely it makes the rest of the sentence? */
export default defineTask({
  id: "winogrande",
  title: "WinoGrande",
  paper: { arxiv: "1907.10641" },
  files: ["winogrande"],
  follows: "winogrande",
  deviations: [],
  rule: "likeliest",
  normalized: false,
  example:
    '{"context_options": ["The cat saw the mouse, so the cat", ' +
    '"The cat saw the mouse, so the mouse"], ' +
    '"continuation": "ran away.", "gold": 1}',
  read(record) {
    if (record.has("sentence")) return fromSentence(record);
    const contexts = record.choices("context_options");
    const rest = record.filledText("continuation");
    return withContexts(contexts, rest, record.integer("gold", 0, contexts.length - 1));
  },
});

/** Cuts a sentence at its blank. */
function fromSentence(record: TaskRecord): TaskItem {
  const sentence = record.filledText("sentence");
  const blank = sentence.indexOf("_");
  if (blank < 0) throw record.unlike('"sentence", with a blank: _', sentence);
  const rest = sentence.slice(blank + 1).trim();
  if (rest === "") throw record.unlike('"sentence", with words behind its blank', sentence);
  const contexts = [record.filledText("option1"), record.filledText("option2")].map(
    (name) => sentence.slice(0, blank) + name,
  );
  return withContexts(contexts, rest, record.integer("answer", 1, 2) - 1);
}

/** All options have the same continuation: the same words after different contexts. */
function withContexts(contexts: readonly string[], rest: string, gold: number): TaskItem {
  const continuation = ` ${rest}`;
  const characters = [...rest].length;
  return { options: contexts.map((context) => ({ context, continuation, characters })), gold };
}
