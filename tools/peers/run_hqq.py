"""hqq (Mobius Labs): float zero points by half-quadratic splitting; looks at no text.

Settings are the package's. What is measured are the weights with scales and zero points rounded to
float16, as its layers hold them.
"""
import torch
from hqq.core.quantize import Quantizer, hqq_base_quant_config

from peer import Made, linear_names, run


def quantize(job):
    model = job.load()
    config = hqq_base_quant_config(nbits=job.scheme.bits, group_size=job.scheme.group, axis=1)
    weights = {}
    with job.timed():
        for name in linear_names(model):
            weight = model.get_parameter(name).detach()
            codes, meta = Quantizer.quantize(weight, **config["weight_quant_params"], device="cpu")
            meta["compute_dtype"] = torch.float32
            meta["scale"], meta["zero"] = meta["scale"].half().float(), meta["zero"].half().float()
            weights[name] = Quantizer.dequantize(codes, meta)
    return Made(weights, zero_bits=16)


run(quantize, ["hqq"])
