import { absolutePath, baseName, listDirectory, parentPath, status } from "../platform/node.ts";
import { FormatError } from "../util/errors.ts";

/** Says why a path is no checkpoint directory, with the nearest name that is one. */
export async function explainMissingDirectory(path: string): Promise<FormatError> {
  const found = await status(path);
  if (found) {
    return new FormatError(`${path} is a file, expected a model directory`, {
      hint: `name its folder: ${parentPath(path)}`,
    });
  }
  const nearest = await nearestName(path);
  const hint = nearest
    ? `did you mean ${nearest}?`
    : /^[\w.-]+\/[\w.-]+$/.test(path)
      ? `for a model of the Hugging Face Hub write hf:${path}`
      : "check the path";
  return new FormatError(`there is no folder ${path}`, { hint });
}

async function nearestName(path: string): Promise<string | null> {
  const wanted = baseName(absolutePath(path));
  const parent = parentPath(absolutePath(path));
  if ((await status(parent))?.kind !== "directory") return null;
  let nearest: string | null = null;
  let least = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const { name, kind } of await listDirectory(parent).catch(() => [])) {
    const distance = editDistance(wanted.toLowerCase(), name.toLowerCase());
    if (kind !== "directory" || distance >= least) continue;
    nearest = name;
    least = distance;
  }
  // Keep the spelling of the path up to its last part.
  return nearest === null ? null : path.replace(/[^/\\]+[/\\]*$/, () => nearest);
}

/** Levenshtein's distance: the fewest insertions, deletions and replacements of characters. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Says what stands in a directory in place of safetensors weights. */
export async function explainMissingWeights(path: string): Promise<FormatError> {
  return missingWeights(
    path,
    (await listDirectory(path)).map((entry) => entry.name),
  );
}

/** Says what a directory or repository of these files has in place of safetensors weights. */
export function missingWeights(path: string, names: readonly string[]): FormatError {
  const torch = names.find((name) => /\.(bin|pt|pth|ckpt)$/.test(name));
  const gguf = names.find((name) => name.endsWith(".gguf"));
  const other = names.find((name) => name.endsWith(".safetensors"));
  if (other) {
    return new FormatError(
      `${path} has ${other}, but no model.safetensors and no index of shards`,
      {
        hint: "an adapter (LoRA) must first be merged into its base model; a lone shard needs its index",
      },
    );
  }
  if (torch) {
    return new FormatError(`${path} has PyTorch weights (${torch}), safetensors are needed`, {
      hint:
        "convert them in Python: AutoModelForCausalLM.from_pretrained(folder)" +
        ".save_pretrained(newFolder)",
    });
  }
  if (gguf) {
    return new FormatError(`${path} has GGUF weights (${gguf}), safetensors are needed`, {
      hint: "take the original model that the GGUF file was made from",
    });
  }
  return new FormatError(`${path} has no weights`, {
    hint: "expected model.safetensors, or shards with model.safetensors.index.json",
  });
}
