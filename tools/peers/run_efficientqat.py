"""The arithmetic of EfficientQAT's authors (arXiv 2407.11062; OpenGVLab/EfficientQAT), written anew
in PyTorch, float32.

Block-AP: weights, scales, zero points and norms of a block by AdamW on the squared error of its
output, windows in their order. E2E-QP: scales alone, by cross-entropy through the whole model.
Settings: epochs, batch, weight_rate, scale_rate (of Block-AP), e2e_epochs (0: none), e2e_rate,
e2e_batch. Defaults are the paper's rates; its data are 4096 windows of 2048.
"""
import math

import torch
import torch.nn.functional as F

from peer import Made, run


def through(value, x):
    """`value` forwards; backwards as if it were x."""
    return (value - x).detach() + x


class Quantized(torch.nn.Module):
    """A linear layer whose weight, scales and zero points are learned; then frozen to codes."""

    def __init__(self, linear, bits, group):
        super().__init__()
        self.top, self.shape = 2**bits - 1, linear.weight.shape
        self.weight = torch.nn.Parameter(linear.weight.detach().reshape(-1, group).clone())
        low, high = self.weight.detach().aminmax(dim=1, keepdim=True)
        scale = ((high - low) / self.top).clamp(1e-4, 1e4)
        self.scale = torch.nn.Parameter(scale)
        self.zero = torch.nn.Parameter(-(low / scale).clamp(-1e4, 1e4).round())
        self.codes = None

    def values(self):
        if self.codes is not None:
            return ((self.codes - self.zero) * self.scale).view(self.shape)
        scale = through(self.scale.clamp(1e-4, 1e4), self.scale)
        zero = through(self.zero.round(), self.zero)
        zero = through(zero.clamp(0, self.top), zero)
        steps = self.weight / scale
        codes = (through(steps.round(), steps) + zero).clamp(0, self.top)
        return ((codes - zero) * scale).view(self.shape)

    def freeze(self):
        """Keeps codes, and scales as they are stored: float16."""
        scale = self.scale.detach().clamp(1e-4, 1e4)
        zero = self.zero.detach().round().clamp(0, self.top)
        self.codes = ((self.weight.detach() / scale).round() + zero).clamp(0, self.top)
        self.zero = torch.nn.Parameter(zero, requires_grad=False)
        self.scale = torch.nn.Parameter(scale.half().float())
        self.weight = None

    def forward(self, x):
        return F.linear(x, self.values())


def inputs_of_blocks(model, windows):
    """Activations in front of the first block, and what a block is called with besides."""
    caught = {}

    def catch(_, args, kwargs):
        caught["others"] = kwargs | {"attention_mask": None}

    hook = model.model.layers[0].register_forward_pre_hook(catch, with_kwargs=True)
    with torch.no_grad():
        model.model(windows[:1], use_cache=False)
        hook.remove()
        return model.model.embed_tokens(windows), caught["others"]


@torch.no_grad()
def forward_all(block, x, others, batch):
    return torch.cat([block(part, **others) for part in x.split(batch)])


def replace_linears(module, bits, group):
    for name, child in module.named_children():
        if isinstance(child, torch.nn.Linear):
            setattr(module, name, Quantized(child, bits, group))
        else:
            replace_linears(child, bits, group)


def train(groups, steps, loss_of, schedule, clip=None):
    """AdamW without weight decay; `schedule` gives each step's share of the rates."""
    optimizer = torch.optim.AdamW(groups, weight_decay=0)
    rates = [group["lr"] for group in optimizer.param_groups]
    for step in range(steps):
        for group, rate in zip(optimizer.param_groups, rates):
            group["lr"] = rate * schedule(step / steps)
        optimizer.zero_grad()
        loss_of(step).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_([p for group in groups for p in group["params"]], clip)
        optimizer.step()


def cosine(share, last=0.0):
    return last + (1 - last) * (1 + math.cos(math.pi * share)) / 2


def train_block(block, x, target, others, settings):
    named = dict(block.named_parameters())
    learned = [p for name, p in named.items() if name.endswith(("scale", "zero"))]
    weights = [p for name, p in named.items() if name.endswith("weight")]
    groups = [
        {"params": weights, "lr": settings["weight_rate"]},
        {"params": learned, "lr": settings["scale_rate"]},
    ]
    batch = settings["batch"]
    batches = len(x) // batch

    def loss_of(step):
        part = slice(step % batches * batch, (step % batches + 1) * batch)
        return F.mse_loss(block(x[part], **others), target[part])

    train(groups, settings["epochs"] * batches, loss_of, lambda share: cosine(share, 0.05))
    for module in block.modules():
        if isinstance(module, Quantized):
            module.freeze()


def block_ap(model, windows, scheme, settings):
    originals, others = inputs_of_blocks(model, windows)
    quantized, batch = originals, settings["batch"]
    for block in model.model.layers:
        originals = forward_all(block, originals, others, batch)
        replace_linears(block, scheme.bits, scheme.group)
        train_block(block, quantized, originals, others, settings)
        quantized = forward_all(block, quantized, others, batch)


def e2e_qp(model, windows, settings):
    batches = windows.split(settings["e2e_batch"])
    model.requires_grad_(False)
    layers = [module for module in model.modules() if isinstance(module, Quantized)]
    scales = [layer.scale.requires_grad_() for layer in layers]
    steps = round(settings["e2e_epochs"] * len(batches))

    def loss_of(step):
        ids = batches[step % len(batches)]
        return model(ids, labels=ids, use_cache=False).loss

    def schedule(share):
        return min(1, (share + 1 / steps) / 0.03) * cosine(share)

    groups = [{"params": scales, "lr": settings["e2e_rate"]}]
    train(groups, steps, loss_of, schedule, clip=0.3)


def quantize(job):
    rate = 2e-5 if job.scheme.bits == 2 else 1e-5
    usual = {"epochs": 2, "batch": 2, "weight_rate": rate, "scale_rate": 1e-4}
    settings = usual | {"e2e_epochs": 1, "e2e_rate": rate, "e2e_batch": 2} | job.settings
    model = job.load()
    with job.timed():
        block_ap(model, job.windows, job.scheme, settings)
        if settings["e2e_epochs"]:
            e2e_qp(model, job.windows, settings)
    weights = {name: p.detach() for name, p in model.named_parameters() if ".layers." in name}
    for name, module in model.named_modules():
        if isinstance(module, Quantized):
            module.scale.data = module.scale.data.half().float()
            weights[f"{name}.weight"] = module.values().detach()
    return Made(weights, zero_bits=job.scheme.bits)


run(quantize, ["transformers"])
