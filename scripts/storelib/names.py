"""Names and limits on which several rooms agree, each said once. It imports nothing, so that anything may import it."""

# A category's key, all of it: keys become names of files and stages, so anything else could write outside `data/`.
LONGEST_KEY = 41
KEY = rf"[a-z][a-z0-9_]{{0,{LONGEST_KEY - 1}}}"
# The labels of a store, in tables of segments.
LABELS = ("internal_cluster", "external_cluster", "segment")
# The flag, and the reason in the ledger, of a store that a person placed.
OVERRIDE = "override"
# How many threads BLAS and OpenMP use. They read them once, when they are loaded.
THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# What random generators take.
LARGEST_SEED = 2**32 - 1
# A store whose probability of being where it was put is smaller is on a border.
SURE = 0.9
# Columns of net sales by month of the year, January first.
MONTHS = tuple(f"month_{number:02d}" for number in range(1, 13))
# What may count beside a category's shares: settings of `build_features`, each a weight that 0 switches off.
WEIGHTS = ("level_weight", "price_weight", "season_weight")
# The need state of SKUs that the product map does not have.
UNMAPPED = "(unmapped)"
# In the environment of what a command starts while it holds a project, and of all that this starts: which command it is.
MARK = "CLUSTERING_AT_WORK"
# Where commands keep what is one machine's, and the file by which one holds a project; it names the command that does.
STATE = ".clustering"
RUN_LOCK = "run.lock"
