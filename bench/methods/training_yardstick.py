"""Yardstick for training.bench.ts: steps of trainings of a whole model, or of its first block, in PyTorch, with the authors'
arithmetic of methods_yardstick.py. Answers each line on standard input with one step and {"seconds", "loss"}: processor time,
with more than one thread time by the clock.

    python training_yardstick.py CHECKPOINT WINDOWS PRECISION THREADS SETTINGS

CHECKPOINT is a Hugging Face directory, WINDOWS a JSON file of token ids, windows x tokens, PRECISION f32 or bf16 (autocast over
float32 parameters), SETTINGS {"method", ...}. With {"method": "products", "shapes": [[name, columns, inner], ...],
"rows"} a step multiplies, and the answer has seconds "byProduct" besides.
"""
import json
import sys
import time

import torch
import torch.nn.functional as F

from methods_yardstick import Problem, block_ap, end_to_end_steps, learned_steps, scales_of_groups, signs_between_vectors

path, windows, precision, threads, settings = sys.argv[1:]
clock = time.process_time if threads == "1" else time.perf_counter


def products(rows, shapes):
    """The three products of linear layers in training: outputs, gradients of inputs and of weights."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    operands = [
        (name, *(torch.zeros(shape, dtype=dtype) for shape in ((rows, inner), (columns, inner), (rows, columns))))
        for name, columns, inner in shapes
    ]
    while True:
        seconds = {}
        for name, x, weight, y in operands:
            for kind, multiply in (
                ("outputs", lambda: F.linear(x, weight)),
                ("gradients of inputs", lambda: y @ weight),
                ("gradients of weights", lambda: y.T @ x),
            ):
                started = clock()
                multiply()
                key = f"{name}, {kind}"
                seconds[key] = seconds.get(key, 0) + clock() - started
        yield seconds


trainings = {
    "e2e-qp": lambda problem, bits, group, batch: end_to_end_steps(
        problem, scales_of_groups(bits, group), batch, only_scales=True, clip=0.3
    ),
    "paretoq": lambda problem, bits, batch: end_to_end_steps(problem, learned_steps(bits), batch),
    "onebit-kd": lambda problem, batch: end_to_end_steps(problem, signs_between_vectors, batch, teacher=True, hidden=True),
    "block-ap": block_ap,
}


def steps_of(method, **asked):
    if method == "products":
        return products(**asked)
    with open(windows) as file:
        return trainings[method](Problem(path, json.load(file), precision), **asked)


def main():
    torch.set_num_threads(int(threads))
    steps = steps_of(**json.loads(settings))
    print(json.dumps({"ready": True, "torch": torch.__version__}), flush=True)
    for _ in sys.stdin:
        started = clock()
        found = next(steps)
        what = "byProduct" if isinstance(found, dict) else "loss"
        print(json.dumps({"seconds": clock() - started, what: found}), flush=True)


main()
