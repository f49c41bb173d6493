"""The report of one run: the page that the pipeline wrote, which knows no run, with a section on the run put in its place."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storelib.tables import write_text

REPORT = Path("reports", "report.html")
# A comment of scripts/templates/report.html.j2. Nothing from data can be it: there, `<` is escaped.
PLACE = "<!-- this run -->"
SECTION = """<section id="run">
  <h2>This run</h2>
  <p class="lead">{{ run.job }} for {{ run.env }}, {{ run.start|moment }}{% if run.tags %}: {{ run.tags|pairs }}{% endif %}.</p>
  <div class="method"><dl>
  {%- for name, value in facts %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl></div>
  <h3>Last runs</h3>
  <div class="scroll" tabindex="0"><table class="rows">
    <thead><tr>
      {%- for head in ("Run", "Start", "Job", "Environment", "Tags") %}<th>{{ head }}</th>{% endfor -%}
      <th class="n">Seconds</th><th>Result</th>
    </tr></thead>
    <tbody>
    {% for row in runs %}
      <tr><td class="name">{{ row.id }}</td><td class="when">{{ row.start|moment }}</td><td>{{ row.job }}</td><td>{{ row.env }}</td>
      <td class="name">{{ row.tags|pairs }}</td><td class="n">{{ row.duration_s }}</td><td>{{ row.result }}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
</section>
"""


def moment(start: str) -> str:
    """2026-01-02T03:04:05+00:00 as people read it."""
    return f"{start[:10]} {start[11:16]} UTC"


def pairs(tags: Mapping[str, str]) -> str:
    """Tags as they were given."""
    return ", ".join(f"{key}={value}" for key, value in tags.items())


def facts_of(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a run's record says, by name, in words."""
    git = run["git"]
    changed = {True: "; files differ from it", False: "; no file differs from it", None: ""}[git["dirty"]]
    return [
        ("run", run["id"]),
        ("job", run["job"]),
        ("environment", run["env"]),
        ("tags", pairs(run["tags"]) or "none"),
        (
            "git revision",
            f"{git['revision']}{changed}" if git["revision"] else f"none: {git.get('trouble', 'no commit')}",
        ),
        ("start", moment(run["start"])),
        ("duration", f"{run['duration_s']} s"),
        (
            "runner",
            f"{run['engine']}, {run['cores'] or 'as many as the profile says'} at a time"
            + (", all anew" if run["force"] else ""),
        ),
        *run["versions"].items(),
    ]


def section(run: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    """A run, and a table of those before it, as HTML; whatever is put in is escaped."""
    import jinja2  # spared where nothing is run

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"moment": moment, "pairs": pairs}
    return environment.from_string(SECTION).render(run=run, facts=facts_of(run), runs=runs)


def keep_report(page: Path, kept: Path, run: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> None:
    """Copy the page, with the run in its place where it has one.

    page: as the stage wrote it, which stays as it is; run: its record; runs: those to list, newest first.
    """
    text = page.read_text(encoding="utf-8")
    write_text(text.replace(PLACE, section(run, runs), 1), kept)
