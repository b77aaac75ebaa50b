import { templatesFolder } from "./model-files.ts";

/**
 * Files that belong to a model beside its weights and config.json and stay as they are when it is
 * quantized. README.md is not among them: it describes the original.
 */
const sidecars: readonly RegExp[] = [
  /^generation_config\.json$/,
  /^(?:processor|(?:video_)?preprocessor)_config\.json$/,
  /^tokenizer[\w.-]*\.json$/,
  /^tokenizer\.model$/,
  /^vocab\.(json|txt)$/,
  /^merges\.txt$/,
  /^special_tokens_map\.json$/,
  /^added_tokens\.json$/,
  /^chat_template\.(jinja|json)$/,
  new RegExp(String.raw`^${templatesFolder}/[^/]+\.jinja$`),
];

/** Tells by its name whether a file belongs to a model beside its weights and config.json. */
export function isSidecarFile(name: string): boolean {
  return sidecars.some((sidecar) => sidecar.test(name));
}

/** Weights in whatever form, what describes them, and what describes or comes from the original. */
const notCarried =
  /^(?:\..*|config\.json|run\.json|README(?:\.\w+)?|.*\.(?:safetensors|index\.json|bin|pt|pth|ckpt|gguf|h5|msgpack|onnx|ot|npz|tflite))$/i;

/**
 * Tells by its name whether a file of a directory goes with a model whose architecture is not known:
 * all but weights, config.json, hidden files and what describes the original, so that code,
 * processors and licences stay with it.
 */
export function isModelFile(name: string): boolean {
  return !notCarried.test(name) && (!name.includes("/") || isSidecarFile(name));
}
