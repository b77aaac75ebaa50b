import {
  absolutePath,
  baseName,
  fileKinds,
  joinPath,
  listDirectory,
  parentPath,
  status,
} from "../platform/node.ts";
import { FormatError } from "../util/errors.ts";
import { nearestName } from "../util/nearest.ts";
import { listNames } from "./wording.ts";

/** Says why a path is no checkpoint directory, with the nearest name that is one. */
export async function explainMissingDirectory(path: string): Promise<FormatError> {
  const found = await status(path);
  if (found) {
    return new FormatError(`${path} is ${fileKinds[found.kind]}, expected a model directory`, {
      hint: `name its folder: ${parentPath(path)}`,
    });
  }
  const nearest = await nearestDirectory(path);
  const repo = hubName.exec(path)?.[1];
  const hint = nearest
    ? `did you mean ${nearest}?`
    : repo
      ? `for a model of the Hugging Face Hub write hf:${repo}`
      : "check the path";
  return new FormatError(`there is no folder ${path}`, { hint });
}

/** `owner/name`, or the address of the model's page. */
const hubName = /^(?:https?:\/\/huggingface\.co\/)?(\w[\w.-]*\/\w[\w.-]*)\/?$/;

async function nearestDirectory(path: string): Promise<string | null> {
  const parent = parentPath(absolutePath(path));
  if ((await status(parent))?.kind !== "directory") return null;
  const entries = await listDirectory(parent).catch(() => []);
  const folders = entries.filter(({ kind }) => kind === "directory").map(({ name }) => name);
  const nearest = nearestName(baseName(absolutePath(path)), folders);
  // Keep the spelling of the path up to its last part.
  return nearest === null ? null : path.replace(/[^/\\]+[/\\]*$/, () => nearest);
}

/**
 * Says what a directory or repository of these files is, since it has no config.json.
 * @param prefix what a file's name stands behind to name it as a model
 */
export function missingConfig(path: string, names: readonly string[], prefix: string): FormatError {
  const gguf = ggufWeights(path, names, prefix);
  if (gguf) return gguf;
  if (names.includes("adapter_config.json")) {
    return new FormatError(`${path} is an adapter (adapter_config.json), not a model`, {
      hint:
        "merge it into its base model, with PEFT in Python: AutoPeftModelForCausalLM" +
        ".from_pretrained(folder).merge_and_unload().save_pretrained(newFolder)",
    });
  }
  const hint = names.some((name) => name === "params.json" || name.startsWith("consolidated"))
    ? "params.json and consolidated files are another form; take the model in Hugging Face's form"
    : "expected a Hugging Face model: config.json, model.safetensors and tokenizer.json";
  return new FormatError(`${path} has no config.json`, { hint });
}

/** Says what stands in a directory in place of safetensors weights. */
export async function explainMissingWeights(path: string): Promise<FormatError> {
  const entries = await listDirectory(path);
  const names = entries.map(({ name }) => name);
  return missingWeights(path, names, joinPath(path, "/"));
}

/** What to do about a safetensors file of another name. */
function otherWeightsHint(name: string): string {
  if (name.startsWith("adapter"))
    return "an adapter (LoRA) must first be merged into its base model";
  if (name.startsWith("consolidated")) {
    return "these are Mistral's own names of tensors; take the same model in Hugging Face's form";
  }
  if (/-\d+-of-\d+\./.test(name)) return "a shard needs its index: download all files again";
  return "if these are all the weights, name the file model.safetensors";
}

/** The error of a directory or repository whose weights are GGUF files; null where there are none. */
function ggufWeights(path: string, names: readonly string[], prefix: string): FormatError | null {
  const files = names.filter((name) => name.endsWith(".gguf"));
  if (files.length === 0) return null;
  const others = files.length > 1 ? `; there are ${listNames(files, 12)}` : "";
  return new FormatError(`${path} holds its model as GGUF, each file of which is one`, {
    hint: `name a file: ${prefix}${files[0]}${others}`,
  });
}

/**
 * Says what a directory or repository of these files has in place of safetensors weights.
 * @param prefix what a file's name stands behind to name it as a model
 */
export function missingWeights(
  path: string,
  names: readonly string[],
  prefix: string,
): FormatError {
  const torch = names.find((name) => /\.(bin|pt|pth|ckpt)$/.test(name));
  const other = names.find((name) => name.endsWith(".safetensors"));
  if (other) {
    const what = `${path} has ${other}, but no model.safetensors and no index of shards`;
    return new FormatError(what, { hint: otherWeightsHint(other) });
  }
  const gguf = ggufWeights(path, names, prefix);
  if (gguf) return gguf;
  if (torch) {
    return new FormatError(`${path} has PyTorch weights (${torch}), safetensors are needed`, {
      hint:
        "convert them in Python: AutoModelForCausalLM.from_pretrained(folder)" +
        ".save_pretrained(newFolder)",
    });
  }
  return new FormatError(`${path} has no weights`, {
    hint: "expected model.safetensors, or shards with model.safetensors.index.json",
  });
}
