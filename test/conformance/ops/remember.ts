const results = new Map<string, unknown>();

/** Computes a value once per key: the exact results are the same for every backend. */
export function remember<T>(key: string, compute: () => T): T {
  if (!results.has(key)) results.set(key, compute());
  return results.get(key) as T;
}
