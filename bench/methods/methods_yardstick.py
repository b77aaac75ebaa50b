"""Yardstick for methods.bench.ts: methods on a model of one block in PyTorch float32, one thread, with the arithmetic and the
order of work that their authors publish. Answers each line on standard input, {"method", ...settings}, with {"seconds"} of
processor time that the quantization took, without loading; see the cases in methods.bench.ts. training_yardstick.py takes the
trainings from here, on models of any number of blocks.

    python methods_yardstick.py CHECKPOINT WINDOWS

CHECKPOINT is a Hugging Face directory with one block, WINDOWS a JSON file of token ids, windows x tokens.
"""
import copy
import functools
import itertools
import json
import math
import pathlib
import sys
import time

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

sys.path.append(str(pathlib.Path(__file__).parent.parent / "layers"))
from quantized_weight import QuantizedWeight, through

torch.set_num_threads(1)


def grouped(weight, group):
    return weight.reshape(-1, group or weight.shape[-1])


class Layer(torch.nn.Module):
    """A linear layer whose weights, inputs and outputs are what functions make of them."""

    def __init__(self, linear, values=None, inputs=None, outputs=None):
        super().__init__()
        self.weight, self.values, self.inputs, self.outputs = linear.weight, values, inputs, outputs

    def forward(self, x):
        weight = self.values(self.weight) if self.values else self.weight
        y = F.linear(self.inputs(x) if self.inputs else x, weight)
        return self.outputs(y) if self.outputs else y


class Problem:
    """A model, its first block, the linear layers of a block by name, and the states that go into the first one. Precision
    is that of products in trainings, f32 or bf16; parameters are float32."""

    def __init__(self, path, windows, precision="f32"):
        self.ids = torch.tensor(windows)
        self.path, self.precision = path, precision
        self.load()

    def load(self):
        self.model = AutoModelForCausalLM.from_pretrained(self.path, dtype=torch.float32).eval()
        self.model.requires_grad_(False)
        self.block = self.model.model.layers[0]
        self.names = [name for name, part in self.block.named_modules() if isinstance(part, torch.nn.Linear)]
        with torch.no_grad():
            self.states = self.model.model.embed_tokens(self.ids)
            positions = torch.arange(self.ids.shape[1])[None]
            self.rotary = self.model.model.rotary_emb(self.states, positions)

    def autocast(self):
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision == "bf16")

    def start(self):
        self.started, self.steps = time.process_time(), 0

    def end_of_step(self):
        """Of trainings of the whole model the first step does not count."""
        self.steps += 1
        if self.steps == 1:
            self.started = time.process_time()

    def run(self, states):
        out = self.block(states, position_embeddings=self.rotary, attention_mask=None)
        return out[0] if isinstance(out, tuple) else out

    @torch.no_grad()
    def outputs(self):
        return torch.cat([self.run(window[None]) for window in self.states])

    @torch.no_grad()
    def inputs_of(self):
        """Inputs of each linear layer, tokens x columns."""
        found = {name: [] for name in self.names}
        hooks = [
            self.block.get_submodule(name).register_forward_pre_hook(
                lambda _, args, name=name: found[name].append(args[0].reshape(-1, args[0].shape[-1]))
            )
            for name in self.names
        ]
        self.outputs()
        for hook in hooks:
            hook.remove()
        return {name: torch.cat(parts) for name, parts in found.items()}

    def replace(self, make, blocks=None):
        """Puts a Layer in the place of each linear of some blocks, or of all; `make` gives its functions of weights and inputs,
        its parameters and, where there is one, its function of outputs, by the linear."""
        parameters = []
        for block in blocks or self.model.model.layers:
            for name in self.names:
                values, inputs, own, *outputs = make(block.get_submodule(name))
                block.set_submodule(name, Layer(block.get_submodule(name), values, inputs, *outputs))
                parameters.append(own)
        return parameters


def window_batches(count, steps, batch):
    """Windows of each step; without end where there is no number of steps."""
    for step in itertools.count() if steps is None else range(steps):
        yield torch.arange(step * batch, (step + 1) * batch) % count


