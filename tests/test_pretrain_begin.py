"""What a training begins with: a learned vocabulary, a CLIP of open_clip's, towers of timm's and transformers'."""

import json
import tarfile

import pytest
import torch
from safetensors.torch import save_file
from tiny_run import BERT, FAST, add, make_shards, make_start

from clipguide.models.bert import Bert
from clipguide.models.clip import build_network, open_folder
from clipguide.ops.vision_import import import_torchvision
from pretrain import cli

VISION = {"layers": 1, "width": 64, "head_width": 32, "patch_size": 16, "image_size": 32}
TIMM = {"timm_model_name": "mobilenetv2_035", "timm_pool": "", "timm_proj": "linear", "image_size": 32}
TEXT = {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder that open_clip knows two tiny configs of."""
    import_torchvision()
    import open_clip

    for name, vision in (("tiny-vit", VISION), ("tiny-timm", TIMM)):
        config = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": TEXT}
        (tmp_path / f"{name}.json").write_text(json.dumps(config))
        open_clip.add_model_config(tmp_path / f"{name}.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begin(*words):
    return cli.main(["begin", *map(str, words), "--out", "start"])


def train_and_export(out, *words):
    """Two steps from ./start with both towers free; the CLIP that is exported, and the one before."""
    free = ["--no-lock-text", "--no-frozen-norms", *words]
    assert (
        cli.main(["train", "--shards", "shards", "--start", "start", "--out", "run", *FAST, "--steps", "2", *free]) == 0
    )
    assert cli.main(["export", "--run", "run", "--out", out]) == 0
    return open_folder(out), open_folder("start")


@pytest.mark.parametrize("name", ["tiny-vit", "tiny-timm"])
def test_weights_of_open_clip_become_a_folder_that_trains(place, name, capsys):
    import open_clip

    torch.manual_seed(0)
    whole = open_clip.create_model(name).eval()
    torch.save(whole.state_dict(), "weights.pt")
    assert begin("--config", name, "--weights", "weights.pt") == 0
    assert "the CLIP from weights.pt" in capsys.readouterr().out
    opened, views = open_folder("start"), torch.rand(2, 3, 32, 32)
    tokens = opened.tokenise(["a red fox"])
    with torch.no_grad():
        torch.testing.assert_close(opened.model.encode_image(views), whole.encode_image(views), atol=2e-2, rtol=0)
        torch.testing.assert_close(opened.model.encode_text(tokens), whole.encode_text(tokens), atol=2e-2, rtol=0)
    assert opened.mean[0] == pytest.approx(0.4815, abs=1e-4) and opened.token_count("a red fox") == 5
    again = open_clip.create_model("local-dir:start").eval()
    torch.testing.assert_close(again.encode_image(views), opened.model.encode_image(views))
    make_shards(place / "shards")
    trained, _ = train_and_export("out")
    assert not torch.equal(trained.model.encode_text(tokens), opened.model.encode_text(tokens))


def test_weights_trained_with_quick_gelu_keep_it(place, monkeypatch):
    import open_clip.pretrained as tags

    network = build_network({"embed_dim": 8, "vision_cfg": VISION, "text_cfg": TEXT, "quick_gelu": True})
    save_file(network.state_dict(), "far.safetensors")
    monkeypatch.setitem(tags._PRETRAINED, "tiny-vit", {"far": {"hf_hub": "a/b/", "quick_gelu": True}})
    monkeypatch.setattr("clipguide.models.clip.fetch", lambda address, cache: "far.safetensors")
    assert begin("--config", "tiny-vit", "--weights", "far") == 0
    assert json.loads((place / "start" / "open_clip_config.json").read_text())["model_cfg"]["quick_gelu"]
    assert any(type(module).__name__ == "QuickGELU" for module in open_folder("start").model.modules())


def test_two_pretrained_towers(place):
    """timm's network with its classifier, and a BERT with a head: what neither tower has is left out."""
    import timm

    torch.manual_seed(0)
    image, bert = timm.create_model("mobilenetv2_035").eval(), Bert(BERT)
    save_file(image.state_dict(), "image.safetensors")
    make_start(place / "bert")  # for its tokenizer.json
    save_file(
        {f"bert.{key}": t for key, t in bert.state_dict().items()} | {"cls.w": torch.ones(1)}, "bert/model.safetensors"
    )
    told = vars(BERT) | {"model_type": "bert", "hidden_act": "gelu"}
    (place / "bert" / "config.json").write_text(json.dumps(told))
    assert begin("--config", "tiny-timm", "--image-weights", "image.safetensors", "--text-weights", "bert") == 0
    opened, views = open_folder("start"), torch.rand(2, 3, 32, 32)
    pooled = image.forward_head(image.forward_features(views), pre_logits=True)
    torch.testing.assert_close(opened.model.visual.trunk(views), pooled, atol=2e-2, rtol=1e-2)
    words = opened.model.text.transformer.embeddings.word_embeddings.weight
    torch.testing.assert_close(words, bert.embeddings.word_embeddings.weight, atol=1e-3, rtol=0)
    assert opened.mean == pytest.approx((0.485, 0.456, 0.406)) and opened.context_length == 8
    make_shards(place / "shards")
    trained, before = train_and_export("out", "--lock-image")
    assert torch.equal(trained.model.visual.trunk.conv_stem.weight, before.model.visual.trunk.conv_stem.weight)
    assert not torch.equal(trained.model.text.proj.weight, before.model.text.proj.weight)


def test_a_tag_of_timms_is_fetched_and_read_by_timm(place, monkeypatch):
    import open_clip
    import timm

    config = {"embed_dim": 8, "vision_cfg": TIMM | {"timm_model_name": "test_resnet"}, "text_cfg": TEXT}
    (place / "tagged.json").write_text(json.dumps(config))
    open_clip.add_model_config(place / "tagged.json")
    image, asked = timm.create_model("test_resnet"), []
    save_file(image.state_dict(), "fetched.safetensors")
    monkeypatch.setattr(
        "pretrain.pretrained.fetch", lambda address, cache: asked.append(address) or "fetched.safetensors"
    )
    assert begin("--config", "tagged", "--image-weights", "r160_in1k") == 0
    assert asked == ["timm/test_resnet.r160_in1k/model.safetensors"]
    stored = open_folder("start").model.visual.trunk.state_dict()
    torch.testing.assert_close(stored["conv1.0.weight"], image.state_dict()["conv1.0.weight"], atol=1e-3, rtol=0)


def test_a_vocabulary_is_learned_of_what_has_captions(place, capsys):
    make_shards(place / "shards")
    with tarfile.open("shards/bad.tar", "w") as shard:
        add(shard, "a.json", b"{broken")
        add(shard, "b.json", b'{"caption": "red"}')
    assert begin("--config", "tiny-vit", "--shards", "shards") == 0
    assert "skipped: 2 without a .json that has captions" in capsys.readouterr().out
    assert open_folder("start").token_count("black black") == 4
    for name in ("000.tar", "001.tar"):
        (place / "shards" / name).unlink()
    assert cli.main(["begin", "--config", "tiny-vit", "--shards", "shards", "--out", "other"]) == 2
    said = capsys.readouterr().err
    assert "no caption to learn words from (2 without a .json" in said and said.count("\n") == 1
    assert not (place / "other").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("roberta-ViT-B-32",),
            "roberta-ViT-B-32 begins with a pretrained text tower; give a BERT with --text-weights",
        ),
        (("ViT-B-16-SigLIP", "--weights", "webli"), "CLIPs with CLIP's own vocabulary, which ViT-B-16-SigLIP has not"),
        (("coca_ViT-B-32", "--weights", "x.pt"), "which coca_ViT-B-32 has not"),
        (("ViT-B-16-SigLIP",), "knows 32000 tokens, CLIP's own 49408; give --shards"),
        (("tiny-vit", "--weights", "nothing"), "has no weights 'nothing'"),
        (("tiny-vit", "--weights", "tiny-vit.json"), "could not be opened"),
        (("tiny-vit", "--weights", "x", "--shards", "s"), "leave out --shards"),
        (("tiny-vit", "--image-weights", "x"), "tiny-vit has no tower of timm's"),
        (("tiny-timm", "--image-weights", "tiny-vit.json"), "tiny-vit.json holds no weights of mobilenetv2_035"),
        (
            ("tiny-timm", "--image-weights", "nobody"),
            "mobilenetv2_035 has no weights 'nobody'; give a file, or timm has no tag of it",
        ),
        (
            ("tiny-timm", "--image-weights", "other.safetensors"),
            "has no conv_stem.weight: these are not timm's weights",
        ),
        (("tiny-vit", "--text-weights", "bare"), "bare has no config.json"),
        (("tiny-vit", "--text-weights", "roberta"), "holds roberta, gelu, absolute; of transformers' text towers"),
        (("tiny-vit", "--text-weights", "torn"), "does not fit torn/config.json"),
    ],
)
def test_what_cannot_begin_is_one_line(place, words, message, capsys):
    save_file({"x": torch.ones(1)}, "other.safetensors")
    for folder, kind in (("bare", ""), ("roberta", "roberta"), ("torn", "bert")):
        (place / folder).mkdir()
        for name in ("config.json", "model.safetensors", "tokenizer.json") if kind else ():
            (place / folder / name).write_text(json.dumps(vars(BERT) | {"model_type": kind}))
    assert begin("--config", *words) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1, said
    assert not (place / "start").exists()


def test_a_clip_is_not_written_over(place, capsys):
    make_start(place / "start")
    assert begin("--config", "tiny-vit") == 2
    assert "start holds a CLIP already" in capsys.readouterr().err
