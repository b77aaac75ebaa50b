"""Reads what `fewbit export` wrote in its real reader, on the CPU, and compares it with fewbit's exact evaluation.

    node tools/interop/own-logits.mjs MODEL > own.json
    python tools/interop/read_containers.py EXPORT --format compressed-tensors --own own.json

Formats: compressed-tensors (transformers with compressed-tensors), gptq (GPTQModel; with `--reader transformers` the
same checkpoint by way of transformers), mlx (mlx_lm). They compute in float32, unless `--dtype` says otherwise:
GPTQModel takes float16 and bfloat16 only. Prints one line of JSON: versions, the largest difference of a logit over
the largest logit, at how many positions the first token is the same, and whether the greedy continuation is.

Needs the reader of the format: transformers, accelerate and compressed-tensors or gptqmodel; mlx and mlx-lm.
"""

import argparse
import base64
import importlib.metadata
import json
import os

import numpy as np

# Kernels that are compiled first take minutes for a prompt of 32 tokens.
os.environ["TORCHDYNAMO_DISABLE"] = "1"


def versions(*names):
    return {name: importlib.metadata.version(name) for name in names}


def torch_logits(model):
    import torch

    def logits(ids):
        with torch.no_grad():
            return model(torch.tensor([ids])).logits[0].float().numpy()

    return logits


def open_transformers(path, dtype, **options):
    import torch
    from transformers import AutoModelForCausalLM

    dtype = getattr(torch, dtype)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, device_map="cpu", **options)
    return torch_logits(model.eval())


def open_compressed_tensors(path, dtype):
    from transformers import CompressedTensorsConfig

    # compressed-tensors 0.20.1 lays packed zero points out unpacked when it keeps weights compressed.
    config = CompressedTensorsConfig(dequantize=True)
    return open_transformers(path, dtype, quantization_config=config), versions("transformers", "compressed-tensors", "torch")


def open_gptq_transformers(path, dtype):
    return open_transformers(path, dtype), versions("transformers", "optimum", "gptqmodel", "torch")


def open_gptqmodel(path, dtype):
    import torch
    from gptqmodel import BACKEND, GPTQModel

    model = GPTQModel.load(path, device="cpu", backend=BACKEND.TORCH, dtype=getattr(torch, dtype))
    return torch_logits(model.model.eval()), versions("gptqmodel", "torch")


def open_mlx(path, dtype):
    import mlx.core as mx
    from mlx_lm import load

    mx.set_default_device(mx.cpu)
    model, _ = load(path)
    model.set_dtype(getattr(mx, dtype))
    return lambda ids: np.array(model(mx.array([ids]))[0].astype(mx.float32)), versions("mlx-lm", "mlx")


readers = {
    ("compressed-tensors", None): open_compressed_tensors,
    ("gptq", None): open_gptqmodel,
    ("gptq", "transformers"): open_gptq_transformers,
    ("mlx", None): open_mlx,
}


def greedy(logits, ids, count):
    tokens = []
    for _ in range(count):
        tokens.append(int(logits([*ids, *tokens])[-1].argmax()))
    return tokens


def compare(found, own):
    expected = np.frombuffer(base64.b64decode(own["logits"]), np.float32).reshape(found.shape)
    return {
        "largestDifference": float(np.abs(found - expected).max() / np.abs(expected).max()),
        "sameTop": int((found.argmax(-1) == expected.argmax(-1)).sum()),
        "positions": len(found),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("export")
    parser.add_argument("--format", required=True, choices=sorted({form for form, _ in readers}))
    parser.add_argument("--own", required=True, help="what own-logits.mjs printed")
    parser.add_argument("--reader", choices=["transformers"], help="another reader of the same format")
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args()
    opener = readers.get((options.format, options.reader))
    if opener is None:
        parser.error(f"--reader {options.reader} does not read {options.format}")
    with open(options.own) as file:
        own = json.load(file)
    logits, found = opener(options.export, options.dtype)
    answer = {
        "format": options.format,
        "versions": found,
        "dtype": options.dtype,
        **compare(logits(own["ids"]), own),
        "sameGreedy": greedy(logits, own["ids"], len(own["tokens"])) == own["tokens"],
    }
    print(json.dumps(answer))


main()
