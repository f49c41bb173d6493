"""Pages from templates. Whatever comes from data is escaped."""

import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from clustering import __version__
from clustering.ui.guard import Access
from clustering.ui.reading import Project, attempt
from storelib.pages import words
from storelib.pages.palette import CLUSTER_COLOURS
from storelib.pages.report import mark

HERE = Path(__file__).parent
PAGES = {
    "/segments": "Segments",
    "/chain": "The chain",
    "/choose": "Choose",
    "/compare": "Compare and approve",
    "/runs": "Runs",
    "/data": "Data",
}

# What was done, by the word that an address may hold.
DONE = {
    "named": "The name is written; the next run takes it.",
    "placed": "The store is placed; the next run puts it there.",
    "taken_back": "The store is left to the pipeline again, from the next run on.",
    "preferred": "The run is marked as preferred.",
    "approved": "The segments are approved: they are the baseline, whose numbers the next run keeps.",
    "started": "It has started.",
    "stopped": "It was asked to stop.",
    "changed": "The value is in params.yaml, and it has started.",
}


def number(value: Any, digits: int = 0) -> Markup:
    """A number, which the page's script writes as the reader's language has it; a dash where it is not known."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return Markup("–")
    text = f"{value:,.{digits}f}"
    return Markup('<data value="{}" data-digits="{}">{}</data>').format(str(value), digits, text)


def share(value: float | None) -> str:
    """A share in per cent."""
    return "–" if value is None or math.isnan(value) else words.percent(value)


def moment(text: str) -> str:
    """2026-01-02T03:04:05+00:00 as people read it."""
    return f"{text[:10]} {text[11:16]} UTC"


def when(seconds: float) -> Markup:
    """A time of a file, which the page's script writes as the reader's clock has it."""
    found = datetime.fromtimestamp(seconds).astimezone()
    return Markup('<time datetime="{}">{}</time>').format(
        found.isoformat(timespec="seconds"), f"{found:%Y-%m-%d %H:%M}"
    )


def duration(seconds: float | None) -> str:
    """Seconds, or minutes and seconds."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def size(count: float) -> str:
    """Bytes in a unit that leaves few figures."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def query(values: Mapping[str, Any], **changed: Any) -> str:
    """The query of a link: some values changed, empty ones left out."""
    return urlencode({key: value for key, value in (dict(values) | changed).items() if value not in {"", None}})


def swatch(group: int, colour: str = "") -> Markup:
    """The mark of a cluster or segment, as a small picture."""
    fill, shape = mark(group)
    fill = colour or fill
    inside = {
        "disc": Markup('<circle cx="6" cy="6" r="5" fill="{}"/>'),
        "square": Markup('<rect x="1" y="1" width="10" height="10" fill="{}"/>'),
        "ring": Markup('<circle cx="6" cy="6" r="4" fill="none" stroke-width="3" stroke="{}"/>'),
    }[shape]
    return (
        Markup('<svg class="swatch" viewBox="0 0 12 12" aria-hidden="true">') + inside.format(fill) + Markup("</svg>")
    )


def shade_class(strength: float) -> str:
    """The class of a cell from -1 (below the chain) by 0 to 1 (above it), in steps of a tenth."""
    if math.isnan(strength):
        return "h"
    step = round(10 * max(-1.0, min(strength, 1.0)))
    return f"h h{'m' if step < 0 else ''}{abs(step)}"


@cache
def environment() -> jinja2.Environment:
    """The templates."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "num": number,
        "percent": share,
        "moment": moment,
        "when": when,
        "duration": duration,
        "size": size,
        "figure": words.figure,
        "count": words.count,
        "printable": words.printable,
        "shade": shade_class,
    }
    made.globals |= {
        "query": query,
        "swatch": swatch,
        "pages": PAGES,
        "version": __version__,
        "colours": CLUSTER_COLOURS,
    }
    return made


def show(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page, or a part of one."""
    access: Access = request.app.state.access
    project: Project = request.app.state.project
    common = {
        "here": "/" + request.url.path.strip("/").partition("/")[0],
        "project_name": project.root.name,
        "env": project.env,
        "allow_run": access.allow_run,
        "form_token": access.form_token,
        "alarm": alarm(project),
        "at_work": project.is_at_work(),
        "done": DONE.get(request.query_params.get("done", "")),
    }
    return HTMLResponse(environment().get_template(template).render(common | values), status)


def alarm(project: Project) -> list[str]:
    """What no page may leave unsaid: checks that failed, or that there are none."""
    part = attempt(project.checks)
    if part.value is None:
        return [] if part.problem is None or part.problem.is_missing else [part.problem.what]
    if not part.value:
        return ["no check was made"]
    failed = [check for check in part.value if check.get("state") not in {"pass", "warn"}]
    return [f"{len(failed)} of {len(part.value)} checks failed"] if failed else []


def cents(value: Decimal | None) -> str:
    """An exact amount as a text for programs."""
    return "" if value is None else f"{value:.2f}"
