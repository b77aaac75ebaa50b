"""Golden types of mixtures: what llama.cpp's `llama_model_quantize` makes of files with the tensors of known models,
with and without importance; called in the shared library that npm's node-llama-cpp ships. The files have the names
and columns of the models, and two rows a tensor: the choice of types depends on nothing else.
Writes test/golden/mixtures.json. Run: python tools/golden/make_mixtures.py [libllama.so]
"""
import ctypes
import glob
import json
import pathlib
import struct
import sys
import tempfile

import gguf
import numpy as np

HERE = pathlib.Path(__file__).resolve().parents[2]
MIXTURES = {
    "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11, "Q3_K_M": 12, "Q3_K_L": 13,
    "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "Q2_K_S": 21, "TQ1_0": 36, "TQ2_0": 37,
    "Q1_0": 40, "Q2_0": 41, "F16": 1, "BF16": 32,
}  # fmt: skip
NEW_TYPES = {41: "q1_0", 42: "q2_0"}
# blocks, hidden, intermediate, columns of attn_output, heads, heads of keys and values, experts, tied
MODELS = {
    "SmolLM2-135M": ("llama", 30, 576, 1536, 576, 9, 3, 0, True),
    "Llama-3-8B": ("llama", 32, 4096, 14336, 4096, 32, 8, 0, False),
    "Llama-2-7B": ("llama", 32, 4096, 11008, 4096, 32, 32, 0, False),
    "Llama-3-70B": ("llama", 80, 8192, 28672, 8192, 64, 8, 0, False),
    "Qwen2-7B": ("qwen2", 28, 3584, 18944, 3584, 28, 4, 0, False),
    "Qwen2-0.5B": ("qwen2", 24, 896, 4864, 896, 14, 2, 0, True),
    "TinyLlama-1.1B": ("llama", 22, 2048, 5632, 2048, 32, 4, 0, False),
    "Mixtral-8x7B": ("llama", 32, 4096, 14336, 4096, 32, 8, 8, False),
    "Qwen1.5-MoE-A2.7B": ("qwen2moe", 24, 2048, 1408, 2048, 16, 16, 60, False),
    "odd columns": ("llama", 2, 200, 544, 192, 4, 4, 0, False),
}


class Importance(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.POINTER(ctypes.c_float)), ("size", ctypes.c_size_t)]


class Parameters(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in ("nthread", "ftype", "output_type", "embedding_type")),
        *((name, ctypes.c_bool) for name in ("requantize", "output", "only_copy", "pure", "keep_split", "dry_run")),
        ("imatrix", ctypes.POINTER(Importance)),
        *((name, ctypes.c_void_p) for name in ("kv_overrides", "tensor_types", "prune_layers")),
    ]


def shapes(arch, blocks, hidden, inner, attention, experts, tied):
    yield "token_embd", (2, hidden)
    if not tied:
        yield "output", (2, hidden)
    for block in range(blocks):
        for slot in ("attn_q", "attn_k", "attn_v"):
            yield f"blk.{block}.{slot}", (2, hidden)
        yield f"blk.{block}.attn_output", (2, attention)
        tail, lead = ("_exps", (experts,)) if experts else ("", ())
        for slot in ("ffn_gate", "ffn_up"):
            yield f"blk.{block}.{slot}{tail}", (*lead, 2, hidden)
        yield f"blk.{block}.ffn_down{tail}", (*lead, 2, inner)
        if arch == "qwen2moe":
            for slot, columns in (("ffn_gate", hidden), ("ffn_up", hidden), ("ffn_down", inner)):
                yield f"blk.{block}.{slot}_shexp", (2, columns)


