"""The `clustering` command: it starts the pipeline's runners and shows what they made. What computes is a script."""

import sys
from importlib.metadata import version
from pathlib import Path

__version__ = version("clustering-pipeline")

_installed = Path(__file__).parent / "project"
# The workflow's files: in a wheel they lie inside the package, in a checkout around it.
TEMPLATE = _installed if _installed.is_dir() else Path(__file__).parents[2]

# The command checks configuration with the models that the stages use.
sys.path.insert(0, str(TEMPLATE / "scripts"))
