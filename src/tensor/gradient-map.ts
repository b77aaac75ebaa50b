import type { Storage } from "../backend/kernels.ts";
import type { Shape } from "./shape.ts";
import { keep, Tensor } from "./tensor.ts";

/**
 * Gradients by the storage of what they belong to. One tensor may be the gradient of several things
 * (both inputs of a sum): it is counted, added to in place only where it has one owner, and given
 * back with its last one.
 */
export class GradientMap {
  private readonly gradients = new Map<Storage, Tensor<"f32">>();
  private readonly owners = new Map<Storage, number>();

  /** Adds a gradient, and takes it over. */
  add(of: Storage, gradient: Tensor<"f32">): void {
    this.count(gradient, 1);
    const earlier = this.gradients.get(of);
    if (!earlier) {
      this.gradients.set(of, gradient);
      return;
    }
    const sum = this.isShared(earlier)
      ? Tensor.empty(earlier.backend, "f32", earlier.shape)
      : earlier;
    const { kernels } = earlier.backend;
    kernels.add(sum, earlier, gradient.reshape(earlier.shape));
    if (sum !== earlier) {
      this.count(sum, 1);
      this.gradients.set(of, sum);
      this.drop(earlier);
    }
    this.drop(gradient);
  }

  /** The gradient so far, to be added to in place; null without one, or where it has other owners. */
  sumOf(of: Storage): Tensor<"f32"> | null {
    const sum = this.gradients.get(of);
    return sum && !this.isShared(sum) ? sum : null;
  }

  /** Takes a gradient out; the caller drops it, or owns it from then on. */
  take(of: Storage): TakenGradient | null {
    const tensor = this.gradients.get(of);
    if (!tensor) return null;
    this.gradients.delete(of);
    return {
      tensor,
      drop: () => this.drop(tensor),
      own: (shape) => this.own(tensor, shape),
    };
  }

  /** Gives all gradients back. */
  release(): void {
    for (const tensor of this.gradients.values()) this.drop(tensor);
    this.gradients.clear();
  }

  /** A tensor that nobody else has: the gradient itself, or a copy of a shared one. */
  private own(tensor: Tensor<"f32">, shape: Shape): Tensor<"f32"> {
    if (!this.isShared(tensor)) {
      this.owners.delete(tensor.root);
      return keep(tensor).reshape(shape);
    }
    const copy = keep(Tensor.empty(tensor.backend, "f32", shape));
    tensor.backend.kernels.cast(copy, tensor);
    this.drop(tensor);
    return copy;
  }

  private isShared(tensor: Tensor): boolean {
    return (this.owners.get(tensor.root) ?? 0) > 1;
  }

  private count(tensor: Tensor, change: number): number {
    const owners = (this.owners.get(tensor.root) ?? 0) + change;
    if (owners > 0) this.owners.set(tensor.root, owners);
    else this.owners.delete(tensor.root);
    return owners;
  }

  private drop(tensor: Tensor): void {
    if (this.count(tensor, -1) === 0) tensor.release();
  }
}

/** A gradient that was taken out of the map. */
export interface TakenGradient {
  readonly tensor: Tensor<"f32">;
  /** Gives it back. */
  drop(): void;
  /** Keeps it, beyond open `tidy` scopes too, in this shape. */
  own(shape: Shape): Tensor<"f32">;
}
