import { toApiError } from "../api-error.ts";

/** How events are sent. */
export interface EventStreamOptions {
  /** How long the client may leave what was written unread. */
  readonly stallMs: number;
  /** How long nothing is sent until a comment says that the answer still comes. */
  readonly silentMs?: number;
  /** Called once, however the stream ends. */
  readonly onEnd: (status: number) => void;
}

/** One server-sent event: data, and a name where the interface has names. */
export interface ServerEvent {
  readonly event?: string;
  readonly data: object | "[DONE]";
}

const encoder = new TextEncoder();

function format({ event, data }: ServerEvent): Uint8Array {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return encoder.encode(`${event === undefined ? "" : `event: ${event}\n`}data: ${text}\n\n`);
}

/** Programs between here and the client cut connections on which nothing comes: many after a minute. */
const usualSilenceMs = 15_000;
const comment = encoder.encode(":\n\n");

/** What a promise gives within so long; null when that is not there by then. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
    timer.unref();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The next event, whose error is met when it is waited for. */
function nextOf<T>(events: AsyncGenerator<T, void, void>): Promise<IteratorResult<T, void>> {
  const next = events.next();
  next.catch(() => {});
  return next;
}

/**
 * Sends events as they come. They are asked for when the client has read the ones before; one that
 * reads nothing for `stallMs` is cut off, and so is the work behind the events. What goes wrong
 * midway is an event, too.
 */
export function eventStream(
  events: AsyncGenerator<ServerEvent, void, void>,
  { stallMs, onEnd, silentMs = usualSilenceMs }: EventStreamOptions,
): Response {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOpen = true;
  let pending: ReturnType<typeof events.next> | null = null;
  const end = (status: number): void => {
    clearTimeout(timer);
    if (!isOpen) return;
    isOpen = false;
    onEnd(status);
    // A reader that has gone away leaves the generator where it is.
    void events.return().catch(() => {});
  };
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(timer);
        try {
          pending ??= nextOf(events);
          const step = await within(pending, silentMs);
          if (!isOpen) return;
          if (step?.done) {
            controller.close();
            end(200);
            return;
          }
          if (step) pending = null;
          controller.enqueue(step ? format(step.value) : comment);
          timer = setTimeout(() => {
            controller.error(new Error("the client does not read"));
            end(499);
          }, stallMs);
          timer.unref();
        } catch (error) {
          if (!isOpen) return;
          const failure = toApiError(error);
          controller.enqueue(format({ data: failure.toJSON() }));
          controller.close();
          end(failure.status);
        }
      },
      cancel: () => end(499),
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    },
  });
}
