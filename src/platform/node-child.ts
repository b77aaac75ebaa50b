import { type ChildProcess, fork } from "node:child_process";
import * as module from "node:module";
import { fileURLToPath } from "node:url";
import { CancelledError, FewbitError } from "../util/errors.ts";
import { residentBytesOf } from "./node-machine.ts";

/** What a helper process says of itself; anything else is news for the process that started it. */
type Report<News, Result> =
  | { readonly type: "news"; readonly news: News }
  | { readonly type: "result"; readonly result: Result }
  | {
      readonly type: "error";
      readonly code: string;
      readonly message: string;
      readonly hint?: string | undefined;
    };

type Order<Task> = { readonly type: "task"; readonly task: Task } | { readonly type: "cancel" };

/** How a task is done in another process. */
export interface HelperOptions<News> {
  readonly signal?: AbortSignal | undefined;
  /** What it may take; a process that takes more is ended. Default without bounds. */
  readonly limits?: { readonly milliseconds: number; readonly memoryBytes: number };
  readonly onNews: (news: News) => void;
}

/**
 * Has a task done by another process, which runs the module at `url`: the memory of the task is its
 * own, and so is its death. The module calls `serveParent`. Tasks, news and results are plain data.
 * @throws CancelledError when `signal` is aborted
 * @throws FewbitError of code `LIMIT` when it took more than the limits
 * @throws FewbitError of the code that the task failed with; `CRASHED` when the process ended
 */
export async function runInHelper<Task, News, Result>(
  url: string,
  task: Task,
  { signal, limits, onNews }: HelperOptions<News>,
): Promise<Result> {
  // Flags of this process, such as a debugger's port, are not for the other.
  const child = fork(fileURLToPath(url), [], {
    execArgv: [],
    env: { ...process.env, ...compileCache() },
    stdio: ["ignore", 2, 2, "ipc"],
    // Keeps infinite numbers, for which JSON has no word.
    serialization: "advanced",
  });
  let stopWatching = (): void => {};
  const cancel = (): void => order<Task>(child, { type: "cancel" });
  // A process that ends at once leaves none behind that still works.
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await new Promise<Result>((resolve, reject) => {
      child.on("error", (cause) => reject(crashed(cause.message, cause)));
      child.on("exit", (code, killer) => reject(crashed(killer ?? `code ${code}`)));
      child.on("message", (report: Report<News, Result>) => {
        if (report.type === "news") onNews(report.news);
        else if (report.type === "result") resolve(report.result);
        else reject(errorOf(report));
      });
      if (limits) stopWatching = watch(child, limits, reject);
      order<Task>(child, { type: "task", task });
      if (signal?.aborted) cancel();
    });
  } finally {
    stopWatching();
    signal?.removeEventListener("abort", cancel);
    process.off("exit", kill);
    if (child.connected) child.disconnect();
  }
}

/** How often a process with limits is looked at. */
const watchMs = 50;

/** Ends a process that takes more than its limits. Returns what stops the watching. */
function watch(
  child: ChildProcess,
  limits: NonNullable<HelperOptions<never>["limits"]>,
  fail: (error: FewbitError) => void,
): () => void {
  const end = (what: string): void => {
    fail(new FewbitError("LIMIT", what));
    child.kill("SIGKILL");
  };
  const { milliseconds, memoryBytes } = limits;
  const timer = setTimeout(() => end(`takes longer than ${milliseconds / 1000} s`), milliseconds);
  const looker = setInterval(() => {
    const held = child.pid === undefined ? 0 : residentBytesOf(child.pid);
    if (held > memoryBytes) end(`needs more than ${Math.round(memoryBytes / 1e6)} MB of memory`);
  }, watchMs);
  return () => {
    clearTimeout(timer);
    clearInterval(looker);
  };
}

/** Shares compiled modules with the other process, if there are any; Node 22.8 brought them. */
function compileCache(): { NODE_COMPILE_CACHE?: string } {
  const { getCompileCacheDir, flushCompileCache } = module as {
    getCompileCacheDir?: () => string | undefined;
    flushCompileCache?: () => void;
  };
  const folder = getCompileCacheDir?.();
  flushCompileCache?.();
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder };
}

function order<Task>(child: ChildProcess, message: Order<Task>): void {
  // A process that is gone is noticed by its exit.
  if (child.connected) child.send(message, () => {});
}

function crashed(how: string, cause?: unknown): FewbitError {
  return new FewbitError("CRASHED", `the process that did this work ended (${how})`, {
    hint: "SIGKILL most often means that the machine had too little memory",
    cause,
  });
}

function errorOf(report: {
  code: string;
  message: string;
  hint?: string | undefined;
}): FewbitError {
  const { code, message, hint } = report;
  if (code === "CANCELLED") return new CancelledError(message, { hint });
  return new FewbitError(code, message, { hint });
}

/** Does the one task that the parent process sends, then ends; for what `runInHelper` runs. */
export function serveParent<Task, News, Result>(
  work: (task: Task, report: (news: News) => void, signal: AbortSignal) => Promise<Result>,
): void {
  const controller = new AbortController();
  const cancel = (): void => controller.abort(new CancelledError());
  // A parent that is gone is noticed by the end of the connection.
  const send = (message: Report<News, Result>): void => {
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  // Ctrl-C reaches every process of a terminal, and so does its end; the parent decides.
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  process.on("SIGTERM", cancel);
  // What is said there may have nobody who listens any more.
  process.stderr.on("error", () => {});
  process.on("disconnect", () => process.exit());
  process.on("message", (message: Order<Task>) => {
    if (message.type === "cancel") return cancel();
    const report = (news: News): void => send({ type: "news", news });
    work(message.task, report, controller.signal).then(
      (result) => send({ type: "result", result }),
      (error: unknown) => send(describe(error)),
    );
  });
}

function describe(error: unknown): Report<never, never> {
  if (error instanceof FewbitError) {
    const { code, message, hint } = error;
    return { type: "error", code, message, hint };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { type: "error", code: "UNEXPECTED", message };
}
