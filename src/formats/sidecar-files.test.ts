import { expect, test } from "vitest";
import { isModelFile, isSidecarFile } from "./sidecar-files.ts";

test.each([
  ["tokenizer.json", true, true],
  ["additional_chat_templates/tools.jinja", true, true],
  ["modeling_novel.py", false, true],
  ["preprocessor_config.json", true, true],
  ["LICENSE", false, true],
  ["config.json", false, false],
  ["run.json", false, false],
  ["README.md", false, false],
  [".gitattributes", false, false],
  ["model.safetensors", false, false],
  ["model-00001-of-00002.safetensors", false, false],
  ["model.safetensors.index.json", false, false],
  ["pytorch_model.bin", false, false],
  ["optimizer.pt", false, false],
  ["model.Q4_0.GGUF", false, false],
  ["onnx/decoder.json", false, false],
])("%s goes with a known model: %s, with any other: %s", (name, known, other) => {
  expect([isSidecarFile(name), isModelFile(name)]).toEqual([known, other]);
});
