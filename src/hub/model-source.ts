import { UsageError } from "../util/errors.ts";

/** A model on the Hugging Face Hub, as a user names it. */
export interface HubSource {
  /** `owner/name`. */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** A GGUF file of the repository, by its path there; null for its safetensors checkpoint. */
  readonly file: string | null;
}

const prefix = "hf:";
const usualRevision = "main";
const example =
  "write hf:owner/name or hf:owner/name@revision, such as hf:Qwen/Qwen3-0.6B, and behind it " +
  ":file.gguf for a GGUF file";

/**
 * Reads `hf:owner/name[@revision][:file.gguf]`; null for everything that does not begin with `hf:`,
 * which is a directory or file.
 * @throws UsageError when what follows `hf:` names no model
 */
export function parseHubSource(source: string): HubSource | null {
  if (!source.startsWith(prefix)) return null;
  const whole = source.slice(prefix.length);
  const colon = whole.indexOf(":");
  const text = colon < 0 ? whole : whole.slice(0, colon);
  const file = colon < 0 ? null : whole.slice(colon + 1);
  const at = text.indexOf("@");
  const repo = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? usualRevision : text.slice(at + 1);
  const parts = repo.split("/");
  if (parts.length !== 2 || !parts.every(isName) || repo.includes("--")) {
    // A folder is named without the prefix.
    const isFolder = /^([.~]|[/\\]|[a-z]:\\)/i.test(whole);
    throw new UsageError(`${JSON.stringify(source)} names no model of the Hugging Face Hub`, {
      hint: isFolder ? `for a folder leave out hf: and write ${whole}` : example,
    });
  }
  if (!isRevision(revision)) {
    throw new UsageError(`${JSON.stringify(revision)} is no name of a branch, tag or commit`, {
      hint: example,
    });
  }
  if (file !== null && !isGgufName(file)) {
    throw new UsageError(`${JSON.stringify(file)} is no name of a GGUF file of a repository`, {
      hint: example,
    });
  }
  return { repo, revision, file };
}

/** Tells whether a revision is a commit, which never changes, and not a branch or tag. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Owner and name are names of folders in the cache: nothing in them may lead elsewhere. */
function isName(part: string): boolean {
  return /^[\w][\w.-]{0,95}$/.test(part) && !/[.-]$/.test(part) && !part.includes("..");
}

/** Files are paths in the cache: folders may stand in front of the name, and lead nowhere else. */
function isGgufName(path: string): boolean {
  const isPart = (part: string): boolean => /^[\w][\w.+ ()-]*$/.test(part) && !part.includes("..");
  return path.length <= 300 && path.endsWith(".gguf") && path.split("/").every(isPart);
}

/** Revisions are paths in the cache too: `refs/pr/1` has parts. */
function isRevision(revision: string): boolean {
  return (
    revision.length <= 200 &&
    revision.split("/").every((part) => /^[\w][\w.+-]*$/.test(part) && !part.includes(".."))
  );
}
