"""Tiny random LLaVAs with conversations that show images, made and compared by transformers.

image_models.py make FOLDER     writes FOLDER/<model_type> and FOLDER/conversations.jsonl; prints the names
image_models.py compare FOLDER  compares FOLDER/<model_type>-decoded with them; a JSON object a line
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors import safe_open
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (AutoConfig, AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer,
                          CLIPImageProcessor, LlavaNextImageProcessor, PreTrainedTokenizerFast)

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)

WORDS = "what do you see on this image a cat and its dog are there one red house".split()
TOKENS = ["<s>", "</s>", "<unk>", "<image>", *WORDS]
TEXT = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 32, "max_position_embeddings": 256}
VISION = {"model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 48,
          "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 16, "patch_size": 4}
SIZES = {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}
GRID = [[16, 32], [32, 16]]
FAMILIES = {
    "llava": ({"text_config": {"model_type": "llama", **TEXT}}, CLIPImageProcessor(**SIZES)),
    "llava_next": ({"text_config": {"model_type": "mistral", **TEXT}, "image_grid_pinpoints": GRID},
                   LlavaNextImageProcessor(**SIZES, image_grid_pinpoints=GRID)),
}
IMAGES = [f"image-{i}.png" for i in range(4)]
TOWER = ("vision_tower", "multi_modal_projector", "image_newline")


def make(folder: Path) -> None:
    draw = np.random.default_rng(0)
    for name in IMAGES:
        Image.fromarray(draw.integers(0, 256, (24, 40, 3), dtype=np.uint8)).save(folder / name)
    texts = [" ".join(draw.choice(WORDS, 12)) for _ in range(16)]
    lines = [{"text": f"<image> {text}", "images": [IMAGES[i % 4]]} for i, text in enumerate(texts)]
    (folder / "conversations.jsonl").write_text("\n".join(map(json.dumps, lines)))
    tokenizer = Tokenizer(WordLevel({token: i for i, token in enumerate(TOKENS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>",
                                   unk_token="<unk>", additional_special_tokens=["<image>"])
    for name, (fields, processor) in FAMILIES.items():
        torch.manual_seed(0)
        config = AutoConfig.for_model(name, vision_config=VISION, image_token_index=3, **fields)
        model = AutoModelForImageTextToText.from_config(config)
        with torch.no_grad():  # so that what is seen matters
            for parameter in model.parameters():
                parameter.mul_(4 if parameter.dim() > 1 else 1)
        for part in (model, fast, processor):
            part.save_pretrained(folder / name)
        print(name)


def stored(path: Path) -> dict[str, bytes]:
    """The bytes of tower and projector."""
    found = {}
    for file in path.glob("*.safetensors"):
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():
                if any(part in name for part in TOWER):
                    found[name] = tensors.get_tensor(name).contiguous().view(torch.uint8).numpy().tobytes()
    return found


def prompt(path: Path, image: Path, model: torch.nn.Module) -> dict:
    """An image and words behind it, as the model takes them."""
    seen = AutoImageProcessor.from_pretrained(path)(
        images=Image.open(image).convert("RGB"), return_tensors="pt")
    with torch.no_grad():
        count = len(model.get_image_features(**seen).pooler_output[0])
    words = "<image>" * count + " what do you see on this image"
    ids = AutoTokenizer.from_pretrained(path)(words, return_tensors="pt").input_ids
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), **seen}


def compare(folder: Path) -> None:
    for name in FAMILIES:
        original = AutoModelForImageTextToText.from_pretrained(folder / name, dtype=torch.float32).eval()
        decoded, info = AutoModelForImageTextToText.from_pretrained(
            folder / f"{name}-decoded", output_loading_info=True, dtype=torch.float32)
        asked = prompt(folder / name, folder / IMAGES[0], original)
        other = prompt(folder / name, folder / IMAGES[1], original)
        with torch.no_grad():
            before, after = original(**asked).logits, decoded.eval()(**asked).logits
            elsewhere = decoded(**other).logits
            written = decoded.generate(**asked, max_new_tokens=8, do_sample=False, pad_token_id=1)
        towers = stored(folder / name), stored(folder / f"{name}-decoded"), stored(folder / f"{name}-packed")
        print(json.dumps({
            "name": name,
            "missing": len(info["missing_keys"]),
            "unexpected": len(info["unexpected_keys"]),
            "towerTensors": len(towers[0]),
            "towerSame": towers[0] == towers[1] == towers[2],
            "written": written.shape[1] - asked["input_ids"].shape[1],
            "deviation": (after - before).abs().max().item(),
            "ofAnotherImage": (after[:, -1] - elsewhere[:, -1]).abs().max().item(),
            "largest": before.abs().max().item(),
        }))


if __name__ == "__main__":
    {"make": make, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))
