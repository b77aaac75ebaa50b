import { type Figure, figurePaths } from "../../evaluation/figure.ts";
import { allFigures } from "../../evaluation/figures.ts";

/** Marks a database file as a sweep's results (`PRAGMA application_id`): the letters "fbit". */
export const applicationId = 0x66_62_69_74;

/** Version of the tables that this program reads and writes (`PRAGMA user_version`). */
export const schemaVersion = 3;

/**
 * The tables. A record holds what is known of a point: its state in columns, and as JSON what came
 * of it (`result`, a `PointResult`), how it was made (`run`) and of which files (`data`).
 */
export const tables = `
CREATE TABLE sweep (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  name TEXT NOT NULL,
  recipe TEXT NOT NULL,
  changed_at TEXT NOT NULL
);
CREATE TABLE records (
  id TEXT PRIMARY KEY,
  position INTEGER,
  model TEXT NOT NULL,
  label TEXT NOT NULL,
  method TEXT,
  preset TEXT,
  scheme TEXT,
  bits REAL NOT NULL,
  seed INTEGER NOT NULL,
  work TEXT NOT NULL,
  command TEXT,
  status TEXT NOT NULL CHECK (status IN ('waiting', 'running', 'done', 'failed')),
  attempts INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0,
  owner TEXT,
  token TEXT,
  lease_until INTEGER,
  error_code TEXT,
  error_message TEXT,
  error_hint TEXT,
  fewbit TEXT,
  machine TEXT,
  started_at TEXT,
  finished_at TEXT,
  run TEXT,
  result TEXT,
  data TEXT
);
CREATE INDEX records_by_status ON records (status, position);
`;

/** Names of the tables. */
export const tableNames: readonly string[] = ["sweep", "records"];

/** Columns of `records` that `points` gives as they are. */
const kept =
  "id, position, model, label, method, preset, scheme, bits, seed, work, command, status, " +
  "attempts, crashes, owner, token, lease_until, error_code, error_message, error_hint, fewbit, " +
  "machine, started_at, finished_at";

/** Columns of a text and of a task that are no figures, with their fields in documents. */
export const textColumns = {
  name: "name",
  sha256: "sha256",
  protocol: "protocol",
  window: "window",
  windows: "windows",
  tokens: "tokens",
  tokens_sha256: "tokensSha256",
};
export const taskColumns = { name: "name", sha256: "sha256", shots: "shots", items: "items" };
export const answerColumns = { right: "right", right_normalized: "rightNormalized" };

const continuationColumns = {
  prompt: "prompt",
  text: "text",
  tokens: "tokens",
  ended: "ended",
  repetition: "repetition",
  loop: "loop",
  kl: "klDivergence",
  reproduced_tokens: "reproduced.tokens",
  reproduced: "reproduced.share",
};

const backendColumns = {
  backend: "backend.id",
  backend_level: "backend.level",
  threads: "backend.threads",
};

/** Queries of the views, which give what stands in the documents as tables. */
const queries: Readonly<Record<string, string>> = {
  points: `
SELECT
  ${kept},
  ${figureColumns("result", ({ of }) => of === "model" || of === "generation")},
  ${pick("result", backendColumns)},
  run
FROM records`,
  texts: `
SELECT
  records.id AS point, entry.key AS position,
  ${pick("entry.value", textColumns)},
  ${figureColumns("entry.value", ({ of }) => of === "text")}
FROM records, json_each(records.result, '$.texts') AS entry`,
  windows: `
SELECT
  records.id AS point, entry.key AS text, loss.key AS window, CAST(loss.value AS REAL) AS loss,
  CAST(json_extract(entry.value, '$.klDivergence.windowMeans[' || loss.key || ']') AS REAL) AS kl
FROM
  records, json_each(records.result, '$.texts') AS entry,
  json_each(entry.value, '$.windowLosses') AS loss`,
  tasks: `
SELECT
  records.id AS point, entry.key AS position,
  ${pick("entry.value", taskColumns)},
  ${figureColumns("entry.value", ({ of }) => of === "task")},
  ${pick("entry.value", answerColumns)}
FROM records, json_each(records.result, '$.tasks') AS entry`,
  averages: `
SELECT
  records.id AS point, entry.key AS position,
  ${pick("entry.value", { name: "name", tasks: "tasks" })},
  ${figureColumns("entry.value", ({ averaged }) => averaged === true)}
FROM records, json_each(records.result, '$.averages') AS entry`,
  continuations: `
SELECT
  records.id AS point, entry.key AS position,
  ${pick("entry.value", continuationColumns)}
FROM records, json_each(records.result, '$.generation.continuations') AS entry`,
  data: `
SELECT
  records.id AS point,
  ${pick("entry.value", { role: "role", name: "name", sha256: "sha256" })}
FROM records, json_each(records.data) AS entry`,
  results: `
SELECT
  points.model, points.label, points.method, points.scheme, points.bits, points.seed,
  points.status, points.bits_per_weight, points.size_bytes,
  texts.perplexity, (texts.high - texts.low) / 2 AS perplexity_half_width,
  texts.kl_mean AS kl,
  points.repetition, points.loops, points.continuation_kl,
  (SELECT avg(accuracy) FROM tasks WHERE tasks.point = points.id) AS task_accuracy,
  (SELECT avg(above_chance) FROM tasks WHERE tasks.point = points.id) AS above_chance,
  points.tokens_per_second, points.make_ms / 1000 AS make_seconds, points.peak_memory_bytes,
  points.error_message AS error, points.command, points.id
FROM points LEFT JOIN texts ON texts.point = points.id AND texts.position = 0
WHERE points.position IS NOT NULL
ORDER BY points.position`,
  task_results: `
SELECT
  points.model, points.label, points.scheme, points.bits, points.seed, tasks.name AS task,
  tasks.accuracy, tasks.accuracy_error, tasks.normalized_accuracy, tasks.above_chance, tasks.items,
  tasks.shots, points.id
FROM tasks JOIN points ON points.id = tasks.point
WHERE points.position IS NOT NULL
ORDER BY points.position, tasks.position`,
};

/** The statements that make the views, by their names, as the database keeps them. */
export const views: ReadonlyMap<string, string> = new Map(
  Object.entries(queries).map(([name, query]) => [name, `CREATE VIEW ${name} AS${query}`]),
);

/** Columns of figures, read from a document. */
function figureColumns(document: string, includes: (figure: Figure) => boolean): string {
  const columns = allFigures.filter(includes).flatMap((figure) => {
    const paths = figurePaths(figure);
    const isWhole = figure.format === "bytes" || figure.format === "count";
    return (figure.sql ?? []).map((name, index) => {
      const value = `json_extract(${document}, '$.${paths[index]}')`;
      // 4.0 is written 4, and must not divide as a whole number.
      return `${isWhole ? value : `CAST(${value} AS REAL)`} AS ${name}`;
    });
  });
  return columns.join(",\n  ");
}

/** Columns by their paths in a document. */
function pick(document: string, paths: Readonly<Record<string, string>>): string {
  return Object.entries(paths)
    .map(([name, path]) => `json_extract(${document}, '$.${path}') AS ${name}`)
    .join(",\n  ");
}
