"""What the scripts of the peers share: what they are asked, the limits that they keep, and how the
result is written.

A script defines `quantize(job)`, which returns a `Made`, and calls `run(quantize, packages)`.
Nothing here or there reaches a network: the model is a folder, the calibration text a file of token
ids.

    python run_hqq.py --model DIR --windows ids.json --scheme w4g64 --settings '{}' --threads 2 \\
        --memory-gb 8 --out DIR

--out gets a Hugging Face checkpoint of the decoded weights and made.json: time, memory, versions,
bits a weight.
"""
import argparse
import contextlib
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import re
import resource
import shutil
import sys
import threading
import time

import torch
from safetensors.torch import load_file, save_file


@dataclasses.dataclass
class Scheme:
    """Bits, group size (None: a whole row) and the rest of a scheme id: w4g64, w2-seq."""

    bits: int
    group: int | None
    grid: str


@dataclasses.dataclass
class Made:
    """Decoded weights, by name in the checkpoint, and what is stored beside each group's codes."""

    weights: dict[str, torch.Tensor]
    scale_bits: float = 16
    zero_bits: float = 0
    notes: list[str] = dataclasses.field(default_factory=list)


class Job:
    """What a script is asked to do, and its clock."""

    def __init__(self):
        parser = argparse.ArgumentParser()
        for name in ("model", "windows", "scheme", "out"):
            parser.add_argument(f"--{name}", required=True)
        parser.add_argument("--settings", type=json.loads, default={})
        parser.add_argument("--threads", type=int, default=2)
        parser.add_argument("--memory-gb", type=float, default=16)
        args = parser.parse_args()
        self.model, self.out = pathlib.Path(args.model), pathlib.Path(args.out)
        self.settings, self.memory_bytes = args.settings, int(args.memory_gb * 1e9)
        match = re.fullmatch(r"w(\d)(?:g(\d+))?(?:-(\w+))?", args.scheme)
        if not match:
            raise SystemExit(f"expected a scheme such as w4g64, got {args.scheme}")
        bits, group, grid = match.groups()
        self.scheme = Scheme(int(bits), int(group) if group else None, grid or "")
        self.windows = torch.tensor(json.loads(pathlib.Path(args.windows).read_text()))
        self.seconds = self.cpu_seconds = 0.0
        torch.set_num_threads(args.threads)
        torch.manual_seed(0)

    @contextlib.contextmanager
    def timed(self):
        """Counts the time of what is done within: the quantization, without loading and writing."""
        started, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - started
        self.cpu_seconds += time.process_time() - cpu

    def load(self, dtype=torch.float32):
        """Reads the model as transformers does, ready to predict."""
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(self.model, dtype=dtype).eval()


def peak_bytes():
    """Largest resident memory of this process, or of one that it waited for."""
    unit = 1 if sys.platform == "darwin" else 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    try:
        # What getrusage says of this process may be its parent's peak.
        status = pathlib.Path("/proc/self/status").read_text()
        return max(children, int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024)
    except OSError:
        return max(children, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def watch_memory(limit):
    """Ends the process as soon as it needs more memory than it may."""

    def watch():
        while peak_bytes() <= limit:
            time.sleep(0.25)
        print(f"stopped: needs more than {limit / 1e9:g} GB of memory", file=sys.stderr, flush=True)
        os._exit(3)

    threading.Thread(target=watch, daemon=True).start()


def linear_names(model):
    """Names of the weights of the blocks' linear layers: these are quantized, and no others."""
    return [
        f"{name}.weight"
        for name, module in model.named_modules()
        if ".layers." in name and isinstance(module, torch.nn.Linear)
    ]


def read_tensors(folder):
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(path)
    return tensors


def is_block_linear(name, tensor):
    return ".layers." in name and name.endswith(".weight") and tensor.dim() == 2


def check_grid(name, tensor, scheme):
    """Sees that no group has more values than its bits have codes."""
    groups = tensor.float().reshape(-1, scheme.group or tensor.shape[1]).sort(1).values
    # Values of one code differ by roundings where a package decodes in 16 bits.
    apart = groups.diff(dim=1) > 1e-5 * groups.abs().amax(1, keepdim=True)
    most = 1 + int(apart.sum(1).max())
    if most > 2**scheme.bits:
        raise ValueError(f"a group of {name} has {most} values: too many for {scheme.bits} bits")


def write_checkpoint(job, made):
    """Writes decoded weights, float32, in the place of the original ones; others keep their dtype.

    Returns the number of quantized weights, and how many bits each takes.
    """
    tensors, weights, stored = read_tensors(job.model), 0, 0.0
    for name, original in tensors.items():
        made_one = made.weights.get(name)
        if is_block_linear(name, original):
            if made_one is None or made_one.shape != original.shape:
                raise ValueError(f"{name} was not quantized to a matrix of {list(original.shape)}")
            check_grid(name, made_one, job.scheme)
            tensors[name] = made_one.float().contiguous()
            weights += original.numel()
            beside = (made.scale_bits + made.zero_bits) / (job.scheme.group or original.shape[1])
            stored += original.numel() * (job.scheme.bits + beside)
        elif made_one is not None:
            tensors[name] = made_one.to(original.dtype).contiguous()
    job.out.mkdir(parents=True, exist_ok=True)
    for path in job.model.iterdir():
        if path.is_file() and ".safetensors" not in path.name:
            shutil.copyfile(path, job.out / path.name)
    save_file(tensors, job.out / "model.safetensors", metadata={"format": "pt"})
    return weights, stored / weights


def run(quantize, packages):
    """Does what a script is for; its errors and warnings are on standard error."""
    job = Job()
    watch_memory(job.memory_bytes)
    made = quantize(job)
    peak = peak_bytes()
    with torch.no_grad():
        weights, bits_per_weight = write_checkpoint(job, made)
    result = {
        "seconds": job.seconds,
        "cpuSeconds": job.cpu_seconds,
        "peakBytes": peak,
        "weights": weights,
        "bitsPerWeight": bits_per_weight,
        "versions": {name: importlib.metadata.version(name) for name in [*packages, "torch"]},
        "notes": made.notes,
    }
    (job.out / "made.json").write_text(json.dumps(result))
