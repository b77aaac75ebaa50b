import { defineTask } from "./define-task.ts";
import type { TaskRecord } from "./task-record.ts";

/** Which word ends a passage? Right when greedy decoding gives it, token by token. */
export default defineTask({
  id: "lambada_openai",
  title: "LAMBADA",
  paper: { arxiv: "1606.06031" },
  files: ["lambada_openai", "lambada"],
  follows: "lambada_openai",
  deviations: [
    "With examples, one space stands between an example's passage and its word; the harness " +
      "writes two.",
  ],
  rule: "greedy",
  normalized: false,
  example: '{"context": "She opened the door and left the", "continuation": "house"}',
  read(record) {
    const { context, word } = record.has("text") ? cutText(record) : readPair(record);
    return {
      options: [{ context, continuation: ` ${word}`, characters: [...word].length }],
      gold: 0,
    };
  },
});

function readPair(record: TaskRecord): { context: string; word: string } {
  return { context: record.filledText("context"), word: record.filledText("continuation") };
}

/** The last word is what follows the last space. */
function cutText(record: TaskRecord): { context: string; word: string } {
  const text = record.filledText("text");
  const space = text.lastIndexOf(" ");
  if (space < 1) throw record.unlike('"text", of several words', text);
  return { context: text.slice(0, space), word: text.slice(space + 1) };
}
