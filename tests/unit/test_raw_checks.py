"""What the doctor says of raw data, worked by hand: three stores, three SKUs, two towns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from clustering.checking import Check
from clustering.raw_checks import raw_data
from storelib.configuration.params import load_params
from storelib.configuration.place import load_place

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "sales.csv": "STORE,SKU,AMOUNT\n001,a,1.00\n002,b,2.00\n003,c,3.00\n",
    "map.csv": "SKU,NEED,GROUP\na,dry,Coffee\nb,wet,Coffee\nc,wet,Pet food\n",
    "stores.csv": "STORE,TOWN\n001,x\n002,x\n003,y\n",
    "towns.csv": "TOWN,PEOPLE\nx,10\ny,20\n",
}
SOURCES: dict[str, Any] = {
    "sales": {"reader": "csv", "path": "sales.csv", "columns": {"store_id": "STORE", "sku": "SKU", "sales": "AMOUNT"}},
    "product_map": {"reader": "csv", "path": "map.csv", "columns": {"sku": "SKU", "need_state": "NEED", "category": "GROUP"}},
    "stores": {"reader": "csv", "path": "stores.csv", "columns": {"store_id": "STORE", "town": "TOWN"}},
    "external": {"town": {"reader": "csv", "path": "towns.csv", "key": {"town": "TOWN"}}},
}  # fmt: skip


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., dict[str, Check]]:
    """The checks by what they are about; files: text by name, None for one that is missing."""

    def run(category: str = "Coffee", **files: str | None) -> dict[str, Check]:
        raw = tmp_path / "data/raw/prod"
        raw.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            wanted = files.get(name.partition(".")[0], text)
            if wanted is not None:
                (raw / name).write_text(wanted)
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        params |= {"env": "prod", "demo": {}}
        params["internal"]["categories"] = {"coffee": {"name": category}}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        (tmp_path / "prod.yml").write_text(yaml.safe_dump({"sources": SOURCES}))
        place = load_place(tmp_path / "prod.yml")
        found = list(raw_data(tmp_path, load_params(tmp_path / "params.yaml"), place, "prod"))
        assert len({check.what for check in found}) == len(found)
        return {check.what: check for check in found}

    return run


def test_right_data_are_fine(look: Callable[..., dict[str, Check]]) -> None:
    found = look()
    assert {check.state for check in found.values()} == {"fine"}
    assert {what: check.found for what, check in found.items()} == {
        "raw sales": "3 rows in 1 file",
        "raw product_map": "3 rows in 1 file",
        "raw stores": "3 rows in 1 file",
        "raw external.town": "2 rows in 1 file",
        "stores that sell": "3 of 3 are in the store table",
        "SKUs that are sold": "3 of 3 are in the product map",
        "town of the store table": "2 of 2 are in external.town",
        "categories": "1 of params.yaml are in the data, 1 more are not selected",
    }


def test_ids_that_lost_their_zeros_match_nothing(look: Callable[..., dict[str, Check]]) -> None:
    found = look(stores="STORE,TOWN\n1,x\n2,x\n3,y\n")["stores that sell"]
    assert (found.state, found.found) == ("mend", "0 of 3 are in the store table, not '001' (there: '1')")
    assert "zeros in front" in found.advice


def test_some_ids_that_do_not_match_are_a_note(look: Callable[..., dict[str, Check]]) -> None:
    found = look(map="SKU,NEED,GROUP\na,dry,Coffee\nb,wet,Pet food\n", towns="TOWN,PEOPLE\nx,10\n")
    assert found["SKUs that are sold"][:3] == (
        "note",
        "SKUs that are sold",
        "2 of 3 are in the product map, not 'c' (there: 'a')",
    )
    assert found["town of the store table"].found == "1 of 2 are in external.town, not 'y' (there: 'x')"


def test_missing_file_and_missing_column_are_told_and_the_rest_is_looked_at(
    look: Callable[..., dict[str, Check]],
) -> None:
    found = look(stores=None, sales="STORE,ARTICLE,AMOUNT\n001,a,1.00\n")
    assert (found["raw stores"].state, found["raw sales"].state) == ("mend", "mend")
    assert "stores.csv does not exist" in found["raw stores"].found
    assert "no column 'SKU'" in found["raw sales"].found
    assert found["raw external.town"].state == "fine"
    assert "stores that sell" not in found


def test_file_that_is_broken_is_told(look: Callable[..., dict[str, Check]]) -> None:
    found = look(sales="STORE,SKU,AMOUNT\n001,a,1.00\n002,b\n")
    broken = [check for check in found.values() if check.state == "mend"]
    assert broken
    assert all("sales.csv" in check.found for check in broken)


def test_source_without_a_row_is_told(look: Callable[..., dict[str, Check]]) -> None:
    assert look(towns="TOWN,PEOPLE\n")["raw external.town"][:3] == ("mend", "raw external.town", "0 rows in 1 file")


def test_category_is_known_as_the_stages_spell_it(look: Callable[..., dict[str, Check]]) -> None:
    assert look(category=" COFFEE")["categories"].state == "fine"
    found = look(category="Cofee")["categories"]
    assert found.found == "'Cofee' is in neither the sales nor the product map (nearest: 'Coffee')"
    assert (found.state, "clustering categories" in found.advice) == ("mend", True)


def test_folder_that_is_missing_is_told(look: Callable[..., dict[str, Check]], tmp_path: Path) -> None:
    look()
    place, params = load_place(tmp_path / "prod.yml"), load_params(tmp_path / "params.yaml")
    (found,) = raw_data(tmp_path, params, place, "staging")
    assert (found.state, found.what, found.found) == ("mend", "data/raw/staging", "does not exist or is empty")
    demo = params.model_copy(update={"demo": {"staging": None}})
    (found,) = raw_data(tmp_path, demo, place, "staging")
    assert (found.state, found.found) == ("fine", "not there yet: the demo makes it")
