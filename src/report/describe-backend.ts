import { formatPlural } from "./format.ts";

/** Says in one line what computes: `native (AVX-512), 2 threads`. */
export function describeBackend(backend: {
  readonly description: string;
  readonly threads: number;
}): string {
  return `${backend.description}, ${formatPlural(backend.threads, "thread")}`;
}
