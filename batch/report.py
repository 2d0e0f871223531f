"""OUT/report.html: every picture, its mask and its result side by side. It opens from the disk, without a server."""

from __future__ import annotations

import html
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

from .job import DONE, FAILED, Job, digest
from .places import Place
from .plan import SKIPPED, Plan
from .worker import STRIPS

A_PAGE = 500
NAME = "report.html"
STYLE = """
    body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
    table { border-collapse: collapse } td, th { padding: .2em 1em .2em 0; text-align: left; vertical-align: top }
    figure { display: inline-block; margin: 0 1.5em 1.5em 0; vertical-align: top; max-width: 40em }
    img { height: 160px; display: block; background: #eee } figcaption { overflow-wrap: anywhere }
    .failed { color: #a00 }
"""


def write(plan: Plan, out: Place, pictures: Place, summary: list[tuple[str, str]]) -> str:
    """Write the sheet, a page for every 500 pictures; what failed stands on the first.

    Arguments:
        summary: What stands above it: a label and a text each.

    Returns:
        Where the first page is.
    """
    shown = plan.rows(DONE, SKIPPED)
    pages = max(-(-sum(plan.counts()[state] for state in (DONE, SKIPPED)) // A_PAGE), 1)
    for page in range(1, pages + 1):
        rows = [_figure(job, entry, out, pictures, page) for job, entry in islice(shown, A_PAGE)]
        links = " ".join(_page_link(number, page) for number in range(1, pages + 1)) if pages > 1 else ""
        head = _table(summary) + "".join(_failures(plan)) if page == 1 else ""
        out.write(_page_name(page), _html(head + links + "\n" + "\n".join(rows) + links).encode())
    return out.link(NAME)


def _figure(job: Job, entry: dict[str, Any], out: Place, pictures: Place, page: int) -> str:
    up = "" if page == 1 else "../"
    strip = f"{up}{STRIPS}/{digest(job.result.encode())}.jpg"
    result, name = f"{up}{quote(job.result)}", html.escape(job.name)
    return (
        f'<figure><a href="{result}"><img loading="lazy" src="{strip}" alt="original, mask and result of {name}"></a>'
        f'<figcaption>{name}: <a href="{html.escape(_original(job, pictures))}">original</a>, '
        f'<a href="{result}">result</a>, seed {entry.get("seed")}, {entry.get("seconds")} s</figcaption></figure>'
    )


def _original(job: Job, pictures: Place) -> str:
    if pictures.local:
        return (pictures.local / job.name).as_uri()
    return pictures.link(job.name)


def _failures(plan: Plan) -> Iterator[str]:
    yield "<ul>"
    for job, entry in plan.rows(FAILED):
        yield f'<li class="failed">{html.escape(job.name)}: {html.escape(str(entry.get("error")))}</li>\n'
    yield "</ul>\n"


def _table(summary: list[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><th>{html.escape(label)}</th><td>{html.escape(text)}</td></tr>" for label, text in summary)
    return f"<h1>Pictures</h1><table>{rows}</table>"


def _page_name(page: int) -> str:
    return NAME if page == 1 else f"{STRIPS}/{page}.html"


def _page_link(number: int, page: int) -> str:
    if number == page:
        return f"<b>{number}</b>"
    up = "" if page == 1 else "../"
    return f'<a href="{up}{_page_name(number)}">{number}</a>'


def _html(body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Pictures</title><style>{STYLE}</style>\n'
        f"<body>{body}</body></html>\n"
    )


def table(rows: list[tuple[str, str]]) -> str:
    """A label and a text each, for the terminal."""
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"  {label.ljust(width)}  {text}" for label, text in rows)
