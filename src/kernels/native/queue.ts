import type { Storage } from "../../backend/kernels.ts";
import { outOfMemory } from "../../platform/node.ts";
import { BackendError } from "../../util/errors.ts";
import type { Addon, OpTime, QueueHandle } from "./addon.ts";

const sweepInterval = 64;

/** What an op is called with. */
type CallValues = readonly (Storage | number | null)[];

/** Queues with unfinished work: keeps them, and the arrays they use, from being collected. */
const busyQueues = new Set<NativeQueue>();

/** A queue of native calls, run in order by threads of its own. */
export class NativeQueue {
  private readonly addon: Addon;
  private readonly handle: QueueHandle;
  private readonly ids: ReadonlyMap<string, number>;
  /** Number of finished calls modulo 2³², written by the executor thread. */
  private readonly completed: Int32Array = new Int32Array(1);
  private enqueued = 0;
  /** Values of the calls that may be unfinished, oldest first. */
  private pinned: CallValues[] = [];

  /** @throws BackendError when the level is not available or no thread can be started */
  constructor(addon: Addon, level: string, threads: number) {
    this.addon = addon;
    this.ids = new Map(addon.ops.map(({ name }, id) => [name, id]));
    try {
      this.handle = addon.openQueue(level, threads, this.completed);
    } catch (error) {
      throw new BackendError(`cannot open a native queue (${level}, ${threads} threads)`, {
        cause: error,
        hint: "use fewer threads, or another FEWBIT_LEVEL",
      });
    }
  }

  /** Hands out `bytes` bytes of memory, contents undefined. @throws OutOfMemoryError without any */
  allocate(bytes: number): ArrayBuffer {
    try {
      return this.addon.allocate(bytes);
    } catch (error) {
      throw outOfMemory(bytes, "packed weights", error);
    }
  }

  /**
   * Appends a call and returns at once. The arrays are kept alive until it has run.
   * @param values buffers, then sizes (integers), then reals
   * @throws BackendError when the addon has no such op, or takes other arguments
   */
  run(op: string, values: CallValues): void {
    const id = this.ids.get(op);
    if (id === undefined) throw staleAddon(`it has no op "${op}"`);
    try {
      this.addon.enqueue(this.handle, id, ...values);
    } catch (error) {
      throw staleAddon(`${op}: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.pin(values);
  }

  /**
   * Waits, without blocking the thread, until everything enqueued so far has run.
   * @throws BackendError when a call failed since the last wait
   */
  async synchronize(): Promise<void> {
    const reached = this.addon.synchronize(this.handle);
    this.pin([]);
    const failure = await reached;
    this.sweep();
    if (failure !== undefined) {
      throw new BackendError(`a native kernel failed: ${failure}`, {
        hint: "this is a bug in fewbit; FEWBIT_BACKEND=reference avoids the native kernels",
      });
    }
  }

  /** Blocks the thread until everything enqueued so far has run. */
  drain(): void {
    this.addon.drain(this.handle);
    this.sweep();
  }

  /** Blocks as `drain`, returns what ops took since the last call, and counts from here on. */
  profile(): OpTime[] {
    const times = this.addon.profile(this.handle);
    this.sweep();
    return times;
  }

  /** Ends the threads; the queue must not be used any more. */
  close(): void {
    this.drain();
    this.addon.closeQueue(this.handle);
  }

  private pin(values: CallValues): void {
    this.enqueued = (this.enqueued + 1) | 0;
    this.pinned.push(values);
    busyQueues.add(this);
    if (this.pinned.length % sweepInterval === 0) this.sweep();
  }

  private sweep(): void {
    const pending = (this.enqueued - Atomics.load(this.completed, 0)) | 0;
    if (pending < this.pinned.length) this.pinned = this.pinned.slice(this.pinned.length - pending);
    if (pending === 0) busyQueues.delete(this);
  }
}

function staleAddon(what: string): BackendError {
  return new BackendError(`the native addon does not fit this version of fewbit: ${what}`, {
    hint: "build it again with `node native/build.mjs`",
  });
}
