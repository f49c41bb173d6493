"""What is true of each table between stages, and the writing of tables that are checked."""
