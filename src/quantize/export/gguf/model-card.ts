/** What the front matter of a README says of a model. */
export interface ModelCard {
  readonly license: string | null;
  readonly licenseName: string | null;
  readonly licenseLink: string | null;
  /** Repositories that the model was made from. */
  readonly baseModels: readonly string[];
  readonly languages: readonly string[];
  readonly tags: readonly string[];
}

/** Longest value that is taken over. */
const longestValue = 1000;

/**
 * Reads what counts of the front matter of a model's README: lines between `---`, of which
 * `key: value`, `key: [a, b]` and lists of `- item` are understood. Whatever else stands there is
 * passed over.
 */
export function readModelCard(readme: string): ModelCard {
  const values = readFrontMatter(readme);
  const one = (key: string): string | null => values.get(key)?.[0] ?? null;
  return {
    license: one("license"),
    licenseName: one("license_name"),
    licenseLink: one("license_link"),
    baseModels: values.get("base_model") ?? [],
    languages: values.get("language") ?? [],
    tags: values.get("tags") ?? [],
  };
}

function readFrontMatter(readme: string): ReadonlyMap<string, readonly string[]> {
  const [, text = ""] = /^---\r?\n([\s\S]*?)\r?\n---\r?(?:\n|$)/.exec(readme) ?? [];
  const values = new Map<string, string[]>();
  let list: string[] | null = null;
  for (const line of text.split(/\r?\n/)) {
    const item = /^\s*- +(.+)$/.exec(line);
    if (item) {
      list?.push(...plain(item[1]));
      continue;
    }
    const [, key, value = ""] = /^([A-Za-z_]+):\s*(.*)$/.exec(line) ?? [];
    list = key === undefined ? null : readValues(value);
    if (key !== undefined && list) values.set(key, list);
  }
  return values;
}

function readValues(value: string): string[] {
  const [, inner] = /^\[(.*)\]\s*$/.exec(value) ?? [];
  return inner === undefined ? plain(value) : inner.split(",").flatMap(plain);
}

/** A scalar without quotes; nothing where it is empty, too long or of another kind. */
function plain(text: string): string[] {
  const trimmed = text.trim().replace(/^(["'])(.*)\1$/, "$2");
  const isScalar = trimmed !== "" && !/^[{[|>&*]/.test(trimmed);
  return isScalar && trimmed.length <= longestValue ? [trimmed] : [];
}
