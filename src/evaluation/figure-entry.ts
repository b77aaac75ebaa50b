import type { Figure } from "./figure.ts";

/** Paths to the numbers of `T`. */
type PathOf<T> = {
  [K in keyof T & string]: NonNullable<T[K]> extends number
    ? K
    : NonNullable<T[K]> extends string | readonly unknown[]
      ? never
      : `${K}.${PathOf<NonNullable<T[K]>>}`;
}[keyof T & string];

type IntervalOf<Path> = Path extends `${infer Place}.low` ? Place : never;

/** A figure as declared: lower is better and the axis logarithmic unless it says otherwise. */
export interface FigureEntry<Of extends Figure["of"], T>
  extends Omit<Figure, "id" | keyof typeof usualFigure>,
    Partial<Pick<Figure, keyof typeof usualFigure>> {
  readonly of: Of;
  readonly path?: PathOf<T>;
  readonly interval?: IntervalOf<PathOf<T>>;
  readonly error?: PathOf<T>;
}

/** What a figure is unless it says otherwise. */
export const usualFigure = { better: "lower", scale: "logarithmic" } as const;
