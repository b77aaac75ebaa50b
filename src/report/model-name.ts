import { absolutePath, baseName } from "../platform/node.ts";

const shownDigits = 7;

/** Names a source for people: the last part of it, a commit by its first digits, a GGUF file by its name. */
export function modelName(source: string): string {
  const file = /^hf:.*:(.*\.gguf)$/.exec(source)?.[1];
  if (file !== undefined) return baseName(file);
  const commit = /^(hf:.*@)([0-9a-f]{40})$/.exec(source);
  const short = commit ? `${commit[1]}${commit[2]?.slice(0, shownDigits)}` : source;
  return baseName(absolutePath(short));
}
