"""Reads what `fewbit export` wrote in its real readers, on the CPU, and compares it with fewbit's exact evaluation.

    node tools/interop/own-logits.mjs MODEL > own.json
    python tools/interop/read_containers.py EXPORT --format compressed-tensors --own own.json

    node tools/interop/samples.mjs FOLDER
    python tools/interop/read_containers.py FOLDER --samples [--golden test/golden/readers.json]

Readers, by format: compressed-tensors: transformers, which needs compressed-tensors; gptq: transformers, which needs
optimum and gptqmodel, and gptqmodel itself; awq: gptqmodel; mlx: mlx_lm. Each loads a directory by its name, with no
option but the dtype that it computes in: float32, but float16 in gptqmodel, which has no other. Prints a line of JSON
for each: versions, the largest difference of a logit over the largest logit, at how many positions the first token is
the same, and whether the greedy continuation is. Readers that are not installed are left out, and named.

`--samples` takes what samples.mjs wrote, and fails where the continuation is another one or logits are too far off.
`--golden` writes the hashes of the files that were read, and what readers made of them, for the tests.
"""

import argparse
import base64
import hashlib
import importlib.metadata
import json
import os
import pathlib
import sys

import numpy as np

# Kernels that are compiled first take minutes for a prompt of 32 tokens.
os.environ["TORCHDYNAMO_DISABLE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"


def torch_logits(model):
    import torch

    def logits(ids):
        with torch.no_grad():
            return model(torch.tensor([ids])).logits[0].float().numpy()

    return logits


def open_transformers(path, dtype):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype), device_map="cpu")
    return torch_logits(model.eval())


def open_gptqmodel(path, dtype):
    import torch
    from gptqmodel import BACKEND, GPTQModel

    model = GPTQModel.load(path, device="cpu", backend=BACKEND.TORCH, dtype=getattr(torch, dtype))
    return torch_logits(model.model.eval())


def open_gptqmodel_awq(path, dtype):
    import torch
    from gptqmodel import BACKEND, GPTQModel

    model = GPTQModel.load(path, device="cpu", backend=BACKEND.AWQ_TORCH, dtype=getattr(torch, dtype))
    return torch_logits(model.model.eval())


def open_mlx(path, dtype):
    import mlx.core as mx
    from mlx_lm import load

    mx.set_default_device(mx.cpu)
    model, _ = load(path)
    model.set_dtype(getattr(mx, dtype))
    return lambda ids: np.array(model(mx.array([ids]))[0].astype(mx.float32))


# Format, reader, how it opens a directory, what it computes in, the packages that it is.
READERS = [
    ("compressed-tensors", "transformers", open_transformers, "float32", ["transformers", "compressed-tensors"]),
    ("gptq", "gptqmodel", open_gptqmodel, "float16", ["gptqmodel"]),
    ("gptq", "transformers", open_transformers, "float16", ["transformers", "optimum", "gptqmodel"]),
    ("awq", "gptqmodel", open_gptqmodel_awq, "float16", ["gptqmodel"]),
    ("mlx", "mlx_lm", open_mlx, "float32", ["mlx-lm", "mlx"]),
]

# Largest difference of a logit over the largest logit: in transformers weights with zero points are decoded to float16,
# and mlx has products of scales and zero points in float16.
TOLERANCE = {"float32": 1e-2, "float16": 2e-2}
# compressed-tensors divides the largest input of a token by 127.5, fewbit by 127.
ROUNDED_INPUTS = 5e-2


def versions(packages):
    return {name: importlib.metadata.version(name) for name in packages}


def is_installed(packages):
    try:
        return bool(versions(packages))
    except importlib.metadata.PackageNotFoundError:
        return False


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


def read(path, own, reader, dtype=None):
    form, name, opener, usual, packages = reader
    dtype = dtype or usual
    logits = opener(str(path), dtype)
    found = logits(own["ids"])
    return {
        "format": form,
        "reader": name,
        "versions": versions(packages),
        "dtype": dtype,
        **compare(found, own),
        "sameGreedy": greedy(logits, own["ids"], len(own["tokens"])) == own["tokens"],
    }, found


def fault_of(answer, scheme):
    # Where the reader computes in float16, the two likeliest tokens of a damaged model may change places.
    if not answer["sameGreedy"] and answer["dtype"] == "float32":
        return "the continuation is another one"
    allowed = ROUNDED_INPUTS if scheme.endswith("a8") else TOLERANCE[answer["dtype"]]
    return f"logits are {answer['largestDifference']} off" if answer["largestDifference"] > allowed else None


def hash_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def golden_entry(path, scheme, answer, found):
    """What the tests compare: the file that was read, and some of the logits behind the last token."""
    return {
        "scheme": scheme,
        **answer,
        "weights": hash_of(path / "model.safetensors"),
        "config": hash_of(path / "config.json"),
        "lastLogits": [float(value) for value in found[-1][:8]],
        "largestLogit": float(np.abs(found).max()),
    }


def read_samples(folder, readers, golden):
    entries, faults = [], []
    for reader in readers:
        for sample in sorted(folder.iterdir()):
            path = sample / reader[0]
            # mlx does not round inputs, as these schemes do.
            if not path.exists() or (reader[0] == "mlx" and sample.name.endswith("a8")):
                continue
            own = json.loads((sample / "own.json").read_text())
            answer, found = read(path, own, reader)
            print(json.dumps({"scheme": sample.name, **answer}), flush=True)
            entries.append(golden_entry(path, sample.name, answer, found))
            fault = fault_of(answer, sample.name)
            if fault:
                faults.append(f"{sample.name} as {reader[0]} in {reader[1]}: {fault}")
    if golden:
        write_golden(golden, own["ids"], entries)
    return faults


def write_golden(golden, ids, entries):
    """Puts what was read in the place of what was read before by the same readers."""
    before = json.loads(golden.read_text())["read"] if golden.exists() else []
    key = lambda entry: (entry["format"], entry["reader"], entry["scheme"])
    merged = {key(entry): entry for entry in [*before, *entries]}
    answers = {"ids": ids, "read": [merged[each] for each in sorted(merged)]}
    golden.write_text(json.dumps(answers, indent=1) + "\n")


def main():
    formats = sorted({reader[0] for reader in READERS})
    parser = argparse.ArgumentParser()
    parser.add_argument("export", type=pathlib.Path)
    parser.add_argument("--format", choices=formats)
    parser.add_argument("--own", type=pathlib.Path, help="what own-logits.mjs printed")
    parser.add_argument("--reader", help="one of the readers of the format")
    parser.add_argument("--samples", action="store_true", help="the directory is of samples.mjs")
    parser.add_argument("--golden", type=pathlib.Path)
    parser.add_argument("--dtype")
    options = parser.parse_args()
    asked = [r for r in READERS if options.format in (None, r[0]) and options.reader in (None, r[1])]
    readers = [reader for reader in asked if is_installed(reader[4])]
    for form, name, *_, packages in asked:
        if not is_installed(packages):
            print(f"left out: {form} in {name}, which needs {', '.join(packages)}", file=sys.stderr)
    if options.samples:
        sys.exit("\n".join(read_samples(options.export, readers, options.golden)) or 0)
    if not options.own or not options.format:
        parser.error("--own and --format are needed without --samples")
    own = json.loads(options.own.read_text())
    for reader in readers:
        print(json.dumps(read(options.export, own, reader, options.dtype)[0]))


main()
