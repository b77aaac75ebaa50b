import type { Filter } from "./engine.ts";
import { sequenceFilters } from "./sequence-filters.ts";
import { textFilters } from "./text-filters.ts";
import { valueFilters } from "./value-filters.ts";

/** Every filter, by its name. */
export const filters: ReadonlyMap<string, Filter> = new Map([
  ...valueFilters,
  ...textFilters,
  ...sequenceFilters,
]);

/** Whether there is a filter of this name. */
export function hasFilter(name: string): boolean {
  return filters.has(name);
}
