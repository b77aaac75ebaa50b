import { z } from "zod";
import { Prng } from "../../util/prng.ts";
import {
  type AllocationProblem,
  type Assignment,
  fits,
} from "../shared/allocation/allocation-problem.ts";
import { DdpgAgent, type Transition } from "../shared/allocation/ddpg-agent.ts";
import { defineSearch } from "../shared/allocation/define-search.ts";
import { actionsOf, type LayerActions } from "../shared/allocation/layer-actions.ts";

const positive = z.coerce.number().int().positive();

/** The best that episodes have found. */
interface Best {
  readonly episode: number;
  readonly assignment: readonly number[];
  readonly reward: number;
}

/**
 * HAQ (arXiv 1811.08886): an agent gives each layer, from the first to the last, bits of its weights
 * and then of its inputs; what exceeds a budget is taken back from the last layer on; all steps of an
 * episode have its reward, `0.1·(accuracy − accuracy of the original)` in percent. For accuracy
 * stands the share of tokens whose most likely successor is the original's: 100 % for the original.
 */
export default defineSearch({
  id: "ddpg",
  title: "HAQ",
  summary: "an agent learns from rewards which bits layers should have (DDPG)",
  paper: { arxiv: "1811.08886" },
  options: z.object({
    episodes: positive.default(120).describe("episodes; published 600"),
    warmup: positive.default(20).describe("episodes of random actions before it learns"),
    width: positive.default(300).describe("units of a hidden layer of its networks"),
    tokens: positive.default(2048).describe("tokens on which a reward is measured"),
  }),
  async search({ problem, options, seed, tryOut, state, report }) {
    const { episodes, warmup, width, tokens } = options;
    const layers = problem.items.map(({ choices }) => actionsOf(choices));
    const states = observe(problem);
    const random = new Prng(seed);
    const agent = new DdpgAgent(states[0].length + 2, random, width);
    // The agent learns anew from the rewards that an interrupted search had measured.
    const rewards = [...((state.earlier as readonly number[] | null) ?? [])];
    let best: Best | null = null;
    for (let episode = 0; episode < episodes; episode++) {
      report(`episode ${episode + 1} of ${episodes}`);
      const steps = roll(
        { agent, layers, states, random, isRandom: episode < warmup },
        episode - warmup,
      );
      const assignment = backOff(problem, layers, steps);
      let reward = rewards[episode];
      if (reward === undefined) {
        const { agreement } = await tryOut(assignment, tokens);
        reward = 0.1 * 100 * (agreement - 1);
        rewards.push(reward);
        await state.save(rewards);
      }
      agent.remember(steps.transitions, reward);
      if (episode >= warmup) agent.learn(steps.transitions.length);
      if (!best || reward > best.reward) best = { episode, assignment, reward };
    }
    return { assignment: best?.assignment ?? [], trials: rewards.length };
  },
});

interface Roll {
  readonly agent: DdpgAgent;
  readonly layers: readonly LayerActions[];
  readonly states: readonly Float64Array[];
  readonly random: Prng;
  readonly isRandom: boolean;
}

/** What an episode did: levels of weights and of inputs of each layer. */
interface Episode {
  readonly weights: number[];
  readonly inputs: number[];
  readonly transitions: Transition[];
}

/** Lets the agent act on each layer, twice. */
function roll({ agent, layers, states, random, isRandom }: Roll, learned: number): Episode {
  const episode: Episode = { weights: [], inputs: [], transitions: [] };
  let previous = 1;
  const seen: Float64Array[] = [];
  const actions: number[] = [];
  for (const [i, { weightLevels, inputLevels }] of layers.entries()) {
    for (const kind of [0, 1]) {
      const levels = kind === 0 ? weightLevels : inputLevels;
      const chosen = kind === 0 ? episode.weights : episode.inputs;
      if (levels === 1) {
        chosen.push(0);
        continue;
      }
      const state = Float64Array.from([...states[i], previous, kind]);
      const action = isRandom ? random.uniform() : agent.act(state, 0.5 * 0.99 ** learned);
      seen.push(state);
      actions.push(action);
      // round((max − min + 1)·a + min − 0.5), as published, over levels in the place of bits
      chosen.push(Math.min(levels - 1, Math.max(0, Math.round(levels * action - 0.5))));
      previous = action;
    }
  }
  for (const [i, state] of seen.entries()) {
    const next = seen[i + 1] ?? null;
    episode.transitions.push({ state, action: actions[i], next });
  }
  return episode;
}

/** From the last layer back: inputs a level down, weights a level down, until all budgets are kept. */
function backOff(
  problem: AllocationProblem,
  layers: readonly LayerActions[],
  { weights, inputs }: Episode,
): Assignment {
  const assignment = (): number[] => layers.map(({ at }, i) => at(weights[i], inputs[i]));
  for (;;) {
    let moved = false;
    for (let i = layers.length - 1; i >= 0; i--) {
      for (const levels of [inputs, weights]) {
        if (fits(problem, assignment())) return assignment();
        if (levels[i] === 0) continue;
        levels[i]--;
        moved = true;
      }
    }
    if (!moved) return assignment();
  }
}

/** What the agent sees of each item, each figure from 0 to 1 over the items. */
function observe({ items }: AllocationProblem): Float64Array[] {
  const kinds = [...new Set(items.map(({ name }) => name.replace(/^.*? /, "")))];
  const raw = items.map(({ name, block, choices }, i) => {
    const sizes = choices.map(({ costs }) => costs[0]);
    const damages = choices.map(({ damage }) => damage);
    return [
      kinds.indexOf(name.replace(/^.*? /, "")),
      block,
      i,
      Math.min(...sizes),
      Math.max(...sizes),
      choices.length,
      Math.log(Math.max(...damages) + 1e-30),
      Math.log(Math.min(...damages) + 1e-30),
    ];
  });
  const columns = raw[0].map((_, j) => raw.map((row) => row[j]));
  const ranges = columns.map((column) => [Math.min(...column), Math.max(...column)]);
  return raw.map((row) =>
    Float64Array.from(row, (value, j) => {
      const [low, high] = ranges[j];
      return high > low ? (value - low) / (high - low) : 0;
    }),
  );
}
