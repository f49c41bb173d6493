"""The command's own log, `clustering.log`: in `~/.clustering/logs`, or where the configuration or CLUSTERING_LOG_DIR says.

What happens before the configuration is known is kept in memory, and written with the rest.
"""

import logging
import os
import sys
from logging.handlers import MemoryHandler, RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storelib.configuration.place import Logging

LOGGER = logging.getLogger("clustering_command")
NAME = "clustering.log"
# Whoever calls `main` from a program may have handlers of its own.
OWN = (MemoryHandler, RotatingFileHandler, logging.NullHandler)


def start_journal() -> None:
    """Keep what is logged until it is known where to write it."""
    if any(isinstance(handler, OWN) for handler in LOGGER.handlers):
        return
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    LOGGER.addHandler(MemoryHandler(capacity=1000, flushLevel=logging.CRITICAL + 1, flushOnClose=False))


def open_journal(settings: "Logging", root: Path) -> None:
    """Write to the file from here on, with what was kept. Where it cannot be written warn once and go on without.

    root: the project, which a relative folder lies in. CLUSTERING_LOG_DIR goes before the configured folder.
    """
    kept = [handler for handler in LOGGER.handlers if isinstance(handler, MemoryHandler)]
    if not kept:
        return
    from clustering.secrets import Redacting

    LOGGER.setLevel(settings.level)
    try:
        folder = root / Path(os.environ.get("CLUSTERING_LOG_DIR") or settings.folder).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatingFileHandler(
            folder / NAME, maxBytes=settings.max_bytes, backupCount=settings.rotated_files, encoding="utf-8"
        )
    except (OSError, RuntimeError) as error:
        sys.stderr.write(f"Warning: no log of this command is kept: {error}\n")
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    handler.addFilter(Redacting())
    LOGGER.addHandler(handler)
    for memory in kept:
        LOGGER.removeHandler(memory)
        for record in memory.buffer:
            if LOGGER.isEnabledFor(record.levelno):
                handler.handle(record)
        memory.close()


def end_journal() -> None:
    """Write what is still kept: no configuration was read, or it could not be."""
    from storelib.configuration.place import Logging

    open_journal(Logging(), Path.cwd())
    logging.shutdown()
