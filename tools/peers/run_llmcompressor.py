"""llmcompressor (vLLM): GPTQ, or AWQ in front of rounding. Settings: method (gptq, awq), batch."""
import torch
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.lifecycle.forward import fake_quantize
from llmcompressor import oneshot
from llmcompressor.modifiers.gptq import GPTQModifier
from llmcompressor.modifiers.quantization import QuantizationModifier
from llmcompressor.modifiers.transform.awq import AWQModifier
from torch.utils.data import DataLoader

from peer import Made, linear_names, run

if not torch.cuda.is_available():
    # AWQ pins activations for a GPU, whether there is one or not.
    torch.Tensor.pin_memory = lambda tensor: tensor


def recipe_of(job, method):
    arguments = QuantizationArgs(
        num_bits=job.scheme.bits,
        type="int",
        symmetric=job.scheme.grid == "sym",
        strategy="group" if job.scheme.group else "channel",
        group_size=job.scheme.group,
    )
    groups = {"group_0": QuantizationScheme(targets=["Linear"], weights=arguments)}
    common = {"config_groups": groups, "ignore": ["lm_head"]}
    if method == "gptq":
        return [GPTQModifier(**common)]
    return [AWQModifier(), QuantizationModifier(**common)]


def quantize(job):
    settings = {"method": "gptq", "batch": 8} | job.settings
    model = job.load()
    names = linear_names(model)
    batches = [
        {"input_ids": ids, "attention_mask": ids.new_ones(ids.shape)}
        for ids in job.windows.split(settings["batch"])
    ]
    with job.timed():
        oneshot(
            model=model,
            tokenizer=str(job.model),
            dataset=DataLoader(batches, batch_size=None),
            recipe=recipe_of(job, settings["method"]),
            num_calibration_samples=len(job.windows),
            max_seq_length=job.windows.shape[1],
        )
    # AWQ changes norms, too.
    weights = {name: p.detach() for name, p in model.named_parameters() if ".layers." in name}
    for name in names:
        layer = model.get_submodule(name.removesuffix(".weight"))
        zero = getattr(layer, "weight_zero_point", None)
        order = getattr(layer, "weight_g_idx", None)
        arguments = layer.quantization_scheme.weights
        weights[name] = fake_quantize(layer.weight, layer.weight_scale, zero, arguments, order)
    return Made(weights, zero_bits=0 if job.scheme.grid == "sym" else job.scheme.bits)


run(quantize, ["llmcompressor", "compressed-tensors", "transformers"])
