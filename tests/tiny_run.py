"""A folder of shards of plain colours and a CLIP of a few thousand weights on disk, for tests that use commands."""

import io
import json
import tarfile

import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from clipguide.models.bert import BertConfig
from clipguide.models.clip import build_network
from pretrain.models import write_folder

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "black": (0, 0, 0)}
WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *COLOURS]
BERT = BertConfig(
    vocab_size=8,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=8,
)
MODEL = {
    "embed_dim": 8,
    "vision_cfg": {"layers": 1, "width": 64, "head_width": 32, "patch_size": 16, "image_size": 32},
    "text_cfg": {"hf_model_name": "tiny", "context_length": 6, "hf_proj_type": "linear"},
}
RESNET = MODEL | {"vision_cfg": {"layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "image_size": 32}}
PREPROCESS = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
FAST = ["--batch", "4", "--sizes", "32", "--threads", "1", "--bank", "4", "--head-lr", "0.003", "--lr", "0.003"]


def write_shard(path, count, first=0):
    with tarfile.open(path, "w") as shard:
        for i in range(first, first + count):
            name = list(COLOURS)[i % 4]
            picture = io.BytesIO()
            Image.new("RGB", (16, 16), COLOURS[name]).save(picture, "PNG")
            described = {"captions": [name, f"{name} {name}"], "concept": name}
            add(shard, f"{i:06d}.png", picture.getvalue())
            add(shard, f"{i:06d}.json", json.dumps(described).encode())


def add(shard, name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    shard.addfile(entry, io.BytesIO(data))


def make_shards(folder):
    """Two shards with ten pairs each."""
    folder.mkdir()
    write_shard(folder / "000.tar", 10)
    write_shard(folder / "001.tar", 10, first=10)
    return folder


def make_start(folder, config=MODEL, seed=0):
    """An untrained CLIP with a BERT that knows the colours."""
    torch.manual_seed(seed)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    write_folder(folder, build_network(config, BERT), config, PREPROCESS, None)
    return folder
