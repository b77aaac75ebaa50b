"""Small checkpoints with random weights in GPTQ, AWQ and compressed-tensors, packed and decoded by the tools' own code.
Writes test/golden/checkpoints/<name>/: config.json, model.safetensors and decoded.json, which has for each module the SHA-256
of its weight [out, in] in little-endian float32 as the tool decodes it (zeros without their sign), and its first values.

Run: python tools/golden/make_containers.py SOURCE, the folder of an unpacked source distribution of GPTQModel, whose packing
and unpacking are taken out of its classes (importing it whole needs more than a CPU has). Needs torch, transformers,
safetensors, compressed-tensors.
"""
import ast
import hashlib
import json
import math
import pathlib
import re
import shutil
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import torch
import transformers
from compressed_tensors.compressors.base import BaseCompressor
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
from safetensors.torch import save_file

TARGET = pathlib.Path(__file__).parents[2] / "test" / "golden" / "checkpoints"
SOURCE = pathlib.Path(sys.argv[1])
OUT, IN = 96, 64


def taken(path, names, **more):
    """Functions and methods of a source file, as functions."""
    tree = ast.parse((SOURCE / path).read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in names]
    for node in found:
        node.decorator_list, node.returns = [], None
        for argument in node.args.args:
            argument.annotation = None
    space = {"t": torch, "torch": torch, "nn": torch.nn, "np": np, "math": math, "transformers": transformers, **more}
    exec(compile(ast.Module(found, []), str(path), "exec"), space)
    return SimpleNamespace(**{name: space[name] for name in names})


limits = SimpleNamespace(threadpool_limits=lambda _: nullcontext())
base = taken(
    "gptqmodel/nn_modules/qlinear/__init__.py",
    ["pack_original", "dequantize_weight", "_dequantize_from_codes", "_init_wf_unsqueeze_buffers", "_torch_right_shift", "_torch_left_shift"],
    THREADPOOLCTL=limits, _ConvNd=torch.nn.modules.conv._ConvNd,
)


class Layer(torch.nn.Module):
    _init_wf_unsqueeze_buffers = base._init_wf_unsqueeze_buffers
    dequantize_weight = base.dequantize_weight
    _dequantize_from_codes = base._dequantize_from_codes

    def __init__(self, bits):
        super().__init__()
        self.bits, self.planar, self.enable_wf_unsqueeze = bits, False, True
        self.maxq, self.pack_factor, self.pack_dtype_bits = 2**bits - 1, 32 // bits, 32
        self.in_features, self.out_features = IN, OUT
        self.pack_dtype, self.dequant_dtype = torch.int32, torch.int8 if bits < 8 else torch.int16
        self.pack_np_math_dtype, self.pack_np_dtype = np.uint32, np.int32

    def _wf_device(self):
        return torch.device("cpu")


def describe(weight):
    values = np.ascontiguousarray(weight, dtype="<f4") + np.float32(0)
    return {"shape": list(values.shape), "sha256": hashlib.sha256(values.tobytes()).hexdigest(), "first": values.ravel()[:4].tolist()}


def write(name, quantization, layers, tools, settings_file=None):
    folder = TARGET / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tensors, decoded = {}, {}
    for module, (parts, weight) in layers.items():
        tensors.update({f"{module}.{key}": value.contiguous() for key, value in parts.items()})
        decoded[module] = describe(weight)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {"model_type": "llama"}
    if settings_file:
        (folder / settings_file).write_text(json.dumps(quantization, indent=1) + "\n")
    else:
        config["quantization_config"] = quantization
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "decoded.json").write_text(json.dumps({"tools": tools, "modules": decoded}, indent=1) + "\n")


def parameters(bits, group, low, high):
    groups = 1 if group == -1 else math.ceil(IN / group)
    scales = (torch.rand(OUT, groups) * 0.02 + 0.001).half().float()
    zeros = torch.randint(low, high + 1, (OUT, groups)).float()
    return scales, zeros


