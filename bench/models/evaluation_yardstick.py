"""Yardstick for evaluation.bench.ts: perplexity and HellaSwag in PyTorch and transformers, float32, one thread, no gradients.
Texts are tokenised already. Answers each line {"job", "batch"} on standard input with {"seconds", "values"}: losses of windows, or
log-likelihoods of continuations; at the end of the input with {"peakBytes"}.

As lm-evaluation-harness does, continuations are sorted by length, the longest first, and padded on the right, where causal attention
does not look. Unlike it, the output head is applied to the rows alone that are scored.

    python evaluation_yardstick.py MODEL JOBS.json      with JOBS {"windows": [ids], "texts": [{"ids", "from"}]}
"""
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
with open(sys.argv[2]) as file:
    jobs = json.load(file)


def batches(items, size):
    return [items[first : first + size] for first in range(0, len(items), size)]


def perplexity(size):
    losses = []
    for group in batches(jobs["windows"], size):
        ids = torch.tensor(group)
        logits = model(ids, use_cache=False).logits[:, :-1]
        each = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        losses += each.view(len(group), -1).double().mean(1).tolist()
    return losses


def hellaswag(size):
    texts = jobs["texts"]
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]["ids"]))
    scores = [0.0] * len(texts)
    for group in batches(order, size):
        inputs = [torch.tensor(texts[i]["ids"][:-1]) for i in group]
        ids = torch.nn.utils.rnn.pad_sequence(inputs, batch_first=True)
        hidden = model.model(ids, use_cache=False).last_hidden_state
        rows = [hidden[row, texts[i]["from"] : len(inputs[row])] for row, i in enumerate(group)]
        targets = [torch.tensor(texts[i]["ids"][texts[i]["from"] + 1 :]) for i in group]
        losses = F.cross_entropy(model.lm_head(torch.cat(rows)), torch.cat(targets), reduction="none")
        for i, part in zip(group, losses.double().split([len(t) for t in targets])):
            scores[i] = -part.sum().item()
    return scores


print(json.dumps({"ready": True, "torch": torch.__version__}), flush=True)
with torch.inference_mode():
    for line in sys.stdin:
        request = json.loads(line)
        work = {"perplexity": perplexity, "hellaswag": hellaswag}[request["job"]]
        started, cpu = time.perf_counter(), time.process_time()
        values = work(request["batch"])
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        print(json.dumps({"seconds": seconds, "cpu": cpu, "values": values}), flush=True)
print(json.dumps({"peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)
