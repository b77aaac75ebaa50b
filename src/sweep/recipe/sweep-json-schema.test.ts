import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { methods } from "../../methods/index.ts";
import { sweepJsonSchema } from "./sweep-json-schema.ts";

const published = new URL("../../../docs/sweep.schema.json", import.meta.url);

/** That of layers, which names the mixtures, is the longer one. */
const byLength = (a: RegExp, b: RegExp): number => b.source.length - a.source.length;

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
    const patterns = JSON.stringify(sweepJsonSchema()).matchAll(/"pattern":"(\^\(w\([^"]*)"/g);
    const all = new Set(
      Array.from(patterns, ([, pattern]) => JSON.parse(`"${pattern}"`) as string),
    );
    const [ofLayers, ofTables] = [...all].map((pattern) => new RegExp(pattern)).sort(byLength);
    const planar = [
      "w4g128",
      "w2-seq",
      "w1.58",
      "w8-narrowa8-integer",
      "w3g64-sym",
      "w4a4",
      "q6_k",
    ];
    for (const id of planar) for (const each of [ofLayers, ofTables]) expect(id).toMatch(each);
    for (const id of ["w5", "4", "w4g", "w4-foo", "w4g128a5", "f32"]) {
      for (const each of [ofLayers, ofTables]) expect(id).not.toMatch(each);
    }
    expect("Q4_K_M").toMatch(ofLayers);
    expect("f16").toMatch(ofTables);
    expect("Q4_K_M").not.toMatch(ofTables);
  });
});