def gptq_layer(bits, group, form, order=False, symmetric=False):
    middle = 2 ** (bits - 1)
    low, high = (middle, middle) if symmetric else (1, 2**bits - 1) if form == "gptq" else (0, 2**bits - 1)
    scales, zeros = parameters(bits, group, low, high)
    width = IN if group == -1 else group
    g_idx = (torch.arange(IN) // width).int()
    if order:
        g_idx = g_idx[torch.randperm(IN)]
    linear = torch.nn.Linear(IN, OUT, bias=False)
    layer = Layer(bits)
    base.pack_original(layer, linear, scales, zeros, g_idx)
    layer.float()
    weight = layer.dequantize_weight().T.contiguous()
    qzeros = layer.qzeros
    if form == "gptq":
        less = Layer(bits)
        base.pack_original(less, linear, scales, (zeros - 1) % 2**bits, g_idx)
        qzeros = less.qzeros
    parts = {"qweight": layer.qweight, "qzeros": qzeros, "scales": layer.scales.half(), "g_idx": g_idx}
    return parts, weight.numpy()


version = re.search(r"gptqmodel-([\d.]+)", str(SOURCE)).group(1)
module = "model.layers.0.mlp.up_proj"
other = "model.layers.0.mlp.gate_proj"
torch.manual_seed(20)
for bits in (2, 3, 4, 8):
    for form in ("gptq", "gptq_v2"):
        group = {2: 16, 3: 32, 4: -1, 8: 32}[bits]
        config = {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": False, "sym": False, "checkpoint_format": form}
        write(f"{form.replace('_', '-')}-{bits}", config, {module: gptq_layer(bits, group, form)}, [f"GPTQModel {version}"])
config = {"quant_method": "gptq", "bits": 4, "group_size": 16, "desc_act": True, "sym": True, "checkpoint_format": "gptq"}
write("gptq-order", config, {module: gptq_layer(4, 16, "gptq", order=True, symmetric=True)}, [f"GPTQModel {version}"])
config = {"bits": 4, "group_size": 32, "desc_act": False, "sym": True, "dynamic": {"+:.*gate_proj": {"bits": 8, "group_size": 16}, "-:.*down": {}}}
layers = {module: gptq_layer(4, 32, "gptq", symmetric=True), other: gptq_layer(8, 16, "gptq", symmetric=True)}
write("gptq-dynamic", config, layers, [f"GPTQModel {version}"], "quantize_config.json")

awq = {"__name__": "packing_utils", "__file__": "packing_utils.py"}
exec((SOURCE / "gptqmodel/quantization/awq/utils/packing_utils.py").read_text(), awq)
awq = SimpleNamespace(**awq)
pack_awq = taken("gptqmodel/nn_modules/qlinear/gemm_awq.py", ["pack", "_pack_awq_columns"], AWQ_ORDER=awq.AWQ_ORDER, pack_awq_columns=awq.pack_awq_columns)


def awq_layer(group):
    scales, zeros = parameters(4, group, 0, 15)
    self = SimpleNamespace(bits=4, group_size=IN if group == -1 else group, in_features=IN, out_features=OUT, pack_factor=8, pack_dtype=torch.int32, pack_dtype_bits=32, pack_np_dtype=np.int32, pack_np_math_dtype=np.uint32, maxq=15)
    self.register_buffer = lambda name, value, **_: setattr(self, name, value)
    pack_awq.pack(self, torch.nn.Linear(IN, OUT, bias=False), scales, zeros)
    weight = awq.dequantize_gemm(self.qweight, self.qzeros, self.scales.float(), 4, self.group_size)
    return {"qweight": self.qweight, "qzeros": self.qzeros, "scales": self.scales.half()}, weight.T.numpy()


for group, settings_file in ((16, None), (-1, "quant_config.json")):
    config = {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm", "zero_point": True}
    if settings_file:
        config = {"w_bit": 4, "q_group_size": group, "version": "GEMM", "zero_point": True}
    write(f"awq{'' if group > 0 else '-rows'}", config, {module: awq_layer(group)}, [f"GPTQModel {version}"], settings_file)

fast = taken("gptqmodel/nn_modules/qlinear/gemv_fast_awq.py", ["pack_intweight"])
scales, zeros = parameters(4, 32, 0, 15)
codes = torch.randint(0, 16, (OUT, IN))
scales, zeros = scales[:, :2], zeros[:, :2]
padded = torch.zeros(8, OUT)
products = padded.clone()
padded[:2], products[:2] = scales.T, -(scales * zeros).T
columns = torch.arange(IN) // 32
weight = (codes - zeros[:, columns]) * scales[:, columns]
parts = {"qweight": fast.pack_intweight(codes.int(), interleave=4, kstride=64), "scales": padded.half(), "qzeros": products.half()}
config = {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemv_fast", "zero_point": True}
write("awq-fast", config, {module: (parts, weight.numpy())}, [f"GPTQModel {version}"])


def compressed_layer(args, dtype=torch.float16, inputs=None, kind="pack-quantized", g_idx=None):
    args = QuantizationArgs(**args)
    group = args.group_size or IN
    weight = torch.randn(OUT, IN) * 0.05
    middle = 2 ** (args.num_bits - 1)
    scale = (torch.rand(OUT, IN // group) * 0.02 + 0.01).to(dtype)
    zero = torch.zeros(OUT, IN // group, dtype=torch.int8)
    if not args.symmetric:
        zero = torch.randint(-middle, middle, (OUT, IN // group), dtype=torch.int8)
    state = {"weight": weight.to(dtype), "weight_scale": scale, "weight_zero_point": zero}
    scheme = QuantizationScheme(targets=["Linear"], weights=args, input_activations=inputs)
    packed = BaseCompressor.get_value_from_registry(kind).compress(state, scheme)
    codes = quantize(state["weight"], scale, zero, args, dtype=torch.int8)
    exact = dequantize(codes, scale.float(), None if args.symmetric else zero, args, dtype=torch.float32)
    return packed, exact.numpy()


def compressed_config(groups, form="pack-quantized", ignore=("lm_head",)):
    described = {f"group_{i}": {"targets": targets, "weights": args, "input_activations": inputs} for i, (targets, args, inputs) in enumerate(groups)}
    return {"quant_method": "compressed-tensors", "format": form, "quantization_status": "compressed", "config_groups": described, "ignore": list(ignore)}


from importlib.metadata import version as version_of

tools = [f"compressed-tensors {version_of('compressed-tensors')}"]
base_args = {"type": "int", "dynamic": False}
for bits, symmetric, group, dtype in ((2, True, 32, torch.float16), (3, True, None, torch.bfloat16), (3, False, 32, torch.float16), (4, False, 16, torch.bfloat16), (5, True, 32, torch.float16), (6, False, None, torch.float16), (8, True, None, torch.float32)):
    args = {**base_args, "num_bits": bits, "symmetric": symmetric, "strategy": "group" if group else "channel", "group_size": group}
    name = f"ct-{bits}{'' if symmetric else '-zeros'}{'' if dtype != torch.float32 else '-f32'}"
    write(name, compressed_config([(["Linear"], args, None)]), {module: compressed_layer(args, dtype)}, tools)
one = {**base_args, "num_bits": 4, "symmetric": True, "strategy": "group", "group_size": 32}
two = {**base_args, "num_bits": 8, "symmetric": True, "strategy": "channel", "group_size": None}
groups = [(["Linear"], one, None), (["re:.*gate_proj"], two, None)]
write("ct-groups", compressed_config(groups), {module: compressed_layer(one), other: compressed_layer(two)}, tools)
inputs = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True}
for form in ("int-quantized", "naive-quantized"):
    layers = {module: compressed_layer(two, kind=form, inputs=QuantizationArgs(**inputs))}
    write(f"ct-{form[:3]}", compressed_config([(["Linear"], two, inputs)], form), layers, tools)
