"""What a user gets wrong, by the real command line: one line that says what to do, exit code 2, nothing written."""

import json
import socket
import tarfile

import pytest
from PIL import Image
from tiny_run import FAST, RESNET, add, make_shards, make_start, write_shard

from pretrain import cli

HUB = "RN50-quickgelu/openai"  # known by name, not on this machine


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with good shards and a good start, and every kind of bad input; the network is down."""
    make_shards(tmp_path / "shards")
    make_start(tmp_path / "start")
    for name in ("empty", "bare", "wordless", "junk", "foreign"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "bare" / "a.png")
    (tmp_path / "table.csv").write_text("image,caption\nbare/a.png,\n")
    picture = (tmp_path / "bare" / "a.png").read_bytes()
    with tarfile.open(tmp_path / "wordless" / "0.tar", "w") as shard:
        for key in "abcd":
            add(shard, f"{key}.png", picture)
            add(shard, f"{key}.json", b'{"captions": [], "concept": "red"}')
    (tmp_path / "junk" / "0.tar").write_bytes(b"no archive at all" * 99)
    with tarfile.open(tmp_path / "foreign" / "0.tar", "w") as shard:
        for key in "abcd":
            add(shard, f"{key}.txt", b"a letter")
    for name in ("red", "blue"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        Image.new("RGB", (20, 20), name).save(tmp_path / "classes" / name / "0.png")
    (tmp_path / "labels.txt").write_text("A red thing\na red  thing\n")
    unknown_tower(tmp_path / "start", tmp_path / "tower")
    make_start(tmp_path / "resnet", RESNET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    return tmp_path


def unknown_tower(start, folder):
    folder.mkdir()
    for file in start.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    described = json.loads((start / "open_clip_config.json").read_text())
    described["model_cfg"]["vision_cfg"] = {"timm_model_name": "resnet_of_nobody", "image_size": 32}
    (folder / "open_clip_config.json").write_text(json.dumps(described))


def no_network(*_):
    raise socket.gaierror(-3, "Temporary failure in name resolution")


def train(*words, shards="shards", start="start"):
    return ["train", "--shards", shards, "--start", start, "--out", "out", *FAST, "--steps", "1", *words]


BUILD = ("data", "build", "--cache", "cache", "-o", "out", "--sources")
BAD = {
    "empty source": ((*BUILD, "folder:empty"), "empty holds no picture"),
    "missing source": ((*BUILD, "folder:nowhere"), "nowhere is not there"),
    "unknown source": ((*BUILD, "laion"), "unknown source 'laion'"),
    "pictures without captions": ((*BUILD, "folder:bare"), "bare has 1 pictures without a caption, first a.png"),
    "rows without captions": ((*BUILD, "folder:table.csv"), "1 pairs without an English caption, first bare/a.png"),
    "wrong shard as a source": ((*BUILD, "shards:junk"), "0.tar is no webdataset shard"),
    "no shards": (train(shards="empty"), "empty holds no .tar shards"),
    "shards without captions": (train(shards="wordless"), "none of 4 samples can be used (4 without a caption)"),
    "no archive": (train(shards="junk"), "without one readable sample (damaged shard 0.tar (ReadError))"),
    "shards of something else": (train(shards="foreign"), "(4 without a .json that has captions and a concept)"),
    "validation without pairs": (train("--validation", "wordless"), "wordless holds no pair that can be read"),
    "batch above the data": (train("--batch", "100"), "shards holds 20 pairs, a batch takes 100 pairs; give a smaller"),
    "batch of one": (train("--batch", "1"), "--batch 1: give 2 or more"),
    "a rate of nothing": (train("--lr", "0"), "--lr 0.0: give more than 0"),
    "no longest gradient": (train("--clip-norm", "-1"), "--clip-norm -1.0: give more than 0"),
    "average of one": (train("--ema", "1"), "--ema 1.0: give 0 or more, below 1"),
    "decay below zero": (train("--decay", "-0.1"), "--decay -0.1: give 0 or more"),
    "attacked above all": (train("--attacked", "3"), "--attacked 3.0: give 0 to 1"),
    "no looks": (train("--validation", "shards", "--validate-every", "0"), "--validate-every 0: give 1 or more"),
    "no threads": (train("--threads", "0"), "--threads 0: give 1 or more"),
    "unknown device": (train("--device", "gpu"), "--device gpu is not here"),
    "stages that are no expression": (train("--still", "("), "--still (: no regular expression (missing )"),
    "class rows for other towers": (train("--classes", "1"), "--seen-glosses and --distil need clip-mini's towers"),
    "glosses of views for other towers": (train("--seen-glosses", "1"), "--seen-glosses and --distil need"),
    "glosses for other towers": (train("--glosses", "1"), "--seen-glosses and --distil need clip-mini's towers"),
    "looks of a tower without stages": (
        train("--mix-styles", "0.5", start="clip-mini-b"),
        "--mix-styles is for EfficientNets and CLIP's ResNets; leave it out",
    ),
    "looks in recomputed stages": (
        train("--mix-styles", "0.5", "--checkpointing", start="resnet"),
        "--mix-styles and --checkpointing do not go together; leave one out",
    ),
    "class words of a text tower that moves": (
        train("--glosses", "1", "--no-lock-text"),
        "--glosses and --seen-glosses need --lock-text",
    ),
    "validation where a suite has none": (
        ("evaluate", "start", "--suite", "zero-shot", "--split", "validation", "--shards", "shards"),
        "--split validation: only project and retrieval measure there",
    ),
    "sides where a suite has one": (
        ("evaluate", "start", "--suite", "retrieval", "--size", "96,160", "--shards", "shards"),
        "--size 96,160: only project measures at other sides",
    ),
    "looks in compiled stages": (
        train("--mix-styles", "0.5", "--compile", start="resnet"),
        "--mix-styles and --compile do not go together; leave one out",
    ),
    "old logits of another tower": (train("--distil", "1", start="clip-mini-b"), "EfficientNet-Lite0 and a BERT; "),
    "recomputing where nothing can": (train("--checkpointing", start="resnet"), "--checkpointing: the image tower of"),
    "chunks before live norms": (
        train("--chunk", "2", "--no-frozen-norms", start="resnet"),
        "--chunk 2: with --no-frozen-norms the batch norms of --start must see the whole batch",
    ),
    "more than all of the training": (
        ("export", "--run", "out", "--out", "out", "--keep", "1.5"),
        "--keep 1.5: give 0 (the start alone) to 1",
    ),
    "steps in words": (train("--steps", "many"), "--steps 'many': give a whole number; see python -m pretrain train"),
    "sides in words": (train("--sizes", "96,x"), "--sizes: '96,x': give sides in px, comma-separated, such as 96,112"),
    "seconds in words": (train("--save-every", "soon"), "--save-every 'soon': give a number; see"),
    "a loss that is none": (train("--loss", "hinge"), "--loss: invalid choice: 'hinge' (choose from "),
    "nothing said": (("train",), "are required: --shards, --start, --out; see python -m pretrain train"),
    "data of no command": (("data", "nothing"), "COMMAND: invalid choice: 'nothing' (choose from "),
    "no size": (train("--sizes", "0"), "--sizes 0: give sides of at least 8 px"),
    "a size the tower cannot see": (train("--sizes", "64"), "takes no views of 64 px; give --sizes 32"),
    "config with pretrained towers": (
        ("begin", "--config", "clip-mini-b", "--shards", "shards", "--out", "out"),
        "start it with: python -m pretrain align-pairs",
    ),
    "sigmoid without a bias": (train("--loss", "sigmoid"), "--loss sigmoid needs a CLIP with init_logit_bias"),
    "no steps": (train("--steps", "0"), "--steps 0: give 1 or more"),
    "nothing to resume": (train("--resume"), "there is no checkpoint out/checkpoint.pt"),
    "unknown start": (train(start="nobody"), "there is no clip 'nobody'"),
    "unknown tower in a folder": (train(start="tower"), "describes no CLIP that can be built"),
    "unknown config": (
        ("begin", "--config", "ViT-of-nobody", "--shards", "shards", "--out", "out"),
        "no model 'ViT-of-nobody'",
    ),
    "unknown teacher": (train("--teacher", "nobody"), "there is no clip 'nobody'"),
    "teacher without network": (train("--teacher", HUB), "open_clip_model.safetensors cannot be had"),
    "model without network": (
        ("evaluate", HUB, "--suite", "zero-shot", "--images", "classes", "--out", "out"),
        "check the network, or give a file",
    ),
    "shard in one process": (train("--shard"), "start them: torchrun"),
    "labels named twice": (
        ("evaluate", "start", "--suite", "zero-shot", "--images", "classes", "--labels", "labels.txt", "--out", "out"),
        "labels.txt name one class twice: 'A red thing' and 'a red  thing'",
    ),
    "unknown suite": (("evaluate", "start", "--suite", "iq", "--out", "out"), "no suite 'iq'"),
}


@pytest.mark.parametrize("words, message", BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_leaves_nothing(place, capsys, caplog, words, message):
    before = sorted(place.iterdir())
    assert cli.main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1, said
    assert [path for path in sorted(place.iterdir()) if path not in before and path.name != "cache"] == []


def test_a_run_is_not_resumed_with_another_config_and_stays_as_it_is(place, capsys):
    assert cli.main(train()) == 0
    before = (place / "out" / "checkpoint.pt").read_bytes()
    capsys.readouterr()
    assert cli.main(train("--resume", "--batch", "5", "--lr", "0.1")) == 2
    said = capsys.readouterr().err
    assert "(batch was 4, now 5, lr was 0.003, now 0.1)" in said and said.count("\n") == 1
    assert (place / "out" / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("words", [{"start": "other"}, {"shards": "others"}], ids=["start", "shards"])
def test_a_run_is_not_resumed_with_another_start_or_other_shards(place, capsys, words):
    make_shards(place / "others")
    write_shard(place / "others" / "002.tar", 4)
    make_start(place / "other", seed=1)
    assert cli.main(train()) == 0
    before = {path.name: path.read_bytes() for path in (place / "out").iterdir() if path.is_file()}
    capsys.readouterr()
    assert cli.main(train("--resume", "--until", "1", **words)) == 2
    said = capsys.readouterr().err
    ((name, given),) = words.items()
    assert f"--{name} {given} is not what out was made with (" in said and said.count("\n") == 1, said
    assert all((place / "out" / name).read_bytes() == data for name, data in before.items())


def test_a_run_goes_on_where_start_and_shards_lie_elsewhere(place):
    assert cli.main(train("--steps", "2", "--until", "1")) == 0
    (place / "shards").rename(place / "moved")
    (place / "start").rename(place / "away")
    assert cli.main(train("--steps", "2", "--resume", shards="moved", start="away")) == 0


def test_pictures_of_any_size_and_mode_are_trained_on(place):
    shapes = [((16, 16), "RGB"), ((40, 20), "L"), ((3, 90), "RGBA"), ((300, 200), "P")]
    with tarfile.open(place / "empty" / "0.tar", "w") as shard:
        for key, (size, mode) in enumerate(shapes):
            Image.new(mode, size).save(place / "a.png")
            add(shard, f"{key}.png", (place / "a.png").read_bytes())
            add(shard, f"{key}.json", b'{"captions": ["red"], "concept": "red"}')
    assert cli.main(train(shards="empty")) == 0
