/**
 * Does the same for each of many, some at once, and gives the results in their order. One that fails
 * ends all.
 */
export async function* inTurns<In, Out>(
  items: readonly In[],
  atOnce: number,
  work: (item: In) => Promise<Out>,
): AsyncGenerator<readonly [In, Out], void, void> {
  const begun: Promise<Out>[] = [];
  for (const [index, item] of items.entries()) {
    while (begun.length < Math.min(items.length, index + atOnce)) {
      const next = work(items[begun.length]);
      // It is waited for in its turn.
      next.catch(() => {});
      begun.push(next);
    }
    yield [item, await begun[index]];
  }
}
