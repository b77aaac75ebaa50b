import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { methods } from "../../methods/index.ts";
import { sweepJsonSchema } from "./sweep-json-schema.ts";

const published = new URL("../../../docs/sweep.schema.json", import.meta.url);

describe("the JSON schema of sweeps", () => {
  it("is the published one (fewbit sweep --schema > docs/sweep.schema.json, then format)", () => {
    expect(JSON.parse(readFileSync(published, "utf8"))).toEqual(
      JSON.parse(JSON.stringify(sweepJsonSchema())),
    );
  });

  it("knows every method with its options", () => {
    const text = JSON.stringify(sweepJsonSchema());
    for (const { id, options } of Object.values(methods)) {
      expect(text).toContain(`{"const":"${id}"}`);
      for (const name of Object.keys(options.shape)) expect(text).toContain(`"${name}":`);
    }
  });

  it("has a pattern for schemes that fits those there are", () => {
    const [, pattern = ""] =
      /"pattern":"(\^w\([^"]*)"/.exec(JSON.stringify(sweepJsonSchema())) ?? [];
    const regular = new RegExp(JSON.parse(`"${pattern}"`) as string);
    for (const id of ["w4g128", "w2-seq", "w1.58", "w8-narrowa8-integer", "w3g64-sym", "w4a4"]) {
      expect(id).toMatch(regular);
    }
    for (const id of ["w5", "4", "w4g", "w4-foo", "w4g128a5"]) expect(id).not.toMatch(regular);
  });
});
