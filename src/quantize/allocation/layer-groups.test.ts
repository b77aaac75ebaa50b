import { describe, expect, it } from "vitest";
import { readModelCase } from "../../../test/golden/model-cases.ts";
import { describeLinears } from "../../models/decoder-tensors.ts";
import { readModelConfig } from "../../models/index.ts";
import { layerGroups, weightsOf } from "./layer-groups.ts";
import { tableScheme } from "./table-schemes.ts";

function groupsOf(name: string, choices: readonly string[] = ["w2g64", "w4g64"]) {
  const config = readModelConfig(readModelCase(name).config);
  const linears = describeLinears(config);
  return { linears, groups: layerGroups(linears, choices, config.names) };
}

const namesIn = (name: string, block = 0): string[] =>
  groupsOf(name)
    .groups.filter((group) => group.block === block)
    .map((group) => group.name);

describe("layerGroups", () => {
  it.each([
    [
      "llama",
      [
        "self_attn.q_proj+k_proj+v_proj",
        "self_attn.o_proj",
        "mlp.gate_proj+up_proj",
        "mlp.down_proj",
      ],
    ],
    [
      "olmo2",
      [
        "self_attn.q_proj+k_proj+v_proj",
        "self_attn.o_proj",
        "mlp.gate_proj+up_proj",
        "mlp.down_proj",
      ],
    ],
    ["gpt2", ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"]],
    ["phi3", ["self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj"]],
    ["mixtral", ["self_attn.q_proj+k_proj+v_proj", "self_attn.o_proj", "experts"]],
  ])("%s: what reads the same is together", (name, expected) => {
    expect(namesIn(name)).toEqual(expected.map((kind) => `block 0 ${kind}`));
  });

  it("all experts of a block are one, shared ones apart, and no gate is among them", () => {
    const { linears, groups } = groupsOf("qwen2-moe");
    const experts = groups.filter(({ name }) => name.endsWith("experts"));
    const members = experts.flatMap((group) => group.linears.map(({ module }) => module));
    expect(members).toEqual(
      linears.filter(({ expert }) => expert !== undefined).map(({ module }) => module),
    );
    expect(namesIn("qwen2-moe", experts[0].block).join()).toMatch(
      /shared_expert\.gate_proj\+up_proj/,
    );
    const all = groups.flatMap((group) => group.linears.map(({ module }) => module));
    expect(all.sort()).toEqual(linears.map(({ module }) => module).sort());
    expect(all.some((module) => /mlp\.gate$|router/.test(module))).toBe(false);
  });

  it("counts all that is stored, and gives short rows types with shorter blocks", () => {
    const [group] = groupsOf("llama", ["w4", "q4_k"]).groups;
    const [planar, blocks] = group.options;
    expect((8 * planar.bytes) / weightsOf(group)).toBeGreaterThan(4);
    expect(blocks.schemes.map(({ id }) => id)).toEqual(["q5_0", "q5_0", "q5_0"]);
  });
});

describe("tableScheme", () => {
  const choices = ["w2g64", "w4g64", "w8"];
  it.each([
    [["head"], 2.5, "w8"],
    [["embedding", "head"], 3, "w8"],
    [["embedding"], 2.5, "w2g64"],
    [["embedding"], 3, "w4g64"],
    [["embedding"], 9, "w8"],
  ])("%j at %d bits is %s", (roles, bits, expected) => {
    expect(tableScheme(roles, choices, bits).id).toBe(expected);
  });

  it("a head has the largest choice where none has six bits", () => {
    expect(tableScheme(["head"], ["w2g64", "w4g64"], 3).id).toBe("w4g64");
  });
});
