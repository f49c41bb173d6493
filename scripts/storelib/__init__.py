"""What the stages and the command share: one room for each purpose."""
