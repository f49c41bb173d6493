"""What a configuration may say of dates: formats of strptime, and zones."""

from functools import cache


@cache
def unit_of(form: str) -> str | None:
    """What a format of strptime gives back of the days that it writes: `day`, `week` or `month`; None where it is none of these."""
    import duckdb

    first_days = {
        "day": "day",
        "week": "date_trunc('week', day)",
        # Weeks that begin on Sunday, as %U has them.
        "week of Sunday": "date_trunc('week', day + 1) - INTERVAL 1 DAY",
        "month": "date_trunc('month', day)",
    }
    truncated = ", ".join(f"bool_and(coalesce(found = {first}, FALSE))" for first in first_days.values())
    with duckdb.connect() as connection:
        try:
            # Instants are written, and read, in the zone of the connection.
            connection.execute("SET TimeZone = 'UTC'")
            row = connection.execute(
                f"SELECT {truncated} FROM (SELECT day, CAST(try_strptime(strftime(day, $form), $form) AS DATE) AS found "  # noqa: S608 (ours)
                "FROM (VALUES (DATE '2024-03-19'), (DATE '1999-12-05'), (DATE '2021-07-10')) AS days(day))",
                {"form": form},
            ).fetchone()
        except duckdb.Error:
            return None
    unit = next((unit for unit, holds in zip(first_days, row or (), strict=False) if holds), None)
    return unit and unit.split()[0]


def is_zone(name: str) -> bool:
    """Whether a zone has this name in the tz database."""
    import duckdb

    with duckdb.connect() as connection:
        found = connection.execute("SELECT count(*) FROM pg_timezone_names() WHERE name = ?", [name]).fetchone()
    return bool(found and found[0])
