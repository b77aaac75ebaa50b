import { expect, it } from "vitest";
import { Prng } from "../../../util/prng.ts";
import { DdpgAgent } from "./ddpg-agent.ts";
import { Mlp } from "./mlp.ts";

it("gradients of the network are those of differences", () => {
  const random = new Prng(2);
  const net = new Mlp([3, 5, 4, 1], true, random);
  const input = Float64Array.from([0.3, -0.2, 0.9]);
  const by = net.backward(net.forward(input), Float64Array.of(1));
  for (const i of input.keys()) {
    const at = (move: number): number => {
      const moved = input.slice();
      moved[i] += move;
      return net.forward(moved).at(-1)?.[0] ?? 0;
    };
    expect((at(1e-5) - at(-1e-5)) / 2e-5).toBeCloseTo(by[i], 8);
  }
});

it("learns an action that is rewarded", () => {
  const random = new Prng(3);
  const agent = new DdpgAgent(2, random, 32);
  const state = Float64Array.of(1, 0);
  const before = Math.abs(agent.act(state, 0) - 0.9);
  for (let episode = 0; episode < 300; episode++) {
    const action = episode < 30 ? random.uniform() : agent.act(state, 0.2);
    agent.remember([{ state, action, next: null }], -Math.abs(action - 0.9));
    if (episode >= 30) agent.learn(2);
  }
  expect(Math.abs(agent.act(state, 0) - 0.9)).toBeLessThan(before - 0.05);
});
