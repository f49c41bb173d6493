"""The command's own log: `~/.clustering/logs/clustering.log`, or in CLUSTERING_LOG_DIR."""

import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from clustering.secrets import Redacting

LOGGER = logging.getLogger("clustering_command")


def start_journal() -> None:
    """Log to the file; where it cannot be written warn once and go on without."""
    if LOGGER.handlers:
        return
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        folder = Path(os.environ.get("CLUSTERING_LOG_DIR") or Path.home() / ".clustering" / "logs")
        folder.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatingFileHandler(
            folder / "clustering.log", maxBytes=1_000_000, backupCount=3, encoding="utf-8"
        )
    except (OSError, RuntimeError) as error:
        sys.stderr.write(f"Warning: no log of this command is kept: {error}\n")
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    handler.addFilter(Redacting())
    LOGGER.addHandler(handler)
