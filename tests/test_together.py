"""Runs side by side: their networks see all of them at once, and each becomes what it would be alone."""

from __future__ import annotations

import threading
from functools import partial

import pytest
import torch
from doubles import TinyModels

from clipguide import api, images, together
from clipguide.together import Table

TOTAL, WIDE = 1e-5, 1e-4  # round-off: sums of another batch run in another order


@pytest.fixture
def inexact(monkeypatch):
    """Tiny networks may round otherwise in a larger batch: let them."""
    monkeypatch.setattr(together, "same_bits", lambda network, pictures: True)


class Watched(TinyModels):
    """Notes how many views its CLIP's image tower is given at once; more than `most` are too many."""

    def __init__(self, most: int = 10**6) -> None:
        super().__init__()
        self.seen: list[int] = []
        encoder = super().encoder("clip-mini")
        tower = encoder._tower

        def watch(views):
            if len(views) > most:
                raise torch.OutOfMemoryError("no room")
            self.seen.append(len(views))
            return tower(views)

        encoder._tower = watch


def pulled(models, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings, and the gradient of one of their numbers in the picture."""
    picture = picture.clone().requires_grad_()
    seen = models.encoder("clip-mini").encode_image(picture)
    seen[:, 0].sum().backward()
    return seen.detach(), picture.grad


def pictures(count: int) -> list[torch.Tensor]:
    return [torch.rand(n + 1, 3, 32, 32, generator=torch.Generator().manual_seed(n)) for n in range(count)]


def test_all_are_seen_at_once_and_each_gets_its_own(models, inexact):
    watched = Watched()
    table = Table(watched)
    found = table.run([partial(pulled, table.models, picture) for picture in pictures(3)])
    assert watched.seen == [1 + 2 + 3]
    for picture, mine in zip(pictures(3), found, strict=True):
        for value, alone in zip(mine, pulled(models, picture), strict=True):
            torch.testing.assert_close(value, alone, rtol=WIDE, atol=TOTAL)


def test_one_that_fails_or_ends_leaves_the_others_alone(models, inexact):
    watched = Watched()
    table = Table(watched)

    def fail():
        raise ValueError("mine alone")

    def guarded(run):
        try:
            return run()
        except ValueError as error:
            return str(error)

    (picture,) = pictures(1)
    twice = lambda: [pulled(table.models, picture) for _ in range(2)]  # noqa: E731
    found = table.run([partial(guarded, run) for run in (fail, twice, partial(pulled, table.models, picture))])
    assert found[0] == "mine alone" and watched.seen == [2, 1]
    torch.testing.assert_close(found[1][1][1], found[2][1], rtol=WIDE, atol=TOTAL)
    with pytest.raises(ValueError, match="mine alone"):
        Table(watched).run([fail, lambda: 1])


def test_where_memory_is_short_each_is_seen_by_itself(models, inexact):
    watched = Watched(most=2)
    table = Table(watched)
    first, second, third = pictures(3)
    found = table.run([partial(pulled, table.models, picture) for picture in (first, second)])
    assert watched.seen == [1, 2] and torch.equal(found[1][1], pulled(models, second)[1])

    def told():
        with pytest.raises(torch.OutOfMemoryError):
            pulled(table.models, third)

    table.run([told, partial(pulled, table.models, first)])  # too large even alone: its own misfortune
    assert watched.seen == [1, 2, 1]


def test_who_wants_no_gradient_holds_nobody_up(models, inexact):
    table = Table(Watched())
    first, second, third = pictures(3)

    def look():
        with torch.no_grad():
            return table.models.encoder("clip-mini").encode_image(first)

    def forget():  # asks with a gradient, and never takes it
        return table.models.encoder("clip-mini").encode_image(second.clone().requires_grad_()).detach()

    seen, forgotten, (_, gradient) = table.run([look, forget, partial(pulled, table.models, third)])
    torch.testing.assert_close(seen, pulled(models, first)[0], rtol=WIDE, atol=TOTAL)
    torch.testing.assert_close(forgotten, pulled(models, second)[0], rtol=WIDE, atol=TOTAL)
    torch.testing.assert_close(gradient, pulled(models, third)[1], rtol=WIDE, atol=TOTAL)


@pytest.mark.parametrize("methods", [("textstyle", "textstyle"), ("clipstyler", "pixels"), ("styleimage", "texture")])
def test_pictures_are_those_of_single_runs(methods, tmp_path, models):
    table, plans = Table(models), []
    for seed, method in enumerate(methods):  # other photos, sizes, dice and steps
        images.write(tmp_path / f"{seed}.png", images.png(torch.rand(1, 3, 24 + 8 * seed, 32)))
        prompt = f"@{tmp_path / '0.png'}" if method == "styleimage" else "a fox"
        photo = {} if method == "pixels" else {"init": tmp_path / f"{seed}.png"}
        settings = {"steps": 3 + seed, "cutouts": 4, "size": 32, "seed": seed, **photo}
        plans.append(api.plan([prompt], method, settings))

    def last(planned, models):
        return [step.image for step in planned.steps(models)][-1]

    made = table.run([partial(last, planned, table.models) for planned in plans])
    for planned, picture in zip(plans, made, strict=True):
        assert torch.equal(picture, last(planned, models))


@pytest.mark.parametrize("blur, calls", [(0.0, [3]), (1e-6, [1, 2])])
def test_a_network_that_rounds_otherwise_for_several_sees_each_alone(blur, calls):
    table, seen = Table(TinyModels()), []

    def network(pictures):
        seen.append(len(pictures))
        return pictures * (2 + blur * len(pictures))

    shared = table._shared(network)
    for _ in range(2):  # it is tried once
        seen.clear()
        first, second = table.run([partial(shared, picture[:, :1]) for picture in pictures(2)])
    assert seen == calls
    assert torch.equal(first, network(pictures(1)[0][:, :1])) and torch.equal(second, network(pictures(2)[1][:, :1]))


def test_one_works_at_a_time():
    table, busy = Table(TinyModels()), []

    def work():
        for _ in range(3):
            busy.append(threading.get_ident())
            assert len(busy) == 1
            busy.pop()
            with torch.no_grad():
                table.models.encoder("clip-mini").encode_image(torch.zeros(1, 3, 32, 32))

    table.run([work] * 4)
