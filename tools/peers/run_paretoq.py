"""The arithmetic of ParetoQ's authors (arXiv 2502.02631; facebookresearch/ParetoQ), written anew in
PyTorch, float32.

All weights, tables and norms are trained by cross-entropy while linear layers are seen as values of
a grid with one scale a row: SEQ at 2 bits, LSQ at 3 and 4. Settings: steps, batch, rate (2e-5 at 2
bits, else 1e-5). Windows are drawn at random, seed 0.
"""
import math

import torch
import torch.nn.functional as F

from peer import Made, run

CLIP = 0.99


class OnGrid(torch.autograd.Function):
    """Values of the grid, with the authors' gradients of weight and scale."""

    @staticmethod
    def forward(context, weight, scale, bits):
        x = weight / scale
        if bits == 2:
            inside, top = x.abs() <= CLIP, 1
            values = ((x.clamp(-CLIP, CLIP) * 2 - 0.5).round() + 0.5) / 2
            slope = torch.where(inside, values - x, 0.75 * x.sign())
        else:
            top = 2 ** (bits - 1) - 1
            inside = (x >= -top - 1) & (x <= top)
            values = x.round().clamp(-top - 1, top)
            slope = torch.where(inside, values - x, values)
        context.save_for_backward(inside, slope)
        context.share = 1 / math.sqrt(weight.numel() * top)
        return values * scale

    @staticmethod
    def backward(context, gradient):
        inside, slope = context.saved_tensors
        return gradient * inside, (gradient * slope).sum(1, keepdim=True) * context.share, None


class Latent(torch.nn.Module):
    """A linear layer that computes with the grid's values of its weight."""

    def __init__(self, linear, bits):
        super().__init__()
        self.bits, self.weight = bits, linear.weight
        largest = linear.weight.detach().abs().amax(1, keepdim=True)
        self.scale = torch.nn.Parameter(largest / (1 if bits == 2 else 2 ** (bits - 1) - 1))

    def forward(self, x):
        return F.linear(x, OnGrid.apply(self.weight, self.scale.clamp(min=1e-5), self.bits))

    def packed(self):
        """What is stored: codes, and scales in float16."""
        scale = self.scale.detach().clamp(min=1e-5).half().float()
        return OnGrid.apply(self.weight, scale, self.bits)


def replace_linears(module, bits):
    for name, child in module.named_children():
        if isinstance(child, torch.nn.Linear):
            setattr(module, name, Latent(child, bits))
        else:
            replace_linears(child, bits)


def quantize(job):
    rate = 2e-5 if job.scheme.bits == 2 else 1e-5
    settings = {"steps": 400, "batch": 8, "rate": rate} | job.settings
    model, steps = job.load(), settings["steps"]
    with job.timed():
        replace_linears(model.model.layers, job.scheme.bits)
        model.train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=settings["rate"], weight_decay=0)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            ids = job.windows[torch.randperm(len(job.windows))[: settings["batch"]]]
            optimizer.zero_grad()
            model(ids, labels=ids, use_cache=False).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
            optimizer.step()
            schedule.step()
    weights = {name: p.detach() for name, p in model.named_parameters()}
    for name, module in model.named_modules():
        if isinstance(module, Latent):
            weights[f"{name}.weight"] = module.packed().detach()
    return Made(weights)


run(quantize, ["transformers"])
