"""The held-out pairs that a run is watched by."""

from tiny_run import write_shard

from pretrain import watch
from pretrain.watch import Watch


def test_the_watched_pairs_come_from_every_shard_and_stay_the_same(tmp_path, monkeypatch):
    for number, task in enumerate(("composed", "concepts", "photos")):
        write_shard(tmp_path / f"{task}-00000.tar", 40, first=40 * number)
    everyone = Watch.read(tmp_path)
    monkeypatch.setattr(watch, "MOST", 30)
    chosen, again = Watch.read(tmp_path), Watch.read(tmp_path)
    assert len(everyone.texts) == 120 and len(chosen.texts) == 30
    assert chosen.texts == again.texts and chosen.images.equal(again.images)
    seen = [sample["__url__"] for sample in watch.spread(sorted(tmp_path.glob("*.tar")), 30)]
    assert all(5 <= sum(task in url for url in seen) <= 15 for task in ("composed", "concepts", "photos"))
