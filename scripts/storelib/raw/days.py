r"""The day of a line, as SQL: `31.12.2024`, `2026-03`, `2026-W05`, `2026-01-05T00:30:00Z`.

Nothing is guessed, and nothing depends on the machine. A month or a week counts as its first day. An instant, which is a time with a
zone, counts on the day that it has in one zone, the source's `time_zone`; a time without a zone is on the day that is written.
"""

import re
from collections.abc import Sequence

from storelib.sql import literal

UTC = "UTC"
DAY = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
OFFSET = r"[+-](0\d|1[0-4])(:?[0-5]\d)?"
INSTANT = rf"{DAY}[ T]\d{{1,2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?( *(Z|z|{OFFSET})| +(UTC|GMT|[A-Z]\w+/[A-Z][\w/+-]*))"
WEEK = r"\d{4}-?[Ww]\d{2}(-?[1-7])?"
MONTH = r"\d{4}[-/](0?[1-9]|1[0-2])"
# 201105 may be May 2011 or 5 November 2020; 201305 is May 2013 alone, since a year has no thirteenth month.
MONTH_OF_SIX = r"\d{4}(0[1-9]|1[0-2])"
NO_WEEKS = "the dates are months, of which internal.ingest_sales.period makes no weeks"
SHORT_DAY = r"\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"


def day_of(text: str, formats: Sequence[str], zone: str = UTC, *, months: bool = True) -> str:
    """SQL: the date in `text`, null where it is none, or where two formats read two different days.

    formats: as strptime has them; none: YYYY-MM-DD, perhaps with a time, YYYY-MM, YYYYMM or YYYY-Www.
    zone: of which an instant's day is taken. months: whether a month counts, as its first day.
    """
    if not formats:
        return in_our_time(iso_day(text, zone, months=months))
    days = days_of(text, formats, zone)
    # min and max ignore nulls: they differ where the formats do.
    return f"CASE WHEN list_min({days}) = list_max({days}) THEN list_min({days}) END"


def iso_forms(*, months: bool) -> str:
    """How dates are written by default, in words."""
    return "YYYY-MM-DD, YYYY-MM or YYYY-Www" if months else "YYYY-MM-DD or YYYY-Www"


def iso_day(text: str, zone: str, *, months: bool) -> str:
    """SQL: the date in a text that is written as ISO 8601 has it, or as YYYYMM."""
    cases = {
        matches(text, DAY): f"TRY_CAST({text} AS DATE)",
        matches(text, INSTANT): day_in(zone, instant(text)),
        matches(text, rf"{DAY}[ T].*"): f"TRY_CAST({text} AS DATE)",
        matches(text, WEEK): day_of_week(text),
    }
    if months:
        cases[matches(text, MONTH)] = f"TRY_CAST(replace({text}, '/', '-') || '-01' AS DATE)"
        unambiguous = f"{matches(text, MONTH_OF_SIX)} AND NOT {matches(text, SHORT_DAY)}"
        cases[unambiguous] = f"CAST(try_strptime({text} || '01', '%Y%m%d') AS DATE)"
    return "CASE " + " ".join(f"WHEN {condition} THEN {day}" for condition, day in cases.items()) + " END"


def is_iso_day(text: str) -> str:
    """SQL: whether a text is a day as YYYY-MM-DD, perhaps with a time."""
    return f"CASE WHEN {matches(text, f'{DAY}([ T].*)?')} THEN TRY_CAST({text} AS DATE) IS NOT NULL ELSE FALSE END"


def matches(text: str, pattern: str) -> str:
    """SQL: whether a whole text is of a pattern."""
    return f"regexp_full_match({text}, {literal(pattern)})"


def instant(text: str) -> str:
    """SQL: an instant as DuckDB reads it: without spaces before its offset, and with an offset for `Z`."""
    with_offset = f"regexp_replace({text}, ' *[Zz]$', '+00')"
    return f"TRY_CAST(regexp_replace({with_offset}, ' +([+-][0-9:]+)$', '\\1') AS TIMESTAMPTZ)"


def day_of_week(text: str) -> str:
    """SQL: the first day of an ISO week, or one of its days where that is written; null for a week that its year does not have."""
    bare = f"upper(replace({text}, '-', ''))"
    whole = f"CASE WHEN length({bare}) = 7 THEN {bare} || '1' ELSE {bare} END"
    day = f"CAST(try_strptime({whole}, '%GW%V%u') AS DATE)"
    return f"CASE WHEN strftime({day}, '%GW%V%u') = {whole} THEN {day} END"


def day_in(zone: str, moment: str) -> str:
    """SQL: the day that an instant has in a zone."""
    return f"TRY_CAST(timezone({literal(zone)}, {moment}) AS DATE)"


def is_ambiguous(text: str, formats: Sequence[str], zone: str = UTC) -> str:
    """SQL: whether two formats read two different days; without formats, whether six digits may be a month or a day."""
    if not formats:
        # Lengths are compared first, since that is cheap, and of most dates is enough.
        return f"CASE WHEN length({text}) = 6 THEN {matches(text, MONTH_OF_SIX)} AND {matches(text, SHORT_DAY)} ELSE FALSE END"
    days = days_of(text, formats, zone)
    return f"coalesce(list_min({days}) <> list_max({days}), FALSE)"


def days_of(text: str, formats: Sequence[str], zone: str = UTC) -> str:
    """SQL: the list of what each format reads in a text; DuckDB would also read the word `infinity`."""
    days = ", ".join(in_our_time(day_by(text, form, zone)) for form in formats)
    return f"(CASE WHEN regexp_matches({text}, '[0-9]') THEN [{days}] END)"


def day_by(text: str, form: str, zone: str) -> str:
    """SQL: the day that one format reads, null where the text is not written so."""
    moment = f"try_strptime({text}, {literal(form)})"
    return day_in(zone, moment) if has_zone(form) else f"TRY_CAST({moment} AS DATE)"


def has_zone(form: str) -> bool:
    """Whether a format of strptime reads a zone."""
    return bool(re.search(r"(?<!%)(%%)*%[zZ]", form))


def in_our_time(day: str) -> str:
    """SQL: a date, null where it lies before the year 1000: 24-01-05 is no day of the year 24."""
    return f"CASE WHEN {day} BETWEEN DATE '1000-01-01' AND DATE '9999-12-31' THEN {day} END"
