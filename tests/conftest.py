"""For all tests: nothing of theirs has to outlive a power cut, and waiting for the disk is most of what small stages would do."""

import os

os.environ.setdefault("CLUSTERING_FSYNC", "no")