def block_steps(problem, optimizer, batch, penalty=None):
    """Steps without end towards the original outputs of the first block; the loss of each."""
    target = problem.original_outputs
    for step, picked in enumerate(window_batches(len(target), None, batch)):
        with problem.autocast():
            out = problem.run(problem.states[picked])
        loss = F.mse_loss(out.float(), target[picked])
        if penalty:
            loss = loss + penalty(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        yield loss.item()


def train_block(problem, optimizer, steps, batch, penalty=None):
    for _ in itertools.islice(block_steps(problem, optimizer, batch, penalty), steps):
        pass


def asymmetric(low, high, bits):
    scale = ((high - low) / (2**bits - 1)).clamp(min=1e-5)
    return scale, -(low / scale).round()


# Searches without gradients.


def hqq(problem, bits, group, iterations=20, norm=0.7, beta=10.0, kappa=1.01):
    """Badri and Shaji, half-quadratic quantization: zero points by proximal steps."""
    for name in problem.names:
        w = grouped(problem.block.get_submodule(name).weight, group)
        low, high = w.amin(1, keepdim=True), w.amax(1, keepdim=True)
        inverse = ((2**bits - 1) / (high - low)).clamp(max=2e4)
        zero, power, best = -low * inverse, beta, math.inf
        for _ in range(iterations):
            codes = (w * inverse + zero).round().clamp(0, 2**bits - 1)
            rebuilt = (codes - zero) / inverse
            error = w - rebuilt
            shrunk = error.sign() * F.relu(error.abs() - error.abs().clamp(min=1e-12).pow(norm - 1) / power)
            zero = (codes - (w - shrunk) * inverse).mean(1, keepdim=True)
            power *= kappa
            now = error.abs().mean().item()
            if now >= best:
                break
            best = now


def fake_rtn(w, bits, group):
    g = grouped(w, group)
    scale, zero = asymmetric(g.amin(1, keepdim=True), g.amax(1, keepdim=True), bits)
    return (((g / scale).round() + zero).clamp(0, 2**bits - 1) - zero).mul(scale).reshape(w.shape)


def awq(problem, bits, group, points=20):
    """Lin et al., AWQ: for each set of layers the ratio whose scales make the least error of what they compute, or the
    attention or MLP that they begin; then the clipping of each group, on 512 tokens."""
    inputs, block, tokens = problem.inputs_of(), problem.block, problem.ids.shape[1]
    q, k, v, o, gate, up, down = problem.names
    attention = lambda x: block.self_attn(x, position_embeddings=problem.rotary, attention_mask=None)[0]
    sets = [((q, k, v), attention), ((o,), None), ((gate, up), block.mlp), ((down,), None)]
    for names, scope in sets:
        x = inputs[names[0]].reshape(-1, tokens, inputs[names[0]].shape[-1])
        spread = x.abs().mean((0, 1))
        layers = [block.get_submodule(name) for name in names]
        weights = [layer.weight for layer in layers]
        compute = scope or layers[0]
        with torch.no_grad():
            expected = compute(x)
            for point in range(points):
                scales = spread.pow(point / points).clamp(min=1e-4)
                scales = scales / (scales.max() * scales.min()).sqrt()
                for layer, weight in zip(layers, weights):
                    layer.weight = torch.nn.Parameter(fake_rtn(weight * scales, bits, group) / scales, False)
                (compute(x) - expected).pow(2).mean().item()
        for layer, weight in zip(layers, weights):
            layer.weight = weight
    for name in (v, o, gate, up, down):
        x = inputs[name]
        clip_groups(block.get_submodule(name).weight, x[:: max(1, len(x) // 512)], bits, group, points)


@torch.no_grad()
def clip_groups(weight, x, bits, group, points):
    x = x.reshape(1, len(x), -1, group)
    for rows in weight.split(256):
        w = rows.reshape(len(rows), 1, -1, group)
        expected = (x * w).sum(-1)
        most = w.abs().amax(-1, keepdim=True)
        best = torch.full_like(most, 1e9)
        for point in range(points // 2):
            bound = most * (1 - point / points)
            rounded = fake_rtn(w.clamp(-bound, bound).reshape(len(rows), -1), bits, group).reshape(w.shape)
            error = ((x * rounded).sum(-1) - expected).pow(2).mean(1)[:, None, :, None]
            best = torch.minimum(best, error)


def squeezellm(problem, bits):
    """Kim et al., SqueezeLLM: squared gradients of the loss, then k-means of each row weighted by them (scikit-learn)."""
    from sklearn.cluster import KMeans

    weights = [problem.block.get_submodule(name).weight for name in problem.names]
    for weight in weights:
        weight.requires_grad_(True)
    fisher = [torch.zeros_like(weight) for weight in weights]
    for window in problem.ids:
        problem.model(window[None], labels=window[None]).loss.backward()
        for total, weight in zip(fisher, weights):
            total += weight.grad.pow(2)
            weight.grad = None
    for weight, total in zip(weights, fisher):
        for row, importance in zip(weight.detach().numpy(), total.numpy()):
            kmeans = KMeans(n_clusters=2**bits, random_state=0, n_init="auto", max_iter=50)
            kmeans.fit(row.reshape(-1, 1), sample_weight=importance + 1e-30)


def svid(problem):
    """Xu et al., OneBit: the first singular vectors of the magnitudes."""
    for name in problem.names:
        torch.linalg.svd(problem.block.get_submodule(name).weight.abs(), full_matrices=False)


def arb(problem, rounds=15):
    """Li et al., ARB-LLM, on row and column scales: each in turn the best for the outputs, by second moments (ARB-X)."""
    inputs = problem.inputs_of()
    for name in problem.names:
        w, x = problem.block.get_submodule(name).weight, inputs[name]
        moments = x.T @ x
        signs, h = w.sign(), w.abs().mean(1)
        g = (w.abs() / h[:, None]).mean(0)
        for _ in range(rounds):
            u = signs * g
            h = ((w @ moments) * u).sum(1) / ((u @ moments) * u).sum(1)
            v = signs * h[:, None]
            gram = moments * (v.T @ v)
            gram += 1e-6 * gram.diagonal().mean() * torch.eye(len(gram))
            g = torch.cholesky_solve((v * (w @ moments)).sum(0)[:, None], torch.linalg.cholesky(gram))[:, 0]


# Trainings of a block.


def auto_round(problem, bits, group, steps, batch):
    """Cheng et al., SignRound: roundings and ranges by signed gradients."""
    parameters = []

    def make(linear):
        g = grouped(linear.weight, group)
        low, high = g.amin(1, keepdim=True), g.amax(1, keepdim=True)
        v, least, most = torch.zeros_like(g), torch.ones_like(low), torch.ones_like(high)
        own = [t.requires_grad_() for t in (v, least, most)]
        parameters.extend(own)

        def values(weight):
            scale, zero = asymmetric(low * least, high * most, bits)
            zero = through(zero.round(), zero)
            steps_of = g / scale + v
            codes = (through(steps_of.round(), steps_of) + zero).clamp(0, 2**bits - 1)
            return ((codes - zero) * scale).reshape(weight.shape)

        return values, None, own

    problem.original_outputs = problem.outputs()
    problem.replace(make)
    target, rate, best = problem.original_outputs, 1 / steps, math.inf
    for step, picked in enumerate(window_batches(len(target), steps, batch)):
        loss = F.mse_loss(problem.run(problem.states[picked]), target[picked])
        if loss.item() < best:
            best, kept = loss.item(), [p.detach().clone() for p in parameters]
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients):
                parameter -= rate * (1 - step / steps) * gradient.sign()
            for at in range(0, len(parameters), 3):
                parameters[at].clamp_(-0.5, 0.5)
                parameters[at + 1].clamp_(0, 1), parameters[at + 2].clamp_(0, 1)


def omniquant(problem, bits, group, epochs):
    """Shao et al., OmniQuant, weights only: learned clipping, a window a step, AdamW."""
    parameters = []

    def make(linear):
        g = grouped(linear.weight, group)
        bounds = [torch.full((len(g), 1), 4.0, requires_grad=True) for _ in range(2)]
        parameters.extend(bounds)

        def values(weight):
            low = g.amin(1, keepdim=True) * bounds[0].sigmoid()
            high = g.amax(1, keepdim=True) * bounds[1].sigmoid()
            scale, zero = asymmetric(low, high, bits)
            codes = (through((g / scale).round(), g / scale) + zero.detach()).clamp(0, 2**bits - 1)
            return ((codes - zero.detach()) * scale).reshape(weight.shape)

        return values, None, bounds

    problem.original_outputs = problem.outputs()
    problem.replace(make)
    optimizer = torch.optim.AdamW(parameters, lr=1e-2, weight_decay=0)
    train_block(problem, optimizer, epochs * len(problem.ids), 1)


def soft(v):
    return (v.sigmoid() * 1.2 - 0.1).clamp(0, 1)


def rounding(linear, bits, group):
    """The rounding variables of AdaRound over whole ranges: values of a weight, and the variables."""
    g = grouped(linear.weight, group)
    scale, zero = asymmetric(g.amin(1, keepdim=True), g.amax(1, keepdim=True), bits)
    floor = (g / scale).floor()
    v = (-torch.log(1.2 / (g / scale - floor + 0.1) - 1)).requires_grad_()

    def values(weight):
        return (((floor + soft(v) + zero).clamp(0, 2**bits - 1) - zero) * scale).reshape(weight.shape)

    return values, v


def one_sided(variables, step, steps):
    share = min(1.0, max(0.0, (step / steps - 0.2) / 0.8))
    power = 2 + 18 * (1 - share)
    return sum((1 - ((soft(v) - 0.5).abs() * 2).pow(power)).sum() for v in variables) * 0.01


def adaround(problem, bits, group, steps, batch):
    """Nagel et al., AdaRound: layer by layer, on inputs of some windows in each step."""
    inputs = problem.inputs_of()
    tokens = problem.ids.shape[1]
    for name in problem.names:
        linear, x = problem.block.get_submodule(name), inputs[name]
        x = x.reshape(-1, tokens, x.shape[-1])
        values, v = rounding(linear, bits, group)
        optimizer = torch.optim.Adam([v], lr=1e-3)
        expected = F.linear(x, linear.weight)
        for step, picked in enumerate(window_batches(len(x), steps, batch)):
            error = F.linear(x[picked], values(linear.weight)) - expected[picked]
            loss = error.pow(2).sum(-1).mean() + one_sided([v], step, steps)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()


def brecq(problem, bits, group, steps, batch):
    """Li et al., BRECQ: rounding variables of all layers of a block, by its output."""
    parameters = []

    def make(linear):
        values, v = rounding(linear, bits, group)
        parameters.append(v)
        return values, None, [v]

    problem.original_outputs = problem.outputs()
    problem.replace(make)
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    penalty = lambda step: one_sided(parameters, step, steps)
    train_block(problem, optimizer, steps, batch, penalty=penalty)


def block_ap(problem, bits, group, batch):
    """Chen et al., EfficientQAT, first phase: weights, scales and zero points of the first block; steps without end."""
    quantized = []

    def make(linear):
        weight = QuantizedWeight(linear.weight.detach(), group, 2**bits - 1)
        quantized.append(weight)
        return lambda _: weight(), None, list(weight.parameters())

    problem.original_outputs = problem.outputs()
    problem.replace(make, [problem.block])
    groups = [
        {"params": [weight.weight for weight in quantized], "lr": 2e-5},
        {"params": [p for weight in quantized for p in (weight.scale, weight.zero)], "lr": 1e-4},
    ]
    return block_steps(problem, torch.optim.AdamW(groups, weight_decay=0, fused=True), batch)


# Trainings of the whole model.


def rows_by_largest(bits):
    top = 2 ** (bits - 1) - 1

    def values(weight):
        scale = weight.detach().abs().amax(-1, keepdim=True).clamp(min=1e-5) / top
        return through((weight / scale).round() * scale, weight)

    return values


class LearnedStep(torch.autograd.Function):
    """Esser et al., LSQ: integers of a learned scale, its gradient as in the paper."""

    @staticmethod
    def forward(ctx, weight, scale, top):
        ctx.save_for_backward(weight, scale)
        ctx.top = top
        return (weight / scale).round().clamp(-top - 1, top) * scale

    @staticmethod
    def backward(ctx, upstream):
        weight, scale = ctx.saved_tensors
        top, steps = ctx.top, weight / scale
        low, high = steps <= -top - 1, steps >= top
        inside = ~(low | high)
        factor = 1 / math.sqrt(weight.numel() * top / scale.numel())
        moved = inside * (steps.round() - steps) + low * (-top - 1.0) + high * top
        return upstream * inside, (upstream * moved).sum(-1, keepdim=True) * factor, None


def signs_and_mean(weight):
    """Rastegari et al., XNOR-Net: signs and the mean magnitude of a row, with the gradient of both."""
    alpha = weight.detach().abs().mean(-1, keepdim=True)
    return through(weight.sign() * alpha, weight)


def plain_signs(weight):
    return through(weight.sign(), weight.clamp(-1, 1))


def ternary(weight):
    """Ma et al., BitNet b1.58: the mean magnitude of the matrix."""
    scale = weight.detach().abs().mean().clamp(min=1e-5)
    return through((weight / scale).round().clamp(-1, 1) * scale, weight)


def sign_inputs(x):
    return through(x.sign() * x.detach().abs().mean(-1, keepdim=True), x.clamp(-1, 1))


def token_integers(x):
    scale = x.detach().abs().amax(-1, keepdim=True).clamp(min=1e-5) / 127
    return through((x / scale).round() * scale, x)


def end_to_end_steps(problem, make, batch, teacher=False, hidden=False, only_scales=False, clip=1.0):
    """Steps without end of AdamW over all weights and what `make` adds, or that alone. The loss is that of the text, or the
    divergence from the original's predictions; of each step, a token, in nats."""
    original = copy.deepcopy(problem.model) if teacher else None
    scales = [p for own in problem.replace(make) for p in own]
    weights = [] if only_scales else list(problem.model.parameters())
    for weight in weights:
        weight.requires_grad_(True)
    trained = [*weights, *scales]
    optimizer = torch.optim.AdamW(trained, lr=2e-5, weight_decay=0, fused=True)
    how = {"output_hidden_states": hidden, "use_cache": False}
    for picked in window_batches(len(problem.ids), None, batch):
        ids = problem.ids[picked]
        with problem.autocast():
            out = problem.model(ids, labels=None if teacher else ids, **how)
            if original:
                with torch.no_grad():
                    right = original(ids, **how)
        if original:
            given, wanted = (logits.float().log_softmax(-1) for logits in (out.logits, right.logits))
            loss = F.kl_div(given, wanted, log_target=True, reduction="sum") / ids.numel()
        else:
            loss = out.loss
        told = loss.item()
        if hidden:
            pairs = zip(out.hidden_states[1:], right.hidden_states[1:])
            loss = loss + sum(F.mse_loss(F.normalize(a, dim=-1), F.normalize(b, dim=-1)) for a, b in pairs)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, clip)
        optimizer.step()
        yield told


def end_to_end(problem, make, steps, batch, **how):
    for _ in itertools.islice(end_to_end_steps(problem, make, batch, **how), steps):
        problem.end_of_step()


def learned_steps(bits):
    """ParetoQ from 3 bits on: LSQ with a scale a row, from the largest magnitude."""
    top = 2 ** (bits - 1) - 1

    def make(linear):
        scale = (linear.weight.abs().amax(-1, keepdim=True) / max(top, 1)).clone().requires_grad_()
        return lambda weight: LearnedStep.apply(weight, scale, top), None, [scale]

    return make


def paretoq(problem, bits, **run):
    end_to_end(problem, learned_steps(bits), **run)


def scales_of_groups(bits, group):
    """E2E-QP: codes and zero points of rounding stay, scales are learned. What codes and zero points make of a scale is held in
    float32, where the authors unpack it in each pass."""

    def make(linear):
        g = grouped(linear.weight.detach(), group)
        scale, zero = asymmetric(g.amin(1, keepdim=True), g.amax(1, keepdim=True), bits)
        steps = ((g / scale).round() + zero).clamp(0, 2**bits - 1) - zero
        scale = scale.clone().requires_grad_()
        return lambda weight: (steps * scale).reshape(weight.shape), None, [scale]

    return make


def with_functions(values, inputs, teacher=False):
    def method(problem, **run):
        end_to_end(problem, lambda _: (values, inputs, []), teacher=teacher, **run)

    return method


def llm_qat(problem, bits, **run):
    end_to_end(problem, lambda _: (rows_by_largest(bits), token_integers, []), teacher=True, **run)


class SignsOfWeights(torch.autograd.Function):
    """Signs, whose gradient passes as 1.001 - tanh(w)^2."""

    @staticmethod
    def forward(ctx, weight):
        ctx.save_for_backward(weight)
        return weight.sign()

    @staticmethod
    def backward(ctx, upstream):
        return upstream * (1.001 - ctx.saved_tensors[0].tanh().square())


def signs_between_vectors(linear):
    """Xu et al., OneBit: signs between two learned vectors, which begin as the first singular ones of the magnitudes (power
    iteration), and a LayerNorm."""
    magnitude = linear.weight.detach().abs()
    g = magnitude.mean(0)
    for _ in range(20):
        g = F.normalize(magnitude.T @ (magnitude @ g), dim=0)
    h = (magnitude @ g).requires_grad_()
    g.requires_grad_()
    norm = lambda y: F.layer_norm(y * h, y.shape[-1:], eps=1e-5)
    return SignsOfWeights.apply, lambda x: x * g, [g, h], norm


def onebit(problem, **run):
    """Xu et al., OneBit, distilled from logits and states."""
    end_to_end(problem, signs_between_vectors, teacher=True, hidden=True, **run)


def spinquant(problem, steps, batch, held_out):
    """Liu et al., SpinQuant: Cayley SGD of the rotation of the stream and of each head's values, weights in 4 and inputs in
    8 bits. Some windows are put aside, and judge each state; the authors keep the last one."""
    config, block = problem.model.config, problem.block
    width, head = config.hidden_size, config.hidden_size // config.num_attention_heads
    rotations = [torch.linalg.qr(torch.randn(width, width))[0].requires_grad_(), torch.eye(head).requires_grad_()]
    momenta = [torch.zeros_like(r) for r in rotations]
    q, k, v, o, gate, up, down = problem.names

    def make(linear):
        name = next(name for name in problem.names if block.get_submodule(name) is linear)

        def values(weight):
            r, own = rotations
            if name in (o, down):
                weight = r.T @ weight
            else:
                weight = weight @ r
            if name == v:
                weight = (own.T @ weight.reshape(-1, head, weight.shape[1])).reshape(weight.shape)
            if name == o:
                weight = (weight.reshape(weight.shape[0], -1, head) @ own).reshape(weight.shape)
            return through(fake_rtn(weight, 4, 64), weight)

        return values, token_integers, []

    problem.replace(make)
    embedding = problem.model.model.embed_tokens.weight.detach()

    def loss_of(ids):
        states = problem.run(F.embedding(ids, embedding) @ rotations[0])
        states = problem.model.model.norm(states @ rotations[0].T)
        logits = F.linear(states, embedding)
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())

    @torch.no_grad()
    def judge():
        for window in problem.ids[:held_out]:
            loss_of(window[None]).item()

    judge()
    for step, picked in enumerate(window_batches(len(problem.ids), steps, batch)):
        gradients = torch.autograd.grad(loss_of(problem.ids[picked]), rotations)
        rate = 1.5 * (1 + math.cos(math.pi * step / steps)) / 2
        with torch.no_grad():
            for x, gradient, momentum in zip(rotations, gradients, momenta):
                cayley(x, gradient, momentum, rate)
        judge()
        problem.end_of_step()


def cayley(x, gradient, momentum, rate):
    unit = x / x.norm(dim=1, keepdim=True)
    velocity = 0 * momentum - gradient.T
    moved = velocity @ unit
    skew = moved - 0.5 * unit.T @ (unit @ moved)
    skew = skew - skew.T
    step = min(rate, 1 / (skew.abs().sum(0).max().item() + 1e-8))
    z = unit.T
    y = z + step * velocity
    for _ in range(5):
        y = z + step / 2 * skew @ (z + y)
    x.copy_(y.T)
    momentum.copy_(skew @ z)


def products(problem, rows, columns, inner, times):
    """What bounds the rest: products of the shape of the head's."""
    x, weight = torch.zeros(rows, inner), torch.zeros(columns, inner)
    for _ in range(times):
        F.linear(x, weight)


methods = {
    "products": products,
    "hqq": hqq,
    "awq": awq,
    "squeezellm": squeezellm,
    "svid": svid,
    "arb": arb,
    "auto-round": auto_round,
    "omniquant": omniquant,
    "adaround": adaround,
    "brecq": brecq,
    "paretoq": paretoq,
    "llm-qat": llm_qat,
    "bitnet": with_functions(ternary, token_integers),
    "xnor-net": with_functions(signs_and_mean, sign_inputs),
    "bnn": with_functions(plain_signs, lambda x: through(x.sign(), x.clamp(-1, 1))),
    "onebit": onebit,
    "spinquant": spinquant,
}


def main():
    path, windows = sys.argv[1:3]
    with open(windows) as file:
        problem = Problem(path, json.load(file))
    print(json.dumps({"ready": True, "torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        settings = json.loads(line)
        work = functools.partial(methods[settings.pop("method")], problem, **settings)
        problem.load()
        problem.start()
        work()
        print(json.dumps({"seconds": time.process_time() - problem.started}), flush=True)


if __name__ == "__main__":
    main()
