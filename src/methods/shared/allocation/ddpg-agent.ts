import type { Prng } from "../../../util/prng.ts";
import { Mlp } from "./mlp.ts";

/** A step of an episode; its last has no next state. */
export interface Transition {
  readonly state: Float64Array;
  readonly action: number;
  readonly next: Float64Array | null;
}

const actorRate = 1e-4;
const criticRate = 1e-3;
const softShare = 0.01;
const batch = 64;
/** Steps that are remembered, for each step of an episode. */
const memoryPerStep = 128;
/** Of the moving average of rewards, which is the base line. */
const baselineDecay = 0.95;

/**
 * Deep deterministic policy gradients (Lillicrap et al., arXiv 1509.02971) with the constants of
 * HAQ: networks of 300 and 300, discount 1, all steps of an episode rewarded alike.
 */
export class DdpgAgent {
  private readonly actor: Mlp;
  private readonly critic: Mlp;
  private readonly slowActor: Mlp;
  private readonly slowCritic: Mlp;
  private readonly random: Prng;
  private readonly memory: (Transition & { readonly reward: number })[] = [];
  private baseline: number | null = null;

  /** @param width of both hidden layers of a network; published 300 */
  constructor(stateSize: number, random: Prng, width = 300) {
    const hidden = [width, width];
    this.random = random;
    const actor = (): Mlp => new Mlp([stateSize, ...hidden, 1], true, random);
    const critic = (): Mlp => new Mlp([stateSize + 1, ...hidden, 1], false, random);
    [this.actor, this.slowActor] = [actor(), actor()];
    [this.critic, this.slowCritic] = [critic(), critic()];
    this.slowActor.follow(this.actor, 1);
    this.slowCritic.follow(this.critic, 1);
  }

  /** The action in a state, 0 to 1, with normal noise that is drawn again where it leads beyond. */
  act(state: Float64Array, deviation: number): number {
    const mean = this.actor.forward(state).at(-1)?.[0] ?? 0;
    for (;;) {
      const action = mean + deviation * this.random.normal();
      if (action >= 0 && action <= 1) return action;
    }
  }

  /** Keeps the steps of an episode. */
  remember(steps: readonly Transition[], reward: number): void {
    for (const step of steps) this.memory.push({ ...step, reward });
    const most = memoryPerStep * steps.length;
    if (this.memory.length > most) this.memory.splice(0, this.memory.length - most);
    const before = this.baseline ?? reward;
    this.baseline = baselineDecay * before + (1 - baselineDecay) * reward;
  }

  /** Learns from so many batches of what is remembered. */
  learn(times: number): void {
    for (let i = 0; i < times; i++) this.learnOnce();
  }

  private learnOnce(): void {
    const { actor, critic, slowActor, slowCritic, memory, random } = this;
    const size = Math.min(batch, memory.length);
    const drawn = Array.from({ length: size }, () => memory[random.below(memory.length)]);
    for (const { state, action, next, reward } of drawn) {
      const after = next ? valueOf(slowCritic, next, actionOf(slowActor, next)) : 0;
      const wanted = reward - (this.baseline ?? 0) + after;
      const pass = critic.forward(joined(state, action));
      const error = (pass.at(-1)?.[0] ?? 0) - wanted;
      critic.backward(pass, Float64Array.of((2 * error) / size));
    }
    critic.step(criticRate);
    for (const { state } of drawn) {
      const pass = actor.forward(state);
      const judged = critic.forward(joined(state, pass.at(-1)?.[0] ?? 0));
      const byInput = critic.backward(judged, Float64Array.of(-1 / size));
      actor.backward(pass, byInput.subarray(state.length));
    }
    critic.clear();
    actor.step(actorRate);
    slowActor.follow(actor, softShare);
    slowCritic.follow(critic, softShare);
  }
}

function joined(state: Float64Array, action: number): Float64Array {
  return Float64Array.from([...state, action]);
}

function actionOf(actor: Mlp, state: Float64Array): number {
  return actor.forward(state).at(-1)?.[0] ?? 0;
}

function valueOf(critic: Mlp, state: Float64Array, action: number): number {
  return critic.forward(joined(state, action)).at(-1)?.[0] ?? 0;
}