def write_model(path, arch, blocks, hidden, inner, attention, heads, kv_heads, experts, tied):
    writer = gguf.GGUFWriter(path, arch)
    writer.add_block_count(blocks)
    writer.add_context_length(128)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(2)
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(2)
    rng = np.random.default_rng(0)
    for name, shape in shapes(arch, blocks, hidden, inner, attention, experts, tied):
        writer.add_tensor(f"{name}.weight", rng.standard_normal(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def importance_of(names):
    kept = [np.ones(np.prod(shape) // 2, np.float32) for _, shape in names]
    entries = [
        Importance(f"{name}.weight".encode(), ones.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), ones.size)
        for (name, _), ones in zip(names, kept)
    ]
    return (Importance * (len(entries) + 1))(*entries), kept


def types_of(library, source, ftype, importance):
    library.llama_model_quantize_default_params.restype = Parameters
    parameters = library.llama_model_quantize_default_params()
    assert (parameters.nthread, parameters.output, parameters.dry_run) == (0, True, False), "another layout"
    parameters.ftype, parameters.nthread = ftype, 1
    if importance is not None:
        parameters.imatrix = ctypes.cast(importance, ctypes.POINTER(Importance))
    target = f"{source}.out"
    if library.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)) != 0:
        return None
    return {name.removesuffix(".weight"): kind for name, kind in read_types(target)}


def read_types(path):
    """Names and types of a file's tensors: gguf-py does not know the newest types."""
    data, at = pathlib.Path(path).read_bytes(), 24
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    tensors, pairs = struct.unpack_from("<QQ", data, 8)

    def text():
        nonlocal at
        (length,) = struct.unpack_from("<Q", data, at)
        at += 8 + length
        return data[at - length : at].decode()

    for _ in range(pairs):
        text()
        (kind,) = struct.unpack_from("<I", data, at)
        at += 4
        if kind == 8:
            text()
        else:
            at += sizes[kind]
    for _ in range(tensors):
        name = text()
        (dimensions,) = struct.unpack_from("<I", data, at)
        (kind,) = struct.unpack_from("<I", data, at + 4 + 8 * dimensions)
        at += 16 + 8 * dimensions
        yield name, NEW_TYPES.get(kind) or gguf.GGMLQuantizationType(kind).name.lower()



def block_of(name):
    return int(name.split(".")[1]) if name.startswith("blk.") else -1


def compact(types, mixture):
    """Of each slot the type of every block, run by run: `q6_k 3, q4_k 2`; left out where all are the usual one."""
    usual, slots = mixture.lower().removesuffix("_s").removesuffix("_m").removesuffix("_l"), {}
    for name in sorted(types, key=block_of):
        runs = slots.setdefault(name.split(".")[-1], [])
        if runs and runs[-1][0] == types[name]:
            runs[-1][1] += 1
        else:
            runs.append([types[name], 1])
    text = {slot: ", ".join(f"{kind} {count}" for kind, count in runs) for slot, runs in slots.items()}
    return {slot: runs for slot, runs in text.items() if not runs.startswith(usual + " ") or "," in runs}


def main():
    pattern = f"{HERE}/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64/libllama.v*.so"
    path = sys.argv[1] if len(sys.argv) > 1 else glob.glob(pattern)[0]
    folder = pathlib.Path(path).parent
    for name in ("libggml-base.so", *(each.name for each in folder.glob("libggml.v*.so"))):
        ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(path)
    golden = []
    for model, (arch, blocks, hidden, inner, attention, heads, kv_heads, experts, tied) in MODELS.items():
        names = list(shapes(arch, blocks, hidden, inner, attention, experts, tied))
        importance, kept = importance_of(names)
        with tempfile.TemporaryDirectory() as work:
            source = f"{work}/model.gguf"
            write_model(source, arch, blocks, hidden, inner, attention, heads, kv_heads, experts, tied)
            cases = []
            for mixture, ftype in MIXTURES.items():
                for given in (False, True):
                    types = types_of(library, source, ftype, importance if given else None)
                    cases.append({"mixture": mixture, "importance": given, "types": types and compact(types, mixture)})
        about = {"blocks": blocks, "heads": heads, "kvHeads": kv_heads, "experts": max(1, experts), "tied": tied}
        columns = {name.split(".")[-1]: shape[-1] for name, shape in names}
        golden.append({"name": model, **about, "columns": columns, "cases": cases})
        del kept
    lines = ",\n".join(f" {json.dumps(case)}" for case in golden)
    (HERE / "test/golden/mixtures.json").write_text(f"[\n{lines}\n]\n")


main()
