"""A logger for Snakemake that writes what becomes of a run's jobs, one JSON object a line.

`snakemake --logger clustering --logger-clustering-events FILE`; whoever does not ask for it gets nothing of it. Snakemake finds
it by the name of this package, and imports it at each start: so nothing heavy is imported here. The lines are read by
`clustering.events`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from logging import LogRecord
from pathlib import Path
from typing import Any, Optional

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase


def job_of(record: Any) -> dict[str, Any]:
    """A job that starts, or would: its rule, wildcards by name, why, and its files."""
    return {
        "job": record.jobid,
        "rule": record.rule_name,
        "wildcards": {str(name): str(value) for name, value in record.wildcards.items()},
        "reason": record.reason,
        "input": [str(path) for path in record.input],
        "output": [str(path) for path in record.output],
    }


# What is told of each event; the others are not told.
FIELDS: dict[str, Callable[[Any], dict[str, Any]]] = {
    LogEvent.WORKFLOW_STARTED: lambda _record: {},
    LogEvent.RUN_INFO: lambda record: {"total": record.stats["total"]},
    LogEvent.JOB_INFO: job_of,
    LogEvent.JOB_FINISHED: lambda record: {"job": record.job_id},
    LogEvent.JOB_ERROR: lambda record: {"job": record.jobid, "rule": record.rule_name},
    LogEvent.PROGRESS: lambda record: {"done": record.done, "total": record.total},
    LogEvent.ERROR: lambda record: {"message": record.getMessage()},
}


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """What `snakemake` takes for this logger."""

    # Snakemake's interface reads the type, and does not know `Path | None`.
    events: Optional[Path] = field(  # noqa: UP045
        default=None, metadata={"help": "File that takes one JSON object per event, a line each.", "required": True}
    )


class LogHandler(LogHandlerBase):
    """Appends to the file; each line is there, whole, before the next event is taken."""

    def __post_init__(self) -> None:
        # Required: Snakemake has refused to start without it.
        assert isinstance(self.settings, LogHandlerSettings)  # noqa: S101
        self.file = open(str(self.settings.events), "a", encoding="utf-8")  # noqa: SIM115, PTH123 (closed by `close`)

    def emit(self, record: LogRecord) -> None:
        """Write an event; what cannot be written is told as Python's own handlers do, and the run goes on."""
        event = getattr(record, "event", None)
        if event not in FIELDS:
            return
        try:
            self.file.write(json.dumps({"event": str(event), **FIELDS[event](record)}) + "\n")
            self.file.flush()
        except (OSError, ValueError):
            self.handleError(record)

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """No: Snakemake goes on saying what it says."""
        return False

    @property
    def writes_to_file(self) -> bool:
        """No: such a file is taken for a log for people, and named at the end of a run."""
        return False

    @property
    def has_filter(self) -> bool:
        """Yes: Snakemake's own filter would let --quiet take events away."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Yes: JSON."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """No."""
        return False
