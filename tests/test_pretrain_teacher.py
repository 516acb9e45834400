"""What a student learns from a larger CLIP."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from tiny_clip import COLOURS, CONFIG, batches, inputs, rng, tiny

from clipguide.errors import UserError
from pretrain.loss import affinity
from pretrain.state import start
from pretrain.teacher import Teacher
from pretrain.train import train


def unit(count, width, seed):
    return F.normalize(torch.randn(count, width, generator=rng(seed)))


class Oracle:
    """Embeds every picture and every name by its colour: a teacher that is right. Sees 12 px."""

    size = 12

    def __init__(self):
        self.asked, self.model = [], SimpleNamespace(logit_scale=torch.tensor(2.0))

    def encode_image(self, views):
        assert views.shape[1:] == (3, 12, 12)
        return F.normalize(views.mean((2, 3)) - 0.5)

    def encode_text(self, texts):
        self.asked += texts
        return F.normalize(torch.tensor([COLOURS[text] for text in texts]).float() - 0.5)


def test_affinity_is_zero_at_the_teacher_only_and_has_a_gradient_there():
    image, text = unit(5, 8, 0).requires_grad_(), unit(5, 8, 1)
    near = affinity(image, text, 10.0, image.detach(), text, 10.0)
    assert near.abs() < 1e-6
    (slope,) = torch.autograd.grad(near, image)
    assert slope.isfinite().all()
    assert affinity(image, text, 10.0, unit(5, 3, 2), unit(5, 3, 3), 10.0) > 0.1


def test_affinity_has_the_gradient_of_the_published_cross_entropy():
    image, text = unit(5, 8, 0).requires_grad_(), unit(5, 8, 1)
    old_image, old_text = unit(5, 3, 2), unit(5, 3, 3)
    mine, theirs = 4.0 * image @ text.T, 9.0 * old_image @ old_text.T
    published = (F.cross_entropy(mine, theirs.softmax(1)) + F.cross_entropy(mine.T, theirs.T.softmax(1))) / 2
    (expected,) = torch.autograd.grad(published, image)
    (found,) = torch.autograd.grad(affinity(image, text, 4.0, old_image, old_text, 9.0), image)
    assert torch.allclose(found, expected, atol=1e-6)


def learned(weight):
    config = replace(CONFIG, steps=30, radius=0.0, noise=0.0, blur=0.0, teacher="oracle", teacher_weight=weight)
    state, oracle = start(tiny(), config), Oracle()
    given = replace(inputs(state.model), teacher=Teacher.of(oracle))
    return list(train(state, batches(), config, given)), oracle


def test_a_student_comes_nearer_to_its_teacher_and_texts_are_asked_once():
    steps, oracle = learned(4.0)
    assert set(steps[0].losses) == {"softmax", "teacher"}
    assert sorted(oracle.asked) == sorted(COLOURS)
    without, _ = learned(0.0)
    last = [sum(step.losses["teacher"] for step in run[-5:]) for run in (steps, without)]
    assert last[0] < 0.85 * last[1]


def test_views_are_shown_to_the_teacher_in_chunks_alike():
    teacher, views = Teacher.of(Oracle()), torch.rand(6, 3, 16, 16, generator=rng())
    pair = unit(6, 8, 0), unit(6, 8, 1), torch.tensor(10.0)
    assert torch.equal(teacher.loss(*pair, views, list(COLOURS)), teacher.loss(*pair, views, list(COLOURS), chunk=4))


def test_a_teacher_is_opened_by_name_and_an_unknown_one_is_one_line():
    with pytest.raises(UserError, match="there is no clip 'nobody'") as caught:
        Teacher.open("nobody", "cpu")
    assert "\n" not in str(caught.value)
