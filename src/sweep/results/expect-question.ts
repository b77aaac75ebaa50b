import { UsageError } from "../../util/errors.ts";

/** Parts of SQL that end where they say, and the marks between statements. */
const parts =
  /'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?|--[^\n]*|\/\*(?:[^*]|\*(?!\/))*(?:\*\/)?|;/g;

/**
 * Lets one question through: `SELECT`, `WITH` or `VALUES`.
 * @throws UsageError for anything else, and for several statements
 */
export function expectQuestion(sql: string): void {
  // Comments are left out, texts and names are one letter each.
  const plain = sql.replace(parts, (part) =>
    part === ";" ? part : /^(--|\/\*)/.test(part) ? " " : "x",
  );
  const [first = "", ...others] = plain.split(";").map((statement) => statement.trim());
  const hint = "ask with SELECT, such as SELECT * FROM results";
  if (others.some((statement) => statement !== "")) {
    throw new UsageError("expected one query, got several", { hint, field: "sql", value: sql });
  }
  const word = /^\w*/.exec(first)?.[0].toUpperCase() ?? "";
  if (["SELECT", "WITH", "VALUES"].includes(word)) return;
  const found = word === "" ? "something else" : word;
  throw new UsageError(`expected a query, which begins with SELECT or WITH, got ${found}`, {
    hint,
    field: "sql",
    value: sql,
  });
}
