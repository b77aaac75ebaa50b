import ddpg from "./allocation/ddpg.ts";
import type { Search } from "./shared/allocation/define-search.ts";
import evolution from "./allocation/evolution.ts";

/** Searches that try assignments on the model, by id; without one the knapsack decides. */
export const searches = { evolution, ddpg } satisfies Record<string, Search>;

/** `knapsack`, or the id of a search that begins with what it finds. */
export const searchIds = ["knapsack", ...Object.keys(searches)] as [SearchId, ...SearchId[]];

/** How an allocation is searched for. */
export type SearchId = "knapsack" | keyof typeof searches;

/** The search of an id; null for the knapsack, which tries nothing. */
export function findSearch(id: SearchId): Search | null {
  return id === "knapsack" ? null : searches[id];
}
