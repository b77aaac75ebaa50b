"""Runs what `fewbit export --format onnx` wrote in ONNX Runtime, and where it is installed in onnxruntime-genai.

    python tools/interop/run_onnx.py EXPORT --prompt "The capital of France is" --tokens 24

The model passes onnx.checker; its logits whole, token by token over the cache, and with padding in front are
compared with each other; then it continues the prompt. With `--logits FILE` (JSON: {"ids": [...], "logits": [...]})
they are compared with those of fewbit. Prints one JSON document.

Needs: onnx, onnxruntime, numpy, tokenizers; optional: onnxruntime-genai.
"""

import argparse
import glob
import json
import os

import numpy as np
import onnx
import onnxruntime as ort
from tokenizers import Tokenizer


class Model:
    def __init__(self, folder):
        (path,) = glob.glob(os.path.join(folder, "onnx", "*.onnx"))
        onnx.checker.check_model(path)
        self.session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.names = [output.name for output in self.session.get_outputs()]

    def empty(self):
        types = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
        return {
            given.name: np.zeros((1, given.shape[1], 0, given.shape[3]), types[given.type])
            for given in self.session.get_inputs()
            if given.name.startswith("past")
        }

    def run(self, ids, cache=None, mask=None):
        cache = self.empty() if cache is None else cache
        before = next(iter(cache.values())).shape[2]
        mask = [1] * (before + len(ids)) if mask is None else mask
        feeds = {"input_ids": np.array([ids], np.int64), "attention_mask": np.array([mask], np.int64), **cache}
        found = dict(zip(self.names, self.session.run(None, feeds)))
        after = {name: found[name.replace("past_key_values", "present")] for name in cache}
        return found["logits"][0], after

    def greedy(self, ids, count):
        logits, cache = self.run(ids)
        tokens = []
        for _ in range(count):
            tokens.append(int(logits[-1].argmax()))
            logits, cache = self.run(tokens[-1:], cache)
        return tokens


def share(found, expected):
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def compare(model, ids):
    whole, _ = model.run(ids)
    half = len(ids) // 2
    first, cache = model.run(ids[:half])
    rows = [first]
    for token in ids[half:]:
        logits, cache = model.run([token], cache)
        rows.append(logits)
    padded, _ = model.run([0, 0, 0, *ids], mask=[0, 0, 0, *[1] * len(ids)])
    return {"cached": share(np.concatenate(rows), whole), "padded": share(padded[3:], whole)}


def genai(folder, ids, count):
    try:
        import onnxruntime_genai as og
    except ImportError:
        return None
    params = og.GeneratorParams(model := og.Model(folder))
    params.set_search_options(max_length=len(ids) + count, do_sample=False)
    generator = og.Generator(model, params)
    generator.append_tokens(ids)
    while not generator.is_done():
        generator.generate_next_token()
    return {"version": og.__version__, "tokens": [int(token) for token in generator.get_sequence(0)][len(ids) :]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("export")
    parser.add_argument("--prompt", default="The capital of France is")
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--logits")
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(os.path.join(options.export, "tokenizer.json"))
    ids = tokenizer.encode(options.prompt).ids
    model = Model(options.export)
    tokens = model.greedy(ids, options.tokens)
    answer = {
        "onnxruntime": ort.__version__,
        "onnx": onnx.__version__,
        "differences": compare(model, ids),
        "tokens": tokens,
        "text": tokenizer.decode(tokens),
        "genai": genai(options.export, ids, options.tokens),
    }
    if options.logits:
        with open(options.logits) as file:
            given = json.load(file)
        logits, _ = model.run(given["ids"])
        answer["differences"]["fewbit"] = share(logits.ravel(), np.array(given["logits"], np.float32))
    print(json.dumps(answer, indent=2))


main()
