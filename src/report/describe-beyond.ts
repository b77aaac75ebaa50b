/** Says of windows that are longer than a context what their figures are worth. */
export function describeBeyond(contextLength: number): string {
  return `beyond the context: positions from ${contextLength} on were never trained`;
}
