"""Yardstick for gptq.bench.ts: GPTQ of one linear layer in float32 PyTorch, with the arithmetic of the paper's
authors (algorithm 1 of arXiv 2210.17323; Cholesky, inverse, upper Cholesky; blocks of 128 columns, group scales
from the current weights). Prints one JSON line with the seconds of each part.

    python gptq_yardstick.py OUT IN TOKENS BITS GROUP THREADS
"""
import json
import sys
import time

import torch


def parameters(w, top):
    low = torch.clamp(w.amin(1), max=0)
    high = torch.clamp(w.amax(1), min=0)
    scale = (high - low) / top
    return scale.unsqueeze(1), torch.round(-low / scale).unsqueeze(1)


def quantize(w, upper, top, group, block=128):
    columns = w.shape[1]
    codes = torch.zeros_like(w)
    for first in range(0, columns, block):
        last = min(first + block, columns)
        part, errors = w[:, first:last].clone(), torch.zeros(w.shape[0], last - first)
        factor = upper[first:last, first:last]
        for j in range(last - first):
            column = part[:, j]
            if (first + j) % group == 0:
                scale, zero = parameters(w[:, first + j : first + j + group], top)
            code = torch.clamp(torch.round(column.unsqueeze(1) / scale) + zero, 0, top)
            decoded = (scale * (code - zero)).flatten()
            codes[:, first + j] = decoded
            error = (column - decoded) / factor[j, j]
            part[:, j:] -= error.unsqueeze(1).matmul(factor[j, j:].unsqueeze(0))
            errors[:, j] = error
        w[:, last:] -= errors.matmul(upper[first:last, last:])
    return codes


def main():
    out_features, in_features, tokens, bits, group, threads = map(int, sys.argv[1:7])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    w = torch.randn(out_features, in_features)
    x = torch.randn(tokens, in_features)
    torch.randn(512, 512) @ torch.randn(512, 512)
    seconds, started = {}, time.perf_counter()

    def lap(name):
        nonlocal started
        now = time.perf_counter()
        seconds[name] = now - started
        started = now

    started = time.perf_counter()
    hessian = torch.zeros(in_features, in_features)
    for batch in x.split(2048):
        hessian += batch.t().matmul(batch)
    lap("hessian")
    hessian.diagonal().add_(0.01 * hessian.diagonal().mean())
    upper = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
    lap("factor")
    quantize(w, upper, 2**bits - 1, group)
    lap("columns")
    print(json.dumps({"torch": torch.__version__, "seconds": seconds, "total": sum(seconds.values())}))


main()
