/*
 * Products of conditions, such as methods, schemes and families, grow faster than what they show.
 * `npm test` goes through a spread of them, in which every value comes in its turn;
 * `npm run test:thorough` through all.
 */

/** Whether products are gone through whole. */
export const wholeProducts: boolean = process.env.FEWBIT_FULL_PRODUCTS === "1";

/**
 * Gives a function that chooses some of the items that it is shown, those that it chose least often
 * before: over many calls each item that is shown has its turn. The same calls give the same
 * choices. Where products are whole it chooses all.
 */
export function takeTurns<Item>(
  nameOf: (item: Item) => string,
  whole = wholeProducts,
): (items: readonly Item[], count?: number) => Item[] {
  const uses = new Map<string, number>();
  const usesOf = (item: Item): number => uses.get(nameOf(item)) ?? 0;
  return (items, count = 1) => {
    if (whole) return [...items];
    const chosen = items.toSorted((a, b) => usesOf(a) - usesOf(b)).slice(0, count);
    for (const item of chosen) uses.set(nameOf(item), usesOf(item) + 1);
    return chosen;
  };
}
