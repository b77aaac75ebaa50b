import { BackendError } from "../util/errors.ts";
import type { Backend, BackendId } from "./backend.ts";

/** What a caller may say about the backend it wants. */
export interface BackendOptions {
  /** Which backend; by default the fastest that works here. */
  readonly backend?: BackendId;
  /** Threads that kernels use; by default as many as the machine offers. */
  readonly threads?: number;
}

/** A backend that was opened, and what there is to say about the choice. */
export interface OpenedBackend {
  readonly backend: Backend;
  /** One line for the user when a faster backend could not be used; otherwise null. */
  readonly notice: string | null;
}

type Opener = (options: { threads?: number }) => Backend;

const openers = new Map<BackendId, Opener>();
/** Backends that are open already, by id and threads. */
const opened = new Map<string, Backend>();

/** Makes a backend known. Entry points call this, fastest first; nobody else imports kernels. */
export function registerBackend(id: BackendId, open: Opener): void {
  openers.set(id, open);
}

/** Models that meet in one computation must share a backend: ops run in order only within one. */
function openOnce(id: BackendId, open: Opener, options: { threads?: number }): Backend {
  const key = `${id} ${options.threads ?? ""}`;
  const backend = opened.get(key) ?? open(options);
  opened.set(key, backend);
  return backend;
}

/** Lists the backends that were registered, fastest first. */
function registeredBackends(): BackendId[] {
  return [...openers.keys()];
}

/**
 * Opens the backend asked for, or the first registered one that works. The same options give the
 * same backend.
 * @throws BackendError when the one asked for, or every one, fails to open
 */
export function openBackend(options: BackendOptions = {}): OpenedBackend {
  const wanted = options.backend ? [options.backend] : registeredBackends();
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  let notice: string | null = null;
  for (const id of wanted) {
    const open = openers.get(id);
    if (!open) {
      throw new BackendError(`backend "${id}" is not part of this build`, {
        hint: `use ${registeredBackends().join(" or ")}`,
      });
    }
    try {
      return { backend: openOnce(id, open, threads), notice };
    } catch (error) {
      if (options.backend || !(error instanceof BackendError)) throw error;
      notice = error.hint ? `${error.message} (${error.hint})` : error.message;
    }
  }
  throw new BackendError(notice ?? "no backend is registered");
}
