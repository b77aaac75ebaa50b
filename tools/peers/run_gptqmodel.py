"""gptqmodel (ModelCloud): GPTQ with its own order of columns. Settings: desc_act, damp_percent,
mse, batch.
"""
import os

# The package starts two loaders in a pool of one worker for every two cores: on two cores it would
# not start.
os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")

import torch
from gptqmodel import BACKEND, GPTQModel, QuantizeConfig

from peer import Made, linear_names, run


def quantize(job):
    settings = {"batch": 8} | job.settings
    batch = settings.pop("batch")
    config = QuantizeConfig(
        bits=job.scheme.bits,
        group_size=job.scheme.group or -1,
        sym=job.scheme.grid == "sym",
        device="cpu",
        # The older format keeps zero points less one; it decodes only after it is loaded again.
        format="gptq_v2",
        offload_to_disk=False,
        **settings,
    )
    model = GPTQModel.load(str(job.model), config, dtype=torch.float32, backend=BACKEND.TORCH)
    names = linear_names(model.model)
    windows = [{"input_ids": ids, "attention_mask": ids.new_ones(ids.shape)} for ids in job.windows]
    with job.timed():
        model.quantize(windows, batch_size=batch, backend=BACKEND.TORCH)
    weights = {}
    for name in names:
        layer = model.model.get_submodule(name.removesuffix(".weight"))
        weights[name] = layer.dequantize_weight().T.float()
    return Made(weights, zero_bits=0 if job.scheme.grid == "sym" else job.scheme.bits)


run(quantize, ["gptqmodel", "transformers"])
