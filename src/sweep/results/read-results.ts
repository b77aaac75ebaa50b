import { openResults } from "./open-results.ts";
import { databaseName } from "./results-database.ts";
import type { SweepResults } from "./sweep-results.ts";
import { baseName, joinPath, parentPath, readText, status } from "../../platform/node.ts";
import { FormatError } from "../../util/errors.ts";
import { parseResultsJson } from "./results-json.ts";

/** Results of a sweep and where they stand. */
export interface ResultsSource {
  readonly results: SweepResults;
  /** Folder where a report of them goes, unless another is named. */
  readonly out: string;
}

/** Reads results: a sweep's folder, a `results.json`, or a folder with one. @throws FormatError */
export async function readResults(source: string): Promise<ResultsSource> {
  const kind = (await status(source))?.kind;
  if (kind === undefined) {
    throw new FormatError(`${source} does not exist`, {
      hint: "give the folder of a sweep, or the results.json of a report",
    });
  }
  if (kind === "directory") {
    if (await status(joinPath(source, databaseName))) {
      return { results: await openResults(source), out: joinPath(source, "report") };
    }
    const file = joinPath(source, "results.json");
    if (await status(file)) return { results: await readFile(file), out: source };
    throw new FormatError(`${source} holds no results: expected results.db or results.json`, {
      hint: "give the folder of a sweep, or the results.json of a report",
    });
  }
  return { results: await readFile(source), out: parentPath(source) };
}

async function readFile(path: string): Promise<SweepResults> {
  return parseResultsJson(await readText(path), baseName(path));
}
