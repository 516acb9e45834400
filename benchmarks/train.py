"""Images a second of our trainer against open_clip_train, and why; does cost or memory grow with the data?

Both trainers run as processes of their own and take turns: while one trains, the other and its workers are stopped
by a signal. A turn's speed is taken between its first and last finished step. The parts are measured alone afterwards.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import torch

from benchmarks.trainers import BATCH, SIDE, TEXT, THREADS, TOWERS, network, their_data, tokeniser

ROUNDS, TURN, READY = 5, 8.0, 3  # turns each, seconds of a turn, steps before the first turn
PAIRS, STORED = 1000, 128  # pairs that are written, side in px
NUMBERS = (1_000, 10_000, 100_000)
SEEN = 4096  # images that are read for memory and for cost per image

FEED = """
import resource, sys, time, torch
from itertools import islice
from pretrain.feed import Feed
torch.set_num_threads(1)
feed, batch = iter(Feed(sys.argv[1], 32, seed=0)), 0
next(feed)
began = time.process_time()
for batch in islice(feed, int(sys.argv[2]) // 32): pass
spent = time.process_time() - began
print(spent / int(sys.argv[2]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measure() -> dict[str, str]:
    figures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as root:
        shards = write_pairs(Path(root))
        for name in TOWERS:
            figures |= compared(name, shards, Path(root))
        figures |= parts(shards) | growth(shards, Path(root))
    return figures


def write_pairs(root: Path) -> Path:
    """PAIRS pictures with a photograph's spectrum in two shards that both trainers read, and their tokenizer."""
    import json

    from clipguide.models.clip import TOKENIZER
    from pretrain.align import pink_pictures
    from pretrain.begin import learn_vocabulary
    from pretrain.data.shards import encode_jpeg

    shards, texts = root / "shards", []
    shards.mkdir()
    for number in range(2):
        pictures = pink_pictures(PAIRS // 2, STORED, torch.Generator().manual_seed(number))
        members = []
        for at, picture in enumerate(pictures.mul(255).byte().permute(0, 2, 3, 1).numpy()):
            text = f"a photo of thing number {number * PAIRS // 2 + at}"
            described = json.dumps({"captions": [text], "concept": text}).encode()
            members += [(f"{at:06d}.jpg", encode_jpeg(_picture(picture))), (f"{at:06d}.json", described)]
            members.append((f"{at:06d}.txt", text.encode()))
            texts.append(text)
        _write_tar(shards / f"{number:05d}.tar", members)
    learn_vocabulary(texts, TEXT["vocab_size"]).save(str(root / TOKENIZER))
    return shards


def compared(name: str, shards: Path, root: Path) -> dict[str, str]:
    """Images a second of both trainers, turn by turn."""
    speeds: dict[str, list[float]] = {"ours": [], "open_clip": []}
    notes = {trainer: root / f"{trainer} {name}" for trainer in speeds}
    with running(name, shards, notes) as turns:
        for _ in range(ROUNDS):
            for trainer, turn in turns.items():
                speeds[trainer].append(turn())
    ratio = [a / b for a, b in zip(speeds["ours"], speeds["open_clip"], strict=True)]
    told = {
        f"{name}, {trainer}": f"{statistics.median(rates):.1f} images/s, {min(rates):.1f} to {max(rates):.1f}"
        for trainer, rates in speeds.items()
    }
    told[f"{name}, ours against open_clip"] = (
        f"{statistics.median(ratio):.2f} times, {min(ratio):.2f} to {max(ratio):.2f} (aim: at least 1.3)"
    )
    return told


@contextmanager
def running(name: str, shards: Path, notes: dict[str, Path]) -> Iterator[dict[str, Callable[[], float]]]:
    """Both trainers, warm and stopped; calling one gives it a turn and returns its images a second."""
    jobs = {}
    try:
        for trainer, note in notes.items():
            line = [sys.executable, "-m", "benchmarks.trainers", trainer, name, str(shards), str(note)]
            jobs[trainer] = subprocess.Popen(line, start_new_session=True, stderr=subprocess.DEVNULL)
            while len(_times(note)) <= READY:
                if jobs[trainer].poll() is not None:
                    raise RuntimeError(f"{' '.join(line[1:])} ended before its first steps")
                time.sleep(0.2)
            os.killpg(jobs[trainer].pid, signal.SIGSTOP)
        yield {trainer: lambda job=job, note=notes[trainer]: _turn(job, note) for trainer, job in jobs.items()}
    finally:
        for job in jobs.values():
            if job.poll() is None:
                os.killpg(job.pid, signal.SIGKILL)
                job.wait()


def _turn(job: subprocess.Popen, note: Path) -> float:
    before, began = len(_times(note)), time.perf_counter()
    os.killpg(job.pid, signal.SIGCONT)
    # the first step began in an earlier turn: it only starts the clock; a slow machine gets a longer turn
    while time.perf_counter() - began < TURN or len(_times(note)) < before + 4:
        time.sleep(0.1)
    os.killpg(job.pid, signal.SIGSTOP)
    times = _times(note)[before:]
    return BATCH * (len(times) - 1) / (times[-1] - times[0])


def _times(note: Path) -> list[float]:
    return [float(line) for line in note.read_text().splitlines()] if note.exists() else []


def parts(shards: Path) -> dict[str, str]:
    """Milliseconds an image of each part, ours and open_clip's, medians of interleaved runs."""
    from pretrain.feed import Feed

    torch.set_num_threads(THREADS)
    data, _ = their_data(shards)
    loaders = {"ours": iter(Feed(shards, BATCH, seed=0)), "open_clip": iter(data["train"].dataloader)}
    jobs = picture_jobs(shards) | {
        f"loader alone, {who}": lambda feed=feed: list(islice(feed, 32)) and 32 * BATCH for who, feed in loaders.items()
    }
    for name in TOWERS:
        jobs |= step_jobs(name, shards)
    spent = interleaved(jobs)
    told = {part: f"{seconds * 1e3:.2f} ms an image" for part, seconds in spent.items()}
    for name in TOWERS:
        need = spent["loader alone, ours"] / spent[f"step alone, {name}, channels last"]
        told[f"loader against the step of {name}"] = f"{1 / need:.1f} times its need (aim: at least 3)"
    return told


def picture_jobs(shards: Path) -> dict[str, Callable[[], int]]:
    """One batch from JPEG to views: ours decodes, then warps all at once; open_clip transforms each by itself."""
    import io

    from open_clip.transform import image_transform
    from PIL import Image

    from pretrain.augment import views
    from pretrain.data.shards import read_shard
    from pretrain.feed import read_picture

    stored = [data for _, data, _ in islice(read_shard(next(shards.glob("*.tar"))), BATCH)]
    transform = image_transform(SIDE, is_train=True, mean=(0.5,) * 3, std=(0.5,) * 3)
    decoded = torch.stack([read_picture(data, STORED) for data in stored])
    opened = [Image.open(io.BytesIO(data)).convert("RGB") for data in stored]
    flips, rng = torch.ones(BATCH, dtype=torch.bool), torch.Generator()
    return {
        "decode, ours": lambda: len([read_picture(data, STORED) for data in stored]),
        "decode, open_clip": lambda: len([Image.open(io.BytesIO(data)).convert("RGB") for data in stored]),
        "views, ours, crop turn light and mirror": lambda: len(views(decoded, SIDE, rng, flip=flips)),
        "views, open_clip, crop alone": lambda: len(torch.stack([transform(picture) for picture in opened])),
    }


def step_jobs(name: str, shards: Path) -> dict[str, Callable[[], int]]:
    """Forward, loss and backward on a batch that is there, by memory layout."""
    from open_clip import ClipLoss

    images, texts = torch.rand(BATCH, 3, SIDE, SIDE), tokeniser(shards)(["a photo of thing number 7"] * BATCH)
    jobs = {}
    for layout, memory in (("channels last", torch.channels_last), ("as open_clip", torch.contiguous_format)):
        model = network(name).to(memory_format=memory).train()
        model.output_dict = True

        seen = images.to(memory_format=memory)

        def step(model=model, seen=seen) -> int:
            model.zero_grad()
            ClipLoss()(**model(seen, texts)).backward()
            return BATCH

        jobs[f"step alone, {name}, {layout}"] = step
    return jobs


def interleaved(jobs: dict[str, Callable[[], int]]) -> dict[str, float]:
    """Seconds an image of each job, medians; the first run of each warms up."""
    spent: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(ROUNDS + 1):
        for name, job in jobs.items():
            began = time.perf_counter()
            count = job()
            if turn:
                spent[name].append((time.perf_counter() - began) / count)
    return {name: statistics.median(seconds) for name, seconds in spent.items()}


def growth(shards: Path, root: Path) -> dict[str, str]:
    """CPU time an image and peak memory of the loader, by the number of pairs: links to the same two shards."""
    told, figures = {}, {}
    for number in NUMBERS:
        folder = root / str(number)
        folder.mkdir()
        for at, shard in enumerate(sorted(shards.glob("*.tar")) * (number // PAIRS)):
            (folder / f"{at:05d}.tar").symlink_to(shard)
        line = [sys.executable, "-c", FEED, str(folder), str(SEEN)]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        figures[number] = tuple(map(float, done.stdout.split()))
        told[f"loader with {number} pairs"] = (
            f"{figures[number][0] * 1e3:.2f} ms CPU an image, peak {figures[number][1] / 1024:.0f} MiB"
        )
    (cost, peak), (most_cost, most_peak) = figures[NUMBERS[0]], figures[NUMBERS[-1]]
    told[f"{NUMBERS[-1]} pairs against {NUMBERS[0]}"] = (
        f"cost {most_cost / cost - 1:+.0%}, peak {most_peak / peak - 1:+.0%}"
    )
    return told


def _picture(values):
    from PIL import Image

    return Image.fromarray(values)


def _write_tar(path: Path, members: list[tuple[str, bytes]]) -> None:
    import tarfile

    from pretrain.data.shards import add

    with tarfile.open(path, "w") as tar:
        for name, data in members:
            add(tar, name, data)


if __name__ == "__main__":
    for figure, value in measure().items():
        print(f"{figure:<60} {value}")
