"""Qt resource files (.rcc): the archive format in which GCompris ships its pictures.

Layout, from Qt's sources of qresource.cpp: a header with the offsets of three tables; a tree of nodes (14 bytes in
version 1, 22 from version 2 on); the data, each piece with its length; the names in UTF-16.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

ZLIB, FOLDER, ZSTD = 1, 2, 4


def read_resources(file: Path) -> Iterator[tuple[str, bytes]]:
    """Each (path, content) in a resource file. Raises ValueError when the file is no resource file."""
    data = file.read_bytes()
    if data[:4] != b"qres":
        raise ValueError(f"{file} is no Qt resource file")
    version, tree, pieces, names = struct.unpack(">4I", data[4:20])
    yield from walk(data, (tree, pieces, names, 14 if version == 1 else 22), 0, "")


def walk(data: bytes, layout: tuple[int, int, int, int], node: int, path: str) -> Iterator[tuple[str, bytes]]:
    tree, pieces, names, size = layout
    at = tree + node * size
    name, flags = struct.unpack(">IH", data[at : at + 6])
    if node:
        path = f"{path}/{name_at(data, names + name)}".lstrip("/")
    if flags & FOLDER:
        count, first = struct.unpack(">II", data[at + 6 : at + 14])
        for child in range(first, first + count):
            yield from walk(data, layout, child, path)
    else:
        (offset,) = struct.unpack(">I", data[at + 10 : at + 14])
        yield path, piece_at(data, pieces + offset, flags)


def name_at(data: bytes, at: int) -> str:
    (length,) = struct.unpack(">H", data[at : at + 2])
    return data[at + 6 : at + 6 + 2 * length].decode("utf-16-be")


def piece_at(data: bytes, at: int, flags: int) -> bytes:
    (length,) = struct.unpack(">I", data[at : at + 4])
    piece = data[at + 4 : at + 4 + length]
    if flags & ZLIB:
        return zlib.decompress(piece[4:])
    if flags & ZSTD:
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj().decompress(piece)
    return piece
