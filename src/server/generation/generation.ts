import { monotonicMs } from "../../platform/node.ts";
import type {
  EngineFinish,
  EngineRequest,
  EngineToken,
  EngineTokens,
} from "../../runtime/serving/engine-request.ts";
import { badRequest } from "../api-error.ts";
import type { Grammar } from "../grammar/grammar.ts";
import type { GrammarConstraint } from "../grammar/grammar-constraint.ts";
import type { ServerContext, UsedModel } from "../server-context.ts";
import { RequestEnd } from "./request-end.ts";

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
  private readonly end: RequestEnd;
  private readonly constraints: GrammarConstraint[] = [];
  private readonly startMs = monotonicMs();

  /** Takes the model over. `client` is aborted when the client has gone away. */
  constructor(server: ServerContext, model: UsedModel, client: AbortSignal) {
    this.server = server;
    this.model = model;
    this.end = new RequestEnd(server.limits, client);
  }

  /**
   * Hands the texts to the engine, and waits until the first one has its turn: errors of the request,
   * and a queue that is full or does not move, come now, before anything is answered.
   * @throws ApiError FewbitError
   */
  async start({ requests, grammar = null }: GenerationPlan): Promise<EngineTokens[]> {
    const { signal } = this.end;
    this.expectRoomAtAll(requests.length);
    const streams: EngineTokens[] = [];
    for (const request of requests) {
      const constraint = grammar ? { constraint: await this.constrain(grammar) } : {};
      streams.push(this.model.engine.submit({ ...request, ...constraint, signal }));
    }
    try {
      await streams[0].begun;
    } catch (error) {
      throw this.end.explain(error);
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
      throw this.end.explain(error);
    } finally {
      this.close();
    }
  }

  /** Ends what is not finished, and gives the model back. */
  close(): void {
    this.end.close();
    for (const constraint of this.constraints.splice(0)) constraint.dispose();
    this.model.release();
  }

  /** Refuses what the queue would never have room for, however often it is asked. */
  private expectRoomAtAll(count: number): void {
    const { maxRunning, maxQueued } = this.model.engine.options;
    const most = maxRunning + maxQueued;
    if (count <= most) return;
    throw badRequest(`this server takes ${most} texts at once, and ${count} are asked for`, "n");
  }

  private async constrain(grammar: Grammar): Promise<GrammarConstraint> {
    const { engine } = this.model;
    const constraint = await this.server.grammars.of(engine.model).constraint(grammar);
    this.constraints.push(constraint);
    return constraint;
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
