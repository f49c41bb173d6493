"""What a sweep reads from DVC, and says."""

import pandas as pd
import pytest

from clustering.compare import Results
from clustering.sweep import QUEUED, Experiment, keys_of, states_in


def test_settings_are_pairs() -> None:
    assert keys_of(["merging.min_cluster_size=9,20", "+a.b=1"]) == ["merging.min_cluster_size", "a.b"]
    with pytest.raises(ValueError, match="key=value"):
        keys_of(["merging"])


def test_states_are_read_from_the_queue() -> None:
    text = """Task     Name        Created    Status
1bd71ef  uveal-rotl  05:03 PM   Running
a1b2c3d  mural-wont  05:03 PM   Success

Worker status: 1 active, 0 idle"""
    assert states_in(text) == {"uveal-rotl": "Running", "mural-wont": "Success"}
    assert QUEUED.findall("Queued experiment 'uveal-rotl' for future execution.") == ["uveal-rotl"]


def test_experiment_in_one_line() -> None:
    metrics = {
        "internal": {"beauty": {"k": 3}},
        "external": {"k": 5},
        "merging": {"beauty": {"segments": 7}},
        "recovery": {"beauty": {"segment_ari": 0.82249}},
    }
    found = Experiment("a-b", {"rule": "bic"}, Results("a-b", metrics, pd.DataFrame()))
    assert found.line() == "a-b: rule=bic: k beauty 3 external 5; segments beauty 7; ARI beauty 0.822"
    failed = Experiment("a-c", {}, error="merge_segments/beauty: no")
    assert failed.line().endswith("failed: merge_segments/beauty: no")
