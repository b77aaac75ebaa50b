import { expect, test } from "vitest";
import { meta } from "../../../test/fixtures/gguf-bytes.ts";
import { UnsupportedError } from "../../util/errors.ts";
import { GgufMetadata, type GgufValue } from "./gguf-metadata.ts";
import { GgufModelFiles, type GgufTokenizerFiles } from "./gguf-model-files.ts";

const tokenizer: GgufTokenizerFiles = {
  definition: { model: 1 },
  settings: { class: "x" },
  chatTemplates: new Map([
    ["default", "{{ a }}"],
    ["tool_use", "{{ b }}"],
    ["../../evil", "{{ c }}"],
    ["a/b", "{{ d }}"],
  ]),
  tokenIds: { bos_token_id: 1, eos_token_id: [2, 3] },
  notices: ["a notice"],
};

function filesOf(
  entries: Record<string, GgufValue>,
  read: () => GgufTokenizerFiles = () => tokenizer,
): GgufModelFiles {
  const config = { hidden_size: 8, bos_token_id: 7 };
  const metadata = new GgufMetadata("m.gguf", new Map(Object.entries(entries)));
  return new GgufModelFiles("/models/m.gguf", config, metadata, read);
}

test("files stand for what the metadata says; no chat template leads out of its folder", async () => {
  const files = filesOf({});
  expect(await files.sidecars()).toEqual([
    "chat_template.jinja",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "additional_chat_templates/tool_use.jinja",
  ]);
  expect(await files.templates()).toEqual(["additional_chat_templates/tool_use.jinja"]);
  expect(await files.text("chat_template.jinja")).toBe("{{ a }}");
  expect(await files.text("additional_chat_templates/../../evil.jinja")).toBeNull();
  expect(await files.json("config.json")).toMatchObject({ hidden_size: 8 });
  expect(await files.text("tokenizer.json")).toBe('{\n  "model": 1\n}\n');
  expect(await files.text("adapter_config.json")).toBeNull();
  expect(await files.notices()).toEqual([
    "a notice",
    expect.stringMatching(/no names of files are left out: "\.\.\/\.\.\/evil", "a\/b"/),
  ]);
  await expect(files.hash("run.json")).rejects.toThrow(/m\.gguf says nothing for run\.json/);
});

test("recommended sampling becomes settings of generation", async () => {
  const sampled = filesOf({
    "general.sampling.temp": meta.f32(0.7),
    "general.sampling.top_k": { type: "i32", value: 20 },
    "general.sampling.top_p": meta.f32(0.8),
    "general.sampling.min_p": meta.f32(0.05),
    "general.sampling.penalty_repeat": meta.f32(1.1),
  });
  expect(await sampled.json("generation_config.json")).toEqual({
    bos_token_id: 1,
    eos_token_id: [2, 3],
    do_sample: true,
    temperature: 0.7,
    top_k: 20,
    top_p: 0.8,
    min_p: 0.05,
    repetition_penalty: 1.1,
  });
  const greedy = filesOf({ "general.sampling.temp": meta.f32(0) });
  expect(await greedy.json("generation_config.json")).toEqual(tokenizer.tokenIds);
});

test("a tokenizer that cannot be rebuilt keeps nothing but itself from being read", async () => {
  let asked = 0;
  const files = filesOf({}, () => {
    asked++;
    throw new UnsupportedError("unknown pre-tokenizer");
  });
  expect(await files.json("generation_config.json")).toEqual({ bos_token_id: 7 });
  expect(await files.json("config.json")).toMatchObject({ hidden_size: 8 });
  expect(await files.notices()).toEqual([]);
  await expect(files.json("tokenizer.json")).rejects.toThrow(UnsupportedError);
  await expect(files.sidecars()).rejects.toThrow(/unknown pre-tokenizer/);
  expect(asked).toBe(1);
});
