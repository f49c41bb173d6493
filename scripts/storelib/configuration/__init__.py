"""params.yaml and configs/<env>.yml: models, reading and checking, and what the Snakefile needs of them."""
