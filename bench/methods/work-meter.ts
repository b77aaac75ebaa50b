import type { OpTime } from "../../src/kernels/native/addon.ts";
import type { NativeBackend } from "../../src/kernels/native/native-backend.ts";

/** What some work took, in seconds. */
export interface WorkTime {
  readonly seconds: number;
  /** What of it was spent in matrix products. */
  readonly products: number;
}

const productOps = new Set(["matmul", "gram"]);

/**
 * Measures work of this process: with one thread processor time, which other programs do not make
 * longer, with more of them time by the clock, which is what threads are for.
 */
export class WorkMeter {
  private readonly backend: NativeBackend;
  private all = process.cpuUsage();
  private script = process.threadCpuUsage();
  private startedMs = 0;

  constructor(backend: NativeBackend) {
    this.backend = backend;
  }

  /** Begins, when what was asked of the backend before is done. */
  begin(): void {
    this.backend.profile();
    this.startedMs = performance.now();
    this.all = process.cpuUsage();
    this.script = process.threadCpuUsage();
  }

  /** Ends, when all that was asked of the backend is done. */
  end(): WorkTime {
    const { nanoseconds, share } = timeOfOps(this.backend.profile(), productOps);
    if (this.backend.threads > 1) {
      return { seconds: (performance.now() - this.startedMs) / 1e3, products: nanoseconds / 1e9 };
    }
    const seconds = secondsOf(process.cpuUsage(this.all));
    const native = seconds - secondsOf(process.threadCpuUsage(this.script));
    return { seconds, products: native * share };
  }
}

/** The executor's time in some ops, and which share of its time in all that is. */
export function timeOfOps(
  profile: readonly OpTime[],
  ops: ReadonlySet<string>,
): { readonly nanoseconds: number; readonly share: number } {
  const times = profile.filter(({ op }) => !op.startsWith("("));
  const [all, nanoseconds] = [sumOf(times), sumOf(times.filter(({ op }) => ops.has(op)))];
  return { nanoseconds, share: all === 0 ? 0 : nanoseconds / all };
}

function sumOf(times: readonly { readonly nanoseconds: number }[]): number {
  return times.reduce((sum, { nanoseconds }) => sum + nanoseconds, 0);
}

function secondsOf({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1e6;
}
