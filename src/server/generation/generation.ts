import { monotonicMs } from "../../platform/node.ts";
import type {
  EngineFinish,
  EngineRequest,
  EngineToken,
  EngineTokens,
} from "../../runtime/serving/engine-request.ts";
import { CancelledError } from "../../util/errors.ts";
import { ApiError } from "../api-error.ts";
import type { Grammar } from "../grammar/grammar.ts";
import type { GrammarConstraint } from "../grammar/grammar-constraint.ts";
import type { ServerContext, UsedModel } from "../server-context.ts";

/** What happens to one of the texts that a request asks for. */
export type ChoiceEvent =
  | { readonly index: number; readonly token: EngineToken }
  | { readonly index: number; readonly finish: EngineFinish };

/** What texts are to be made. */
export interface GenerationPlan {
  /** One for each text. */
  readonly requests: readonly EngineRequest[];
  /** What each text has to be. */
  readonly grammar?: Grammar | null;
}

/** The texts that one request asks for, as they come. Holds its model until it is closed. */
export class Generation {
  readonly model: UsedModel;
  private readonly server: ServerContext;
  private readonly client: AbortSignal;
  private readonly controller = new AbortController();
  private readonly constraints: GrammarConstraint[] = [];
  private readonly startMs = monotonicMs();
  private readonly timer: ReturnType<typeof setTimeout>;
  private isTooLate = false;
  private readonly leave = (): void => this.controller.abort(new CancelledError());

  /** Takes the model over. `client` is aborted when the client has gone away. */
  constructor(server: ServerContext, model: UsedModel, client: AbortSignal) {
    this.server = server;
    this.model = model;
    this.client = client;
    this.timer = setTimeout(() => {
      this.isTooLate = true;
      this.leave();
    }, server.limits.requestMs);
    this.timer.unref();
    if (client.aborted) this.leave();
    client.addEventListener("abort", this.leave, { once: true });
  }

  /**
   * Hands the texts to the engine: errors of the request come now, before anything is answered.
   * @throws ApiError FewbitError
   */
  async start({ requests, grammar = null }: GenerationPlan): Promise<EngineTokens[]> {
    const { signal } = this.controller;
    const streams: EngineTokens[] = [];
    for (const request of requests) {
      const constraint = grammar ? { constraint: await this.constrain(grammar) } : {};
      streams.push(this.model.engine.submit({ ...request, ...constraint, signal }));
    }
    return streams;
  }

  /** Gives all events of the texts in the order in which they happen, and closes. */
  async *events(streams: readonly EngineTokens[]): AsyncGenerator<ChoiceEvent, void, void> {
    try {
      let isFirst = true;
      for await (const event of merge(streams)) {
        if (isFirst) this.server.metrics.observeFirstToken(monotonicMs() - this.startMs);
        isFirst = false;
        yield event;
      }
    } catch (error) {
      throw this.explain(error);
    } finally {
      this.close();
    }
  }

  /** Ends what is not finished, and gives the model back. */
  close(): void {
    clearTimeout(this.timer);
    this.client.removeEventListener("abort", this.leave);
    if (!this.controller.signal.aborted) this.leave();
    for (const constraint of this.constraints.splice(0)) constraint.dispose();
    this.model.release();
  }

  private async constrain(grammar: Grammar): Promise<GrammarConstraint> {
    const { engine } = this.model;
    const constraint = await this.server.grammars.of(engine.model).constraint(grammar);
    this.constraints.push(constraint);
    return constraint;
  }

  private explain(error: unknown): unknown {
    if (!(error instanceof CancelledError) || this.client.aborted) return error;
    if (!this.isTooLate) {
      const message = "the server is shutting down";
      return new ApiError(503, message, { code: "shutting_down", cause: error });
    }
    const seconds = this.server.limits.requestMs / 1000;
    const message = `the answer was not finished within ${seconds} s`;
    return new ApiError(504, message, { code: "timeout", cause: error });
  }
}

/** What several streams give, in the order in which they give it. */
async function* merge(streams: readonly EngineTokens[]): AsyncGenerator<ChoiceEvent, void, void> {
  const step = async (index: number) => ({ index, step: await streams[index].next() });
  const pull = (index: number): ReturnType<typeof step> => {
    const next = step(index);
    // When the reader goes away, nobody waits for it any more.
    next.catch(() => {});
    return next;
  };
  const pending = new Map(streams.map((_, index) => [index, pull(index)]));
  while (pending.size > 0) {
    const { index, step } = await Promise.race(pending.values());
    if (step.done) {
      pending.delete(index);
      yield { index, finish: step.value };
    } else {
      pending.set(index, pull(index));
      yield { index, token: step.value };
    }
  }
}
