import { describe, expect, test } from "vitest";
import { llamaNames } from "../models/decoder-names.ts";
import { findMixture, type MixedModel } from "../quant/mixtures.ts";
import { SchemeError, UsageError } from "../util/errors.ts";
import { MixtureSchemes, possibleSchemes, usualScheme } from "./mixture-schemes.ts";
import { parseRecipe } from "./parse-recipe.ts";
import type { RecipeInput } from "./recipe.ts";

const model: MixedModel = {
  blocks: 8,
  heads: 8,
  kvHeads: 2,
  experts: 1,
  tied: true,
  importance: false,
};

function schemesOf(name: string, own: Partial<MixedModel> = {}): MixtureSchemes {
  const mixture = findMixture(name);
  if (!mixture) throw new Error(`no mixture ${name}`);
  return new MixtureSchemes(mixture, { ...model, ...own }, llamaNames);
}

const recipe = (scheme: string, more: Partial<RecipeInput> = {}) =>
  parseRecipe({ model: "m", out: "o", method: "rtn", scheme, ...more });

describe("a mixture in the place of a scheme", () => {
  test("goes by the names that modules have in checkpoints", () => {
    const schemes = schemesOf("Q4_K_M");
    expect(schemes.of("model.layers.0.self_attn.v_proj", 512)?.id).toBe("q6_k");
    expect(schemes.of("model.layers.1.self_attn.v_proj", 512)?.id).toBe("q4_k");
    expect(schemes.of("model.layers.7.mlp.down_proj", 512)?.id).toBe("q6_k");
    expect(schemes.of("model.embed_tokens", 512)?.id).toBe("q6_k");
    expect(schemesOf("Q4_K_M", { tied: false }).of("model.embed_tokens", 512)?.id).toBe("q4_k");
    expect(schemes.notices()).toEqual([]);
  });

  test("gives a joined projection more bits, as llama-quantize does", () => {
    const { slots } = llamaNames;
    const joined = { ...llamaNames, slots: { ...slots, queryKeyValue: "self_attn.qkv_proj" } };
    const of = (name: string): string | undefined => {
      const mixture = findMixture(name);
      if (!mixture) throw new Error(`no mixture ${name}`);
      const schemes = new MixtureSchemes(mixture, model, joined);
      return schemes.of("model.layers.3.self_attn.qkv_proj", 512)?.id;
    };
    expect(["Q3_K_M", "Q4_K_M", "Q5_K_M", "Q4_K_S"].map(of)).toEqual([
      "q4_k",
      "q5_k",
      "q6_k",
      "q4_k",
    ]);
  });

  test("says where rows are no whole blocks", () => {
    const schemes = schemesOf("Q2_K");
    expect(schemes.of("model.layers.1.mlp.up_proj", 96)?.id).toBe("q4_0");
    expect(schemes.of("model.layers.2.mlp.up_proj", 96)?.id).toBe("q4_0");
    expect(schemes.of("model.layers.2.mlp.gate_proj", 20)).toBeNull();
    expect(schemes.notices()).toEqual([
      "Q2_K: 2 weights whose rows are no whole blocks: q4_0 in the place of q2_k",
      "Q2_K: 1 weight whose rows are no whole blocks: f16 in the place of q2_k",
    ]);
  });

  test("Q2_K_S asks for importance", () => {
    expect(schemesOf("Q2_K_S").notices()[0]).toMatch(/importance/);
    expect(schemesOf("Q2_K_S", { importance: true }).notices()).toEqual([]);
  });

  test("stays in the recipe, and the methods must take all its schemes", () => {
    expect(recipe("Q4_K_M").parsed.scheme).toBe("Q4_K_M");
    expect(usualScheme("Q4_K_M").id).toBe("q4_k");
    expect(possibleSchemes("Q4_K_M").map(({ id }) => id)).toEqual(["q4_k", "q6_k", "q5_k", "q8_0"]);
    expect(() => recipe("Q4_K_M", { method: "svid" })).toThrow(/does not support the scheme q4_k/);
  });

  test("that leaves all in floats is refused", () => {
    expect(() => usualScheme("F16")).toThrow(SchemeError);
    expect(() => recipe("BF16")).toThrow(
      expect.objectContaining({ constructor: UsageError, field: "scheme" }),
    );
  });

  test("is none for single layers", () => {
    const layers = [{ pattern: "mlp.down_proj", scheme: "Q4_K_M" }];
    expect(() => recipe("q4_k", { layers })).toThrow(
      expect.objectContaining({ field: "layers[0].scheme" }),
    );
  });
});
