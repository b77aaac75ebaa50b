import { readText, sha256 } from "../../platform/node.ts";
import { FormatError } from "../../util/errors.ts";
import { parseJsonRecords } from "../../util/json-records.ts";
import type { TaskDefinition } from "./define-task.ts";
import type { Task } from "./task.ts";
import { TaskRecord } from "./task-record.ts";

/**
 * Reads a task from a file of JSON lines, an item each, or of one array, in a shape that the
 * definition knows; empty lines are skipped.
 * @throws FormatError that names line and field, when the file is missing or a line is not such an
 * item
 */
export async function readTask(
  path: string,
  name: string,
  definition: TaskDefinition,
): Promise<Task> {
  const text = await readText(path);
  const { example, rule, normalized } = definition;
  const lines = parseJsonRecords(
    text,
    path,
    "a task file has one JSON item a line, or all in one array",
  );
  const items = Array.from(lines, (line) => definition.read(new TaskRecord(line, example)));
  if (items.length === 0) throw new FormatError(`${path}: expected items, one a line; it is empty`);
  return { name, items, rule, normalized, shots: 0, limited: false, sha256: sha256(text) };
}
