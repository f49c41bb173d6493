"""Names and limits on which several rooms agree, each said once. It imports nothing, so that anything may import it."""

# A category's key, all of it: keys become file and stage names.
KEY = r"[a-z][a-z0-9_]{0,40}"
# The view of where stores are; no category has this key.
EXTERNAL = "external"
# The labels of a store, in a table of segments.
LABELS = ("internal_cluster", "external_cluster", "segment")
# What random generators take.
LARGEST_SEED = 2**32 - 1
