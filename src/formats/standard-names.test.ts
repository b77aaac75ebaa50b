import { expect, test } from "vitest";
import { standardName } from "./standard-names.ts";

test.each([
  ["model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"],
  ["layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"],
  ["embed_tokens.weight", "model.embed_tokens.weight"],
  ["norm.weight", "model.norm.weight"],
  ["lm_head.weight", "lm_head.weight"],
  ["model.lm_head.weight", "lm_head.weight"],
  ["model.model.layers.11.input_layernorm.weight", "model.layers.11.input_layernorm.weight"],
  ["module.model.norm.weight", "model.norm.weight"],
  ["module.module.lm_head.weight", "lm_head.weight"],
  ["_orig_mod.model.norm.weight", "model.norm.weight"],
  ["module._orig_mod.norm.weight", "model.norm.weight"],
  [
    "model.layers.0._checkpoint_wrapped_module.mlp.up_proj.weight",
    "model.layers.0.mlp.up_proj.weight",
  ],
  ["_fsdp_wrapped_module.model.layers.0._fsdp_wrapped_module.x", "model.layers.0.x"],
  ["language_model.model.norm.weight", "language_model.model.norm.weight"],
  ["layers", "layers"],
  ["normal.weight", "normal.weight"],
  ["my_orig_mod.x", "my_orig_mod.x"],
])("%s is %s", (stored, standard) => {
  expect(standardName(stored)).toBe(standard);
  expect(standardName(standard)).toBe(standard);
});
