"""The weight of Block-AP, as EfficientQAT's authors write it: shared by the yardsticks."""
import torch


def through(rounded, x):
    return (rounded - x).detach() + x


class QuantizedWeight(torch.nn.Module):
    """A weight in integers from 0 to `top` with learned scales and zero points of groups, rounded straight-through."""

    def __init__(self, weight, group, top):
        super().__init__()
        self.weight, self.group, self.top = torch.nn.Parameter(weight), group, top
        grouped = weight.reshape(-1, group)
        low, high = grouped.amin(1, keepdim=True), grouped.amax(1, keepdim=True)
        scale = ((high - low) / top).clamp(1e-4, 1e4)
        self.scale = torch.nn.Parameter(scale)
        self.zero = torch.nn.Parameter(torch.round(-(low / scale).clamp(-1e4, 1e4)))

    def forward(self):
        scale = through(self.scale.clamp(1e-4, 1e4), self.scale)
        zero = through(self.zero.round(), self.zero)
        zero = through(zero.clamp(0, self.top), zero)
        steps = self.weight.reshape(-1, self.group) / scale
        codes = (through(steps.round(), steps) + zero).clamp(0, self.top)
        return ((codes - zero) * scale).reshape(self.weight.shape)
