import { writeDocument } from "./read-records.ts";
import { expectPointRecord } from "./record-schema.ts";
import { type AllocationFigures, allocationFigures } from "../../run/allocation-figures.ts";
import type { PointRecord, SweepResults, TextFigures } from "./sweep-results.ts";
import { FormatError, UnsupportedError } from "../../util/errors.ts";
import { parseJson } from "../../util/json.ts";

/** Version of the file that this program writes and reads. */
const format = 1;

const hint = "make it anew: fewbit report with the folder of the sweep";

/**
 * Leaves out what reports are not made from: the records of the runs but for bits that were chosen
 * for each layer. Figures of windows are kept
 * to six digits, far below what separates two points.
 */
export function compactResults(results: SweepResults): SweepResults {
  const short = (values: readonly number[]): number[] =>
    values.map((value) => Number(value.toPrecision(6)));
  const compactText = (text: TextFigures): TextFigures => ({
    ...text,
    windowLosses: short(text.windowLosses),
    klDivergence: text.klDivergence && {
      ...text.klDivergence,
      windowMeans: short(text.klDivergence.windowMeans),
    },
  });
  const points = results.points.map((known, index) => {
    // Fields stand in one order, whoever made the record.
    const record = expectPointRecord(known, `point ${index + 1}`, hint);
    const allocation = allocationOf(record);
    return {
      ...record,
      run: null,
      result: record.result && {
        ...record.result,
        texts: record.result.texts.map(compactText),
        ...(allocation && { allocation }),
      },
    };
  });
  return { ...results, points };
}

/** What is kept of the record of a run that chose bits for each layer. */
function allocationOf({ run, result }: PointRecord): AllocationFigures | undefined {
  const record = run && "allocation" in run ? run.allocation : undefined;
  return record ? allocationFigures(record) : result?.allocation;
}

/** Writes results as JSON, one line a point. */
export function formatResultsJson(results: SweepResults): string {
  const { points, ...rest } = results;
  const head = writeDocument(rest).slice(0, -1);
  return `${head},"points":[\n${points.map(writeDocument).join(",\n")}\n]}\n`;
}

/**
 * Reads results that `formatResultsJson` wrote.
 * @param name what errors call the text
 * @throws FormatError when it is not such a text
 * @throws UnsupportedError when another version wrote it
 */
export function parseResultsJson(text: string, name: string): SweepResults {
  const results = parseJson(text, name) as Partial<SweepResults> | null;
  if (typeof results !== "object" || results === null || !Array.isArray(results.points)) {
    throw new FormatError(`${name} holds no results: expected an object with "points"`, {
      hint: "give the results.json of a report, or the folder of a sweep",
    });
  }
  if (results.format !== format) {
    throw new UnsupportedError(
      `${name} has format ${JSON.stringify(results.format)}, this version reads ${format}`,
      { hint: "make the report with the version of fewbit that wrote it" },
    );
  }
  if (typeof results.name !== "string") {
    throw new FormatError(`${name} has no name of a sweep`, { hint });
  }
  const points = results.points.map((record: unknown, index) =>
    expectPointRecord(record, `point ${index + 1} of ${name}`, hint),
  );
  return { format, name: results.name, recipe: results.recipe ?? null, points };
}
