"""What a suite hands back: tables for people and for JSON, and plots as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows under named columns; floats are shares from 0 to 1 unless the column says otherwise. misleads: how."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    misleads: str

    def text(self) -> str:
        """Aligned columns for a terminal: words to the left, numbers to the right."""
        columns = []
        for at, name in enumerate(self.columns):
            cells = [name, *(show(row[at]) for row in self.rows)]
            width, words = max(map(len, cells)), all(isinstance(row[at], str) for row in self.rows)
            columns.append([cell.ljust(width) if words else cell.rjust(width) for cell in cells])
        return "\n".join([self.title, *("  ".join(line).rstrip() for line in zip(*columns, strict=True))])

    def records(self) -> dict[str, Any]:
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows, "misleads": self.misleads}


@dataclass(frozen=True)
class Report:
    """pictures: file stem -> PNG bytes."""

    tables: Sequence[Table]
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def show(cell: Cell) -> str:
    """A cell for people: .123 for a share, nothing for None."""
    if isinstance(cell, float):
        return f"{cell:.3f}"
    return "" if cell is None else str(cell)
