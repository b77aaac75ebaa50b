/** Whether products are made row by row now. */
const open = { rowwise: false };

/**
 * Runs `body`, in which the products of a row do not depend, to the bit, on how many rows there are:
 * what a token gives is the same alone, in a crowd, and however a text is cut into passes. It is as
 * fast with few rows; dense products of many rows are slower than otherwise.
 */
export function rowwise<R>(body: () => R): R {
  const before = open.rowwise;
  open.rowwise = true;
  try {
    return body();
  } finally {
    open.rowwise = before;
  }
}

/** Whether the products that are made now must not depend on the number of rows. */
export function isRowwise(): boolean {
  return open.rowwise;
}
