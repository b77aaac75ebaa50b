import type { z } from "zod";
import type { FoundAssignment, TrialSearch } from "./allocation-problem.ts";

/** A way to choose schemes that tries them on the model. */
export interface SearchDefinition<Shape extends z.core.$ZodLooseShape> {
  readonly id: string;
  readonly title: string;
  /** In a few words, for lists. */
  readonly summary: string;
  readonly paper: { readonly arxiv: string };
  readonly options: z.ZodObject<Shape>;
  readonly search: (problem: TrialSearch<z.output<z.ZodObject<Shape>>>) => Promise<FoundAssignment>;
}

/** A search as shared code sees it. */
export interface Search extends Omit<SearchDefinition<z.core.$ZodLooseShape>, "search"> {
  readonly search: (problem: TrialSearch<unknown>) => Promise<FoundAssignment>;
}

/** Checks a search's definition by its types. */
export function defineSearch<Shape extends z.core.$ZodLooseShape>(
  definition: SearchDefinition<Shape>,
): Search {
  return definition as unknown as Search;
}
