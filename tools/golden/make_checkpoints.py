"""Small checkpoints with random weights, written by the original tools, and what these tools decode them to.
Writes test/golden/checkpoints/<name>/: config.json, model.safetensors and decoded.json, which has for each module the
SHA-256 of its weight [out, in] in little-endian float32 as the tool decodes it (zeros without their sign), and its first values.

Run: python tools/golden/make_checkpoints.py [name ...]; without names, all. Needs torch, transformers, safetensors and,
for the names that begin so: mlx with mlx-lm (mlx), hqq (hqq), bitsandbytes (bnb), compressed-tensors (fp8-channel), and
for onebit in ONEBIT_SOURCE the folder of a clone of xuyuzhuang11/OneBit, whose packing and unpacking are taken out of it.
"""
import ast
import hashlib
import json
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

TARGET = pathlib.Path(__file__).parents[2] / "test" / "golden" / "checkpoints"


def tiny_model(dtype, hidden=64, intermediate=96, seed=7):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=64, hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=1,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128, tie_word_embeddings=False,
        bos_token_id=1, eos_token_id=2, initializer_range=0.1,
    )
    return LlamaForCausalLM(config).to(dtype).eval()


def linears(model):
    return {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}


def describe(weight):
    # A zero has no sign here: of negative scales it would have one.
    values = np.ascontiguousarray(weight, dtype="<f4") + np.float32(0)
    return {
        "shape": list(values.shape),
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
        "first": values.ravel()[:4].tolist(),
    }


