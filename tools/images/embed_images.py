"""Writes the embeddings of images that conversations show, as the language model of a LLaVA gets them.

    python embed_images.py MODEL conversations.jsonl images.safetensors

Each line of the conversations names its images, paths from its own folder: {"text": "USER: <image>\\n...",
"images": ["cat.jpg"]}. Needs torch, transformers 5, safetensors and pillow.
"""

import json
import sys
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import AutoImageProcessor, AutoModelForImageTextToText


def main(model_path: str, conversations: str, out: str) -> None:
    processor = AutoImageProcessor.from_pretrained(model_path)
    model = AutoModelForImageTextToText.from_pretrained(model_path, dtype="auto").eval()
    lines = Path(conversations).read_text(encoding="utf-8").splitlines()
    names = sorted({name for line in lines if line for name in json.loads(line).get("images", [])})
    embeddings = {}
    for name in names:
        image = Image.open(Path(conversations).parent / name).convert("RGB")
        inputs = processor(images=image, return_tensors="pt").to(model.device, model.dtype)
        with torch.no_grad():
            features = model.get_image_features(**inputs).pooler_output
        embeddings[name] = features[0].contiguous()
        print(f"{name}: {len(embeddings[name])} tokens")
    save_file(embeddings, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
