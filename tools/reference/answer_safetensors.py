"""Tensors of safetensors files, by the library `safetensors`.

A case is {"header": text, "dataBytes": number}; the answer lists name, dtype and shape by name.
"""

import struct

import safetensors
from ask_python import serve


def answer(case):
    header = case["header"].encode("utf-8", "surrogatepass")
    data = bytes(case["dataBytes"])
    tensors = safetensors.deserialize(struct.pack("<Q", len(header)) + header + data)
    return sorted([name, info["dtype"], info["shape"]] for name, info in tensors)


serve(answer, ["safetensors"])