def write(name, config, tensors, decoded, tools):
    folder = TARGET / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tensors = {key: value.contiguous() for key, value in tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    answers = {"tools": tools, "modules": {key: describe(value) for key, value in decoded.items()}}
    (folder / "decoded.json").write_text(json.dumps(answers, indent=1) + "\n")


def config_of(model, quantization):
    return {**json.loads(model.config.to_json_string(use_diff=False)), "quantization_config": quantization}


def version(module):
    from importlib.metadata import version as of
    return f"{module} {of(module)}"


def make_mlx(name, dtype, per_module):
    """mlx_lm's own conversion; the decoded floats are those of mx.dequantize in float32."""
    import mlx.core as mx
    from mlx_lm.convert import convert

    model = tiny_model(dtype, hidden=128, intermediate=128)
    folder = pathlib.Path(tempfile.mkdtemp())
    source, target = folder / "source", folder / "target"
    for path in (source, target):
        shutil.rmtree(path, ignore_errors=True)
    model.save_pretrained(source)
    tokenizer = {"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}
    (source / "tokenizer.json").write_text(json.dumps(tokenizer))
    (source / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))

    def choose(path, module):
        for end, chosen in per_module.items():
            if path.endswith(end):
                return {"group_size": chosen[0], "bits": chosen[1]} if chosen else False
        return True

    convert(str(source), str(target), quantize=True, q_group_size=64, q_bits=4, quant_predicate=choose)
    config = json.loads((target / "config.json").read_text())
    tensors = mx.load(str(target / "model.safetensors"))
    decoded = {}
    for key in tensors:
        if not key.endswith(".scales"):
            continue
        module = key.removesuffix(".scales")
        packed, scales = tensors[f"{module}.weight"], tensors[key].astype(mx.float32)
        own = config["quantization"].get(module) or config["quantization"]
        biases = tensors[f"{module}.biases"].astype(mx.float32)
        decoded[module] = np.array(mx.dequantize(packed, scales, biases, own["group_size"], own["bits"]))
    folder = TARGET / name
    write(name, config, {"none": torch.zeros(1)}, decoded, [version("mlx"), version("mlx-lm")])
    shutil.copy(target / "model.safetensors", folder / "model.safetensors")


def make_hqq(name, bits, group, axis, dtype):
    """transformers' form: the state of each HQQLinear under the name of its module."""
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear, Quantizer

    model = tiny_model(dtype)
    chosen = BaseQuantizeConfig(nbits=bits, group_size=group, axis=axis)
    tensors, decoded = {}, {}
    layers = {key: module for key, module in linears(model).items() if key != "lm_head"}
    for key, value in model.state_dict().items():
        if key.removesuffix(".weight") not in layers:
            tensors[key] = value
    for key, module in layers.items():
        layer = HQQLinear(module, chosen, compute_dtype=dtype, device="cpu", del_orig=False)
        for part, value in layer.state_dict().items():
            tensors[f"{key}.{part}"] = value
        # In float32 the tool's result is not rounded to the dtype of the model.
        wide = {"scale": layer.meta["scale"].float(), "zero": layer.meta["zero"].float(), "compute_dtype": torch.float32}
        decoded[key] = Quantizer.dequantize(layer.W_q, {**layer.meta, **wide}).numpy()
    stated = {"weight_quant_params": chosen["weight_quant_params"], "scale_quant_params": None, "zero_quant_params": None}
    quantization = {"quant_config": stated, "quant_method": "hqq", "skip_modules": ["lm_head"]}
    write(name, config_of(model, quantization), tensors, decoded, [version("hqq")])


def make_bnb4(name, kind, nested, block, dtype):
    import bitsandbytes.functional as F

    model = tiny_model(dtype)
    tensors, decoded = dict(model.state_dict()), {}
    for key, module in linears(model).items():
        if key == "lm_head":
            continue
        codes, state = F.quantize_4bit(module.weight.data, blocksize=block, compress_statistics=nested, quant_type=kind)
        tensors[f"{key}.weight"] = codes
        for part, value in state.as_dict(packed=True).items():
            tensors[f"{key}.weight.{part}"] = value
        # In float32 the tool's result is not rounded to the dtype of the model.
        state.dtype = torch.float32
        decoded[key] = F.dequantize_4bit(codes, state).numpy()
    quantization = {
        "quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False, "bnb_4bit_quant_type": kind,
        "bnb_4bit_use_double_quant": nested, "bnb_4bit_compute_dtype": "bfloat16", "bnb_4bit_quant_storage": "uint8",
    }
    write(name, config_of(model, quantization), tensors, decoded, [version("bitsandbytes")])


def make_bnb8(name, dtype):
    import bitsandbytes.functional as F

    model = tiny_model(dtype)
    tensors, decoded = dict(model.state_dict()), {}
    for key, module in linears(model).items():
        if key == "lm_head":
            continue
        codes, scales, _ = F.int8_vectorwise_quant(module.weight.data.half())
        tensors[f"{key}.weight"] = codes
        tensors[f"{key}.SCB"] = scales
        tensors[f"{key}.weight_format"] = torch.tensor(0, dtype=torch.uint8)
        decoded[key] = F.int8_vectorwise_dequant(codes, scales).float().numpy()
    quantization = {"quant_method": "bitsandbytes", "load_in_4bit": False, "load_in_8bit": True, "llm_int8_threshold": 6.0}
    write(name, config_of(model, quantization), tensors, decoded, [version("bitsandbytes")])


def make_bitnet(name, mode, packed):
    """Ternary weights as microsoft/bitnet-b1.58-2B-4T has them: packed codes and a scale, or latent weights."""
    from transformers.integrations.bitnet import WeightQuant, pack_weights

    model = tiny_model(torch.bfloat16)
    tensors, decoded = dict(model.state_dict()), {}
    for key, module in linears(model).items():
        if key == "lm_head":
            continue
        weight = module.weight.data
        if mode == "online":
            with torch.no_grad():
                decoded[key] = WeightQuant.apply(weight).float().numpy()
            continue
        scale = weight.float().abs().mean().bfloat16().reshape(1)
        ternary = (weight.float() / scale.float()).round().clamp(-1, 1)
        stored = scale if packed == "multiply" else (1 / scale.float()).bfloat16()
        tensors[f"{key}.weight"] = pack_weights(ternary.clone())
        tensors[f"{key}.weight_scale"] = stored
        factor = stored.float() if packed == "multiply" else 1 / stored.float()
        decoded[key] = (ternary * factor).numpy()
    linear = "autobitlinear" if packed == "multiply" or mode == "online" else "bitlinear"
    quantization = {"quant_method": "bitnet", "linear_class": linear, "quantization_mode": mode, "modules_to_not_convert": None}
    write(name, config_of(model, quantization), tensors, decoded, [version("transformers")])


def fp8(values, kind):
    most = torch.finfo(kind).max
    return values.clamp(-most, most).to(kind)


def make_fp8_block(name, block, kind):
    """As DeepSeek and Qwen store it: weight_scale_inv, one scale a block of 128 × 128."""
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize

    model = tiny_model(torch.bfloat16, hidden=128, intermediate=256)
    tensors, decoded = dict(model.state_dict()), {}
    for key, module in linears(model).items():
        if key == "lm_head":
            continue
        weight = module.weight.data.float()
        rows, columns = weight.shape
        height, width = min(rows, block), min(columns, block)
        tiles = weight.reshape(rows // height, height, columns // width, width)
        scales = tiles.abs().amax((1, 3)) / torch.finfo(kind).max
        codes = fp8((tiles / scales[:, None, :, None]).reshape(rows, columns), kind)
        tensors[f"{key}.weight"], tensors[f"{key}.weight_scale_inv"] = codes, scales
        decoded[key] = Fp8Dequantize(None)._dequantize_one(codes, scales, torch.float32).numpy()
    quantization = {
        "quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3", "weight_block_size": [block, block],
        "modules_to_not_convert": ["lm_head"],
    }
    write(name, config_of(model, quantization), tensors, decoded, [version("transformers"), version("torch")])


def make_fp8_compressed(name, strategy):
    """compressed-tensors' float-quantized: one scale a row, or one for all."""
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize

    model = tiny_model(torch.bfloat16)
    args = QuantizationArgs(num_bits=8, type="float", strategy=strategy, symmetric=True)
    tensors, decoded = dict(model.state_dict()), {}
    for key, module in linears(model).items():
        if key == "lm_head":
            continue
        weight = module.weight.data
        most = weight.abs().amax(1, keepdim=True) if strategy == "channel" else weight.abs().amax().reshape(1)
        scale = (most / 448).to(torch.bfloat16)
        zero = torch.zeros_like(scale)
        codes = quantize(weight, scale, zero, args, dtype=torch.float8_e4m3fn)
        tensors[f"{key}.weight"], tensors[f"{key}.weight_scale"] = codes, scale
        decoded[key] = dequantize(codes, scale.float(), None, args).float().numpy()
    weights = {"num_bits": 8, "type": "float", "strategy": strategy, "symmetric": True, "dynamic": False}
    quantization = {
        "quant_method": "compressed-tensors", "format": "float-quantized", "quantization_status": "compressed",
        "ignore": ["lm_head"], "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
    }
    write(name, config_of(model, quantization), tensors, decoded, [version("compressed-tensors")])


def definitions(path, *names):
    """Functions and classes of a script, without running the rest of it."""
    found = [node for node in ast.parse(path.read_text()).body if getattr(node, "name", None) in names]
    space = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "init": torch.nn.init}
    exec(compile(ast.Module(found, []), str(path), "exec"), space)
    return [space[name] for name in names]


def make_onebit(name):
    """OneBit's own pack, by its authors' conversion script and the layer that they run it with."""
    source = pathlib.Path(os.environ["ONEBIT_SOURCE"])
    [pack] = definitions(source / "scripts/convert_llama_to_infer_ckpt.py", "fp16_to_int8")
    [Layer] = definitions(source / "transformers/src/transformers/models/bitnet.py", "BitLinearInf")
    model = tiny_model(torch.float16)
    tensors, decoded = dict(model.state_dict()), {}
    for key, module in linears(model).items():
        if key == "lm_head":
            continue
        weight = module.weight.data.float()
        bits = pack(torch.sign(module.weight.data))
        rows, columns = weight.abs().mean(1).half(), (weight.abs().mean(0) / weight.abs().mean()).half()
        tensors[f"{key}.weight"] = bits
        tensors[f"{key}.weight_scale"], tensors[f"{key}.input_factor"] = rows, columns
        layer = Layer(module.in_features, module.out_features, dtype=torch.float32)
        signs = layer.int8_to_fp16(bits)
        decoded[key] = (rows.float()[:, None] * signs * columns.float()[None, :]).numpy()
    config = json.loads(model.config.to_json_string(use_diff=False))
    write(name, config, tensors, decoded, ["OneBit 42d6d7b"])


def mixed():
    return {
        "q_proj": (32, 2), "k_proj": (64, 3), "v_proj": (128, 4), "o_proj": (32, 5), "gate_proj": (64, 6),
        "up_proj": (128, 8), "down_proj": None,
    }


CASES = {
    "mlx-f16": lambda name: make_mlx(name, torch.float16, mixed()),
    "mlx-bf16": lambda name: make_mlx(name, torch.bfloat16, mixed()),
    "mlx-f32": lambda name: make_mlx(name, torch.float32, {}),
    "hqq-4": lambda name: make_hqq(name, 4, 64, 1, torch.float16),
    "hqq-3": lambda name: make_hqq(name, 3, 64, 1, torch.bfloat16),
    "hqq-2-axis0": lambda name: make_hqq(name, 2, 32, 0, torch.float16),
    "hqq-1": lambda name: make_hqq(name, 1, 32, 1, torch.float16),
    "hqq-8": lambda name: make_hqq(name, 8, 64, 1, torch.float32),
    "bnb-nf4": lambda name: make_bnb4(name, "nf4", False, 64, torch.float16),
    "bnb-nf4-double": lambda name: make_bnb4(name, "nf4", True, 64, torch.bfloat16),
    "bnb-fp4": lambda name: make_bnb4(name, "fp4", False, 64, torch.bfloat16),
    "bnb-int8": lambda name: make_bnb8(name, torch.float16),
    "bitnet": lambda name: make_bitnet(name, "offline", "divide"),
    "bitnet-auto": lambda name: make_bitnet(name, "offline", "multiply"),
    "bitnet-online": lambda name: make_bitnet(name, "online", "none"),
    "fp8-block": lambda name: make_fp8_block(name, 128, torch.float8_e4m3fn),
    "fp8-e5m2": lambda name: make_fp8_block(name, 128, torch.float8_e5m2),
    "fp8-channel": lambda name: make_fp8_compressed(name, "channel"),
    "fp8-tensor": lambda name: make_fp8_compressed(name, "tensor"),
    "onebit": make_onebit,
}


def main():
    for name in sys.argv[1:] or CASES:
        CASES[name](name)
        print(name)


if __name__ == "__main__":
    main()
