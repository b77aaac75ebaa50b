import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import {
  findDifferences,
  makeCases,
  type ReferenceAnswers,
} from "../../tools/reference/compare-answers.ts";
import { subjects } from "../../tools/reference/subjects.ts";

/** What a file holds of a value. */
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe.each(subjects)("$name, against stored answers of the Python library", (subject) => {
  const missing = subject.missing?.() ?? null;
  const reason = missing === null ? "" : ` (skipped: ${missing} is not in ../shared/data)`;
  const path = new URL(`../golden/reference-${subject.name}.json`, import.meta.url);
  const stored: ReferenceAnswers = JSON.parse(readFileSync(path, "utf8"));

  test.skipIf(missing !== null)(`are of the cases that its seed draws now${reason}`, () => {
    const drawn = makeCases(subject, subject.goldenCases, stored.seed);
    const store = `npm run reference -- ${subject.name} --golden`;
    const others = stored.cases.filter((each, i) => !isDeepStrictEqual(each, json(drawn[i])));
    expect(stored.cases, store).toHaveLength(drawn.length);
    expect(others.slice(0, 1), `cases were drawn otherwise: ${store}`).toEqual([]);
  });

  test.skipIf(missing !== null)(`agree in every case${reason}`, async () => {
    expect(await findDifferences(subject, stored)).toEqual([]);
  });
});
