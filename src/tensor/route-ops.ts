import { expectShape } from "./shape.ts";
import { embedding } from "./ops.ts";
import { scaleRows } from "./quantization-ops.ts";
import { linear } from "./products.ts";
import { record } from "./tape.ts";
import { Tensor } from "./tensor.ts";

/*
 * What mixtures of experts take: tokens go to some of several layers, whose results are added up.
 * Which go where is known only when scores are: it is the one place where a pass waits.
 */

/** Tokens by the experts that they go to. */
export interface Routes {
  /** Experts that get tokens. */
  readonly experts: readonly {
    readonly index: number;
    /** Its tokens, rising, `[tokens]`. */
    readonly rows: Tensor<"i32">;
  }[];
  /** Rows of all experts, one after the other, `[tokens · top]`. */
  readonly rows: Tensor<"i32">;
  /** 0 for experts that a token goes to, far below all scores for others, `[tokens, experts]`. */
  readonly others: Tensor<"f32">;
  /** Where the score of each stands among `scores`, flat, `[tokens · top]`. */
  readonly places: Tensor<"i32">;
}

/**
 * Sends each token to the `top` experts of its highest scores `[tokens, experts]`, to the first of
 * several that are equal. Waits for the scores.
 * @param isHere which experts count: rows of others are left out
 */
export function routeTokens(
  scores: Tensor<"f32">,
  top: number,
  isHere: (expert: number) => boolean = () => true,
): Routes {
  const { backend } = scores;
  const [tokens = 0, experts = 0] = scores.shape;
  const values = scores.readNow();
  const rowsOf = Array.from({ length: experts }, (): number[] => []);
  const others = new Float32Array(values.length).fill(farBelow);
  for (let token = 0; token < tokens; token++) {
    const own = values.subarray(token * experts, (token + 1) * experts);
    for (const expert of highest(own, top)) {
      if (isHere(expert)) rowsOf[expert].push(token);
      others[token * experts + expert] = 0;
    }
  }
  const indices = (list: readonly number[]): Tensor<"i32"> =>
    Tensor.from(backend, "i32", [list.length], Int32Array.from(list));
  return {
    experts: rowsOf.flatMap((rows, index) =>
      rows.length > 0 ? [{ index, rows: indices(rows) }] : [],
    ),
    rows: indices(rowsOf.flat()),
    others: Tensor.from(backend, "f32", scores.shape, others),
    places: indices(rowsOf.flatMap((rows, expert) => rows.map((row) => row * experts + expert))),
  };
}

/** Added to a score: its share of a softmax is 0. */
const farBelow = -1e30;

/** Indices of the `top` highest values, as many whatever these are. */
function highest(values: Float32Array, top: number): number[] {
  const chosen: number[] = [];
  for (let i = 0; i < values.length; i++) {
    let at = chosen.length;
    while (at > 0 && values[i] > values[chosen[at - 1]]) at--;
    if (at < top) chosen.splice(at, 0, i);
    if (chosen.length > top) chosen.pop();
  }
  return chosen;
}

/** Elements of x at `places [n]` of it laid flat; result `[n]`. */
export function takeElements(x: Tensor<"f32">, places: Tensor<"i32">): Tensor<"f32"> {
  return embedding(x.reshape([x.size, 1]), places).reshape([places.size]);
}

/** Rows of several matrices `[rows, n]` one below the other. */
export function joinRows(parts: readonly Tensor<"f32">[]): Tensor<"f32"> {
  const [{ backend, shape }] = parts;
  const columns = shape[1] ?? 0;
  const starts: number[] = [];
  let rows = 0;
  for (const part of parts) {
    starts.push(rows);
    rows += part.shape[0] ?? 0;
  }
  const out = Tensor.empty(backend, "f32", [rows, columns]);
  const place = (of: Tensor<"f32">, i: number): Tensor<"f32"> =>
    of.slice(starts[i], starts[i] + (parts[i].shape[0] ?? 0));
  for (const [i, part] of parts.entries()) backend.kernels.cast(place(out, i), part);
  const backward = (dOut: Tensor<"f32">): Tensor<"f32">[] =>
    parts.map((part, i) => {
      const dPart = Tensor.empty(backend, "f32", part.shape);
      backend.kernels.cast(dPart, place(dOut, i));
      return dPart;
    });
  return record(out, parts, backward, []);
}

/** `factors[t] · x[t]` for rows t of x `[rows, n]`, factors `[rows]`. */
export function weighRows(x: Tensor<"f32">, factors: Tensor<"f32">): Tensor<"f32"> {
  const out = scaleRows(x, factors);
  return record(out, [x, factors], (dOut, [wantsX, wantsFactors]) => [
    wantsX ? scaleRows(dOut, factors) : null,
    wantsFactors ? rowProducts(dOut, x) : null,
  ]);
}

/** `Σ a[t]·b[t]` a row. */
function rowProducts(a: Tensor<"f32">, b: Tensor<"f32">): Tensor<"f32"> {
  const { backend, shape } = a;
  const [rows = 0, columns = 0] = shape;
  const products = Tensor.empty(backend, "f32", shape);
  backend.kernels.multiply(products, a, b);
  const ones = Tensor.from(backend, "f32", [1, columns], new Float32Array(columns).fill(1));
  const sums = linear(products, ones).reshape([rows]);
  products.release();
  return sums;
}

/** Adds the rows of x `[n, columns]` up to `count` rows: row t goes to `rows[t]`. */
export function addUpRows(x: Tensor<"f32">, rows: Tensor<"i32">, count: number): Tensor<"f32"> {
  expectShape("rows to add up", rows.shape, x.shape.slice(0, 1));
  const { backend } = x;
  const out = Tensor.empty(backend, "f32", [count, x.shape[1] ?? 0]);
  backend.kernels.embeddingBackward(out, x, rows, false);
  const backward = (dOut: Tensor<"f32">): [Tensor<"f32">] => {
    const dX = Tensor.empty(backend, "f32", x.shape);
    backend.kernels.embedding(dX, dOut, rows);
    return [dX];
  };
  return record(out, [x], backward, [rows]);
}
