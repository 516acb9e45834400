"""Public weights from a hub: downloaded once, compared with the sha256 that the hub says, kept in its client's cache.

The client is huggingface_hub, so its settings hold: HF_ENDPOINT for a mirror, HF_HUB_OFFLINE, HF_TOKEN.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clipguide.errors import UserError

USUAL = "open_clip_pytorch_model.bin"  # where an address names no file; open_clip's own default
DIGEST = re.compile("[0-9a-f]{64}")
SAFE = {USUAL: "open_clip_model.safetensors"}


def sha256(path: Path) -> str:
    """The digest of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fetch(address: str, cache: str | Path | None = None) -> Path:
    """The weights file at `address`, "owner/name/" or "owner/name/file" as in open_clip's list of tags.

    Its safetensors are taken before a pickle.  What is in the cache is taken without a look at the network.
    UserError when the hub does not answer or has no such file, when the download breaks off or the file is not what
    the hub says; nothing is kept then.
    """
    found = cached(address, cache)
    if found is not None:
        return found
    repository, files = _files(address)
    with _silent():
        for name in files:
            digest = _digest(repository, name)
            if digest is not None:
                return _download(repository, name, digest, cache)
    raise UserError(f"the hub has no weights {address} ({' or '.join(files)}); take another tag, or give a file")


def cached(address: str, cache: str | Path | None = None) -> Path | None:
    """Where the weights at `address` lie, if they were fetched."""
    from huggingface_hub import try_to_load_from_cache

    repository, files = _files(address)
    places = (try_to_load_from_cache(repository, name, cache_dir=cache) for name in files)
    return next((Path(place) for place in places if isinstance(place, str)), None)


def whole(path: Path) -> bool:
    """Whether a fetched file still is what the hub said: the cache calls its content by its sha256."""
    digest = path.resolve().name
    return not DIGEST.fullmatch(digest) or sha256(path) == digest


def _files(address: str) -> tuple[str, list[str]]:
    """The repository, and the names under which its weights may lie, the safest first."""
    repository, _, file = address.rpartition("/")
    file = file or USUAL
    return repository, list(dict.fromkeys([SAFE.get(file, str(Path(file).with_suffix(".safetensors"))), file]))


def _digest(repository: str, name: str) -> str | None:
    """What the hub says of the file's content: its sha256, or "" where it does not tell; None when there is no file."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    url = hf_hub_url(repository, name)
    try:
        etag = get_hf_file_metadata(url).etag or ""
    except EntryNotFoundError:
        return None
    except Exception as error:  # the network's errors and the hub's share no base class
        raise UserError(f"{url} cannot be had ({_line(error)}); check the network, or give a file") from error
    return etag if DIGEST.fullmatch(etag) else ""


def _download(repository: str, name: str, digest: str, cache: str | Path | None) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        path = Path(hf_hub_download(repository, name, cache_dir=cache))
    except Exception as error:
        raise UserError(f"the download of {repository}/{name} broke off ({_line(error)}); try it again") from error
    if digest and sha256(path) != digest:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise UserError(f"{repository}/{name} came damaged: its sha256 is not the hub's; try it again")
    return path


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


@contextmanager
def _silent() -> Iterator[None]:
    """The client logs each attempt; what counts is said once, by the error."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
