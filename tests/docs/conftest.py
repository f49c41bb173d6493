"""The finished project that the integration tests share."""

from integration.conftest import finished, journal, minimal

__all__ = ["finished", "journal", "minimal"]
