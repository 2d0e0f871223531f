"""What a person sees: the line of progress, OUT/preview.html before a run, and OUT/report.html after it, which open
from the disk, without a server; and what a person says meanwhile: Ctrl-C."""

import base64
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from html import escape
from itertools import islice
from typing import Any
from urllib.parse import quote

from tqdm import tqdm

from .places import STRIPS, Folder, strip_name

A_PAGE, FAILURES = 500, 1000
SECONDS_BETWEEN_LINES = 30.0
REPORT, PREVIEW = "report.html", "preview.html"
MARK = '<meta name="generator" content="python batch">'
STYLE = """
    body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
    table { border-collapse: collapse } td, th { padding: .2em 1em .2em 0; text-align: left; vertical-align: top }
    figure { display: inline-block; margin: 0 1.5em 1.5em 0; vertical-align: top; max-width: 40em }
    img { height: 160px; display: block; background: #eee } figcaption { overflow-wrap: anywhere }
    li { color: #a00 } pre { white-space: pre-wrap }
"""


def say(text: str) -> None:
    """Write a line; names from elsewhere may have control characters in them, which a terminal would obey."""
    tqdm.write(re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", "?", text), sys.stdout)
    sys.stdout.flush()


class Stop:
    """Ctrl-C: the first finishes what is running, the second ends at once, as does the first before there is a crew
    that could be stopped. SIGTERM does the same."""

    def __init__(self) -> None:
        self.crew: Any = None
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, *_: object) -> None:
        if self.asked or self.crew is None:
            raise KeyboardInterrupt
        self.asked = self.crew.stopping = True
        say("\nFinishing what is running. Ctrl-C once more ends at once.")


def progress(total: int) -> tqdm:
    """Pictures done, time left: one line, drawn over itself on a terminal, now and then elsewhere."""
    every = 0.25 if sys.stdout.isatty() else SECONDS_BETWEEN_LINES
    return tqdm(total=total, unit=" pictures", file=sys.stdout, mininterval=every, miniters=1, smoothing=0.05)


def preview(lines: Iterable[str], shown: Iterable[tuple[str, bytes]]) -> str:
    """The page that shows what will be painted: lines, and below them captions with pictures, as JPEG."""
    figures = [
        f'<figure><img src="data:image/jpeg;base64,{base64.b64encode(content).decode()}" alt="">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, content in shown
    ]
    return _page("Before anything is painted", f"<pre>{escape(chr(10).join(lines))}</pre>\n" + "\n".join(figures))


def report(
    done: Iterable[dict[str, Any]], count: int, failed: Iterable[str], pictures: Folder, summary: list[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """The pages of the report, by name: every result beside its original and mask, 500 a page, from so many entries of
    the manifest; with what is to be said of each picture that is not done, and a summary of labels and texts."""
    shown, pages = iter(done), max(-(-count // A_PAGE), 1)
    names = [REPORT, *(f"{STRIPS}/{page}.html" for page in range(2, pages + 1))]
    for number, name in enumerate(names):
        up = "../" if number else ""
        links = [f'<a href="{up}{names[at]}">page {at + 1}</a>' for at in (number - 1, number + 1) if 0 <= at < pages]
        head = "" if number else _summary(summary, failed)
        figures = [_figure(entry, pictures, up) for entry in islice(shown, A_PAGE)]
        yield name, _page("Pictures", "\n".join([head, *links, "<br>", *figures, *links]))


def _figure(entry: dict[str, Any], pictures: Folder, up: str) -> str:
    name, result = (str(entry.get(key, "")) for key in ("name", "result"))
    link = (pictures.local / name).as_uri() if pictures.local else pictures.link(name)
    at, facts = f"{up}{quote(result)}", escape(f"seed {entry.get('seed')}, {entry.get('seconds')} s")
    return (
        f'<figure><a href="{at}"><img loading="lazy" src="{up}{strip_name(result)}" alt="original, mask and result">'
        f'</a><figcaption>{escape(name)}: <a href="{escape(link)}">original</a>, <a href="{at}">result</a>, {facts}'
        "</figcaption></figure>"
    )


def _summary(summary: list[tuple[str, str]], failed: Iterable[str]) -> str:
    rows = "".join(f"<tr><th>{escape(label)}</th><td>{escape(text)}</td></tr>" for label, text in summary)
    lines = list(islice(failed, FAILURES + 1))
    if len(lines) > FAILURES:
        lines[FAILURES] = "... and more"
    listed = "".join(f"<li>{escape(line)}</li>\n" for line in lines)
    return f"<h1>Pictures</h1><table>{rows}</table><ul>{listed}</ul>"


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8">{MARK}<title>{title}</title><style>{STYLE}</style>\n'
        f"<body>{body}</body></html>\n"
    )
