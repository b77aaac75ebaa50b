import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { findDifferences, type ReferenceAnswers } from "../../tools/reference/compare-answers.ts";
import { subjects } from "../../tools/reference/subjects.ts";

describe.each(subjects)("$name, against stored answers of the Python library", (subject) => {
  const missing = subject.missing?.() ?? null;
  const reason = missing === null ? "" : ` (skipped: ${missing} is not in ../shared/data)`;
  test.skipIf(missing !== null)(`agree in every case${reason}`, async () => {
    const path = new URL(`../golden/reference-${subject.name}.json`, import.meta.url);
    const stored: ReferenceAnswers = JSON.parse(readFileSync(path, "utf8"));
    expect(stored.cases).toHaveLength(subject.goldenCases);
    expect(await findDifferences(subject, stored)).toEqual([]);
  });
});
