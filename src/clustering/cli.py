"""The command line. Exit codes: 0 success, 1 general, 2 arguments, 3 configuration, 4 pipeline or data."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer
from typer._completion_classes import completion_init

from clustering import __version__
from clustering.commands.approve import approve
from clustering.commands.assign import assign
from clustering.commands.categories import categories
from clustering.commands.clean import clean
from clustering.commands.compare import compare
from clustering.commands.completion import completion
from clustering.commands.doctor import doctor
from clustering.commands.explain import explain
from clustering.commands.fetch import fetch
from clustering.commands.init import init
from clustering.commands.list_jobs import list_jobs
from clustering.commands.minimal import minimal
from clustering.commands.publish import publish
from clustering.commands.record import record
from clustering.commands.run import run
from clustering.commands.split_half import split_half
from clustering.commands.status import status
from clustering.commands.sweep import sweep
from clustering.commands.sync import sync
from clustering.commands.ui import ui
from clustering.commands.upgrade import upgrade
from clustering.commands.verify import verify
from clustering.journal import LOGGER, end_journal, start_journal
from storelib.errors import PipelineError

# In the order in which --help lists them.
COMMANDS: tuple[Callable[..., None], ...] = (
    run,
    ui,
    status,
    list_jobs,
    minimal,
    split_half,
    init,
    upgrade,
    fetch,
    approve,
    publish,
    record,
    sync,
    compare,
    sweep,
    explain,
    assign,
    categories,
    doctor,
    verify,
    clean,
    completion,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for command in COMMANDS:
    app.command(command.__name__.replace("_", "-"))(command)
# What Typer raises for wrong arguments; it has no public name of its own.
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
# What Typer makes of Ctrl-C.
INTERRUPTED = 130


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Store segments from raw sales and external data.

    Example: clustering run full_pipeline_job
    """


def fail(message: str, solution: str, code: int) -> None:
    """Two lines on stderr, and the exit code."""
    from clustering.secrets import redact

    LOGGER.error("%s (exit code %d)", message, code)
    sys.stderr.write(redact(f"Error: {message}\nSolution: {solution}\n"))
    sys.exit(code)


def main() -> None:
    """Run the command and turn a user's mistake into two lines and an exit code."""
    if "_CLUSTERING_COMPLETE" in os.environ:
        # A shell that asks at each tab key is no command to keep a log of.
        completion_init()
        app()
    start_journal()
    LOGGER.info("clustering %s", " ".join(sys.argv[1:]))
    again = "run the same command again; it goes on from what is finished"
    try:
        code = app(standalone_mode=False)
    except PipelineError as error:
        fail(error.args[0], error.solution, error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        fail("interrupted", again, 1)
    except USAGE_ERROR as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            return
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "clustering"
        message = " ".join(str(getattr(error, "format_message", error.__str__)()).split())
        fail(message, f"see `{command} --help`", 2)
    except OSError as error:
        fail(f"{error.filename or 'the system'}: {error.strerror or error}", "see that it is there and may be used", 1)
    except Exception:
        # A defect keeps its traceback, less what is secret in it.
        from clustering.secrets import redact

        LOGGER.exception("unexpected failure")
        sys.stderr.write(redact(traceback.format_exc()))
        sys.exit(1)
    else:
        if isinstance(code, int) and code:
            if code == INTERRUPTED:
                fail("interrupted", again, 1)
            sys.exit(code)
    finally:
        end_journal()
