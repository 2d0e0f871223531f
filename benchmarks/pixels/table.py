"""A table in Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows under a heading; floats are shown with three digits."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float]]
    note: str = ""

    @property
    def text(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        cells = ["| " + " | ".join(x if isinstance(x, str) else f"{x:.3g}" for x in line) + " |" for line in lines]
        return "\n".join([f"# {self.title}", "", *cells, "", self.note, ""])
