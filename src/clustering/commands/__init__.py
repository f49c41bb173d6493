"""The commands, a module each: its arguments, what only it needs, and what it prints. What they share lies one folder up.

A module imports what is heavy inside its function: `clustering --help` and the shell's completion load them all.
"""

from collections.abc import Callable

from clustering.commands.categories import categories
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

# In the order in which --help lists them.
COMMANDS: tuple[Callable[..., None], ...] = (
    run,
    status,
    list_jobs,
    minimal,
    split_half,
    init,
    fetch,
    publish,
    record,
    sync,
    compare,
    sweep,
    explain,
    categories,
    doctor,
    completion,
)
