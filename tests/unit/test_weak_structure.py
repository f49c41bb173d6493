"""What the terminal says after a run of views whose stores are all in one cluster."""

from pathlib import Path

from clustering.running import weak_structures


def test_weak_structures_are_told_and_no_structure_is_not(tmp_path: Path) -> None:
    rows = [
        "view,k,chosen_by,chosen",
        *("beauty,1,bic_tied,True", "beauty,2,calinski_harabasz,False", "beauty,4,silhouette bic,False"),
        *("snacks,1,bic bic_tied,True", "snacks,2,silhouette,False"),
        *("external,1,,False", "external,3,bic bic_tied,True"),
    ]
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/k_scores.csv").write_text("\n".join(rows) + "\n")
    (told,) = weak_structures(tmp_path)
    assert told.startswith(
        "beauty: weak structure: all stores are in one cluster, but k = 4 is chosen by silhouette, bic"
    )
