import { expect, test } from "vitest";
import { configNotices, tokenNotices } from "./config-notices.ts";
import { readModelConfig } from "./index.ts";

const base = {
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 4,
  num_attention_heads: 8,
  vocab_size: 100,
};

const noticesOf = (fields: object): string[] => {
  const json = { ...base, ...fields };
  return configNotices(json, readModelConfig(json));
};

test("a config that says nothing without effect has no notices", () => {
  expect(noticesOf({ sliding_window: null, bos_token_id: 1, eos_token_id: [2, 99] })).toEqual([]);
});

test("a base of the wavelengths that rope_scaling hides is named", () => {
  const rope_scaling = { rope_type: "linear", factor: 2 };
  const rope_parameters = { rope_type: "default", rope_theta: 5e5 };
  expect(noticesOf({ rope_scaling, rope_parameters }).join()).toMatch(
    /rope_theta is 10000, not 500000/,
  );
  expect(noticesOf({ rope_scaling, rope_parameters, rope_theta: 5e5 })).toEqual([]);
  expect(noticesOf({ rope_parameters })).toEqual([]);
});

test("a window is named where the model has none", () => {
  expect(noticesOf({ sliding_window: 8 }).join()).toMatch(/sliding_window 8 means nothing/);
  const mistral = { model_type: "mistral", num_key_value_heads: 8, sliding_window: 8 };
  expect(noticesOf(mistral)).toEqual([]);
});

test.each([[100], [-1], [2 ** 31], [1.5], [[2, 100]]])(
  "special token %j is named where the model has no such token",
  (id) => {
    for (const name of ["bos_token_id", "eos_token_id", "pad_token_id"]) {
      const [notice, ...more] = tokenNotices("generation_config.json", { [name]: id }, 100);
      expect(notice).toMatch(new RegExp(`^generation_config.json: ${name} `));
      expect(more).toEqual([]);
    }
    expect(noticesOf({ eos_token_id: id })).toHaveLength(1);
  },
);
