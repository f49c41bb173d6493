"""The commands, a module each: its arguments, what only it needs, and what it prints. What they share lies one folder up.

A module imports what is heavy inside its function: `clustering --help` and the shell's completion load them all.
"""
