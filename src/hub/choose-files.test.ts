import { expect, test } from "vitest";
import { isModelFile } from "../formats/sidecar-files.ts";
import { chooseFiles } from "./choose-files.ts";

const small = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"];
const others = [
  "README.md",
  "pytorch_model.bin",
  "model.gguf",
  "onnx/model.onnx",
  "original/tokenizer.model",
  "consolidated.safetensors",
  "model-00001-of-00002.safetensors",
];

test("configuration, tokenizer, templates and one form of the weights are chosen, nothing else", () => {
  const names = [...small, ...others, "chat_template.jinja", "model.safetensors"];
  expect(chooseFiles(names, "a/b")).toEqual({
    names: [...small, "chat_template.jinja", "model.safetensors"],
    sharded: false,
  });
});

test("shards are chosen by their index, unless there is a single file", () => {
  const index = "model.safetensors.index.json";
  expect(chooseFiles([...small, ...others, index], "a/b")).toEqual({
    names: [...small, index],
    sharded: true,
  });
  expect(chooseFiles([...small, index, "model.safetensors"], "a/b").sharded).toBe(false);
});

test("a repository without safetensors or configuration is refused, with what it has instead", () => {
  expect(() => chooseFiles(["config.json", "pytorch_model.bin"], "a/b")).toThrow(
    /a\/b has PyTorch weights \(pytorch_model\.bin\)/,
  );
  expect(() => chooseFiles(["config.json", "q4.gguf"], "a/b")).toThrow(
    /a\/b holds its model as GGUF/,
  );
  expect(() => chooseFiles(["model.safetensors"], "a/b")).toThrow(/a\/b has no config\.json/);
});

test("code and processors are chosen too where all files of a model are wanted", () => {
  const names = [...small, ...others, "modeling_novel.py", "model.safetensors"];
  expect(chooseFiles(names, "a/b", isModelFile)).toEqual({
    names: [...small, "modeling_novel.py", "model.safetensors"],
    sharded: false,
  });
});
