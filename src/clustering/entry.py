"""Where the command begins: what is imported before it can tell an interruption in two lines takes a tenth of a second."""

import sys


def main() -> None:
    """Run the command."""
    try:
        from clustering.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("Error: interrupted\nSolution: run the same command again\n")
        sys.exit(1)
    run()
