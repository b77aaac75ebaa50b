import { readText } from "../../platform/node.ts";
import { FormatError } from "../../util/errors.ts";
import { multipleChoice, type Task, type TaskItem } from "./task.ts";

/**
 * Reads a task from a file of JSON lines, each `{"query": …, "choices": [… , …], "gold": index}`. The
 * task is named like the file, without its ending.
 * @throws FormatError that names the line, when the file is missing or a line is not such an item
 */
export async function readTask(path: string): Promise<Task> {
  const lines = (await readText(path)).split("\n");
  const items = lines.flatMap((line, index) =>
    line.trim() === "" ? [] : [parseItem(line, `${path}, line ${index + 1}`)],
  );
  if (items.length === 0) throw new FormatError(`${path}: expected items, one a line; it is empty`);
  return { name: taskName(path), items };
}

function taskName(path: string): string {
  const file = path.split(/[/\\]/).at(-1) ?? path;
  return file.replace(/\.(jsonl|ndjson|json)$/i, "");
}

function parseItem(line: string, where: string): TaskItem {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new FormatError(`${where}: not JSON`, {
      hint: "a task file has one item a line",
      cause,
    });
  }
  const fields: Readonly<Record<string, unknown>> =
    typeof value === "object" && value !== null ? { ...value } : {};
  const { query, choices, gold } = fields;
  if (typeof query !== "string") throw unlike(where, '"query", a text', query);
  if (!isTexts(choices) || choices.length < 2) {
    throw unlike(where, '"choices", at least two texts', choices);
  }
  if (choices.some((choice) => choice === "")) throw unlike(where, "choices with text", "");
  if (typeof gold !== "number" || choices[gold] === undefined) {
    throw unlike(where, `"gold", a whole number from 0 to ${choices.length - 1}`, gold);
  }
  return multipleChoice(query, choices, gold);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}

function unlike(where: string, expected: string, found: unknown): FormatError {
  const shown = found === undefined ? "nothing" : JSON.stringify(found);
  return new FormatError(`${where}: expected ${expected}; got ${shown}`, {
    hint: 'an item looks like {"query": "Two and two are", "choices": ["four", "six"], "gold": 0}',
  });
}
