"""The finished project that the integration tests share."""

from integration.conftest import finished, journal, minimal, stages

__all__ = ["finished", "journal", "minimal", "stages"]
