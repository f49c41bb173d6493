"""The web interface: it shows what the pipeline and the command wrote, and starts what the command starts. It computes no result."""
