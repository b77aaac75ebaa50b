"""auto-round (Intel): rounding and ranges of each block by signed gradients. Settings: iters,
batch, amp, compile.

With amp, its default, it computes in bfloat16 on every processor that has instructions for it,
whatever the model is stored in. Its own default compiles blocks with TorchInductor; what a compiler
costs on a small model is more than it saves, and so it is off here.
"""
from auto_round import AutoRound
from transformers import AutoTokenizer

from peer import Made, linear_names, run


def quantize(job):
    settings = {"iters": 50, "batch": 8, "amp": True, "compile": False} | job.settings
    model = job.load()
    names = linear_names(model)
    with job.timed():
        rounder = AutoRound(
            model,
            AutoTokenizer.from_pretrained(job.model),
            bits=job.scheme.bits,
            group_size=job.scheme.group or -1,
            sym=job.scheme.grid == "sym",
            iters=settings["iters"],
            batch_size=settings["batch"],
            nsamples=len(job.windows),
            seqlen=job.windows.shape[1],
            dataset=list(job.windows.split(settings["batch"])),
            device_map="cpu",
            amp=settings["amp"],
            enable_torch_compile=settings["compile"],
        )
        quantized, _ = rounder.quantize()
    weights = {name: quantized.get_parameter(name).detach() for name in names}
    return Made(weights, zero_bits=0 if job.scheme.grid == "sym" else job.scheme.bits)


run(quantize, ["auto-round", "transformers"])
