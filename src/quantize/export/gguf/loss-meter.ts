/** What rounding did to weights. */
export interface WeightLoss {
  /** Weights of tensors that were not written exactly. */
  readonly weights: number;
  /** How many of them have another value. */
  readonly changed: number;
  /** `√(Σ(ŵ − w)² / Σw²)` */
  readonly relativeError: number;
}

/** The loss of one tensor. */
export interface TensorLoss extends WeightLoss {
  readonly name: string;
  readonly type: string;
}

/** The loss of a whole export. */
export interface ExportLoss extends WeightLoss {
  /** By type. */
  readonly types: Readonly<Record<string, WeightLoss>>;
  /** The tensor with the largest relative error. */
  readonly worst: TensorLoss;
}

interface Sums {
  weights: number;
  changed: number;
  errors: number;
  squares: number;
}

/** Adds up what rounding does, tensor by tensor. */
export class LossMeter {
  private readonly tensors: TensorLoss[] = [];
  private readonly sums = new Map<string, Sums>();
  private current: Sums = { weights: 0, changed: 0, errors: 0, squares: 0 };

  /** Adds some weights of the tensor that is being written, before and after. */
  add(before: Float32Array, after: Float32Array): void {
    const { current } = this;
    let [changed, errors, squares] = [0, 0, 0];
    for (let i = 0; i < before.length; i++) {
      const error = after[i] - before[i];
      if (error !== 0) changed++;
      errors += error * error;
      squares += before[i] * before[i];
    }
    current.weights += before.length;
    current.changed += changed;
    current.errors += errors;
    current.squares += squares;
  }

  /** Ends a tensor, whose weights were all added. */
  finishTensor(name: string, type: string): void {
    const { current } = this;
    this.tensors.push({ name, type, ...lossOf(current) });
    const all = this.sums.get(type) ?? { weights: 0, changed: 0, errors: 0, squares: 0 };
    this.sums.set(type, addSums(all, current));
    this.current = { weights: 0, changed: 0, errors: 0, squares: 0 };
  }

  /** What all tensors lost; null when none was added. */
  get loss(): ExportLoss | null {
    const [first, ...others] = this.tensors;
    if (!first) return null;
    const worst = others.reduce((a, b) => (b.relativeError > a.relativeError ? b : a), first);
    const types = [...this.sums].map(([type, sums]) => [type, lossOf(sums)] as const);
    const all = [...this.sums.values()].reduce(addSums);
    return { ...lossOf(all), types: Object.fromEntries(types), worst };
  }
}

function addSums(a: Sums, b: Sums): Sums {
  return {
    weights: a.weights + b.weights,
    changed: a.changed + b.changed,
    errors: a.errors + b.errors,
    squares: a.squares + b.squares,
  };
}

function lossOf({ weights, changed, errors, squares }: Sums): WeightLoss {
  return { weights, changed, relativeError: squares > 0 ? Math.sqrt(errors / squares) : 0 };
}
