import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { judgeCase } from "../tools/fuzz/judge-case.ts";
import { kinds } from "../tools/fuzz/kinds/index.ts";

/*
 * Some cases of each kind of input, always the same; `npm run fuzz` runs as many as there is time
 * for.
 */

/** Kinds whose cases take a process each, or change the folder that this one works in. */
const slow = new Set(["sql", "command-line"]);

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-fuzz-test-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a changed input is accepted, or refused with a typed error, in time", () => {
  test.each(kinds.filter(({ id }) => !slow.has(id)))(
    "$id",
    async ({ id, open }) => {
      const place = mkdtempSync(join(folder, `${id}-`));
      const run = await open(place);
      for (let seed = 0; seed < 16; seed++) {
        const { verdict, fault, changes } = await judgeCase(run, seed);
        const what = `${fault} after ${changes.join("; ")} (npm run fuzz -- --only ${id} --seed ${seed})`;
        // Memory is measured by a process that does nothing else.
        expect(["accepted", "typed", "large"], what).toContain(verdict);
      }
    },
    120_000,
  );
});
