"""The worked example of docs/howto/production.md on real servers: PostgreSQL and S3, and DVC's remote in the same bucket."""

import io
import json
import re
from pathlib import Path
from typing import NamedTuple

import adbc_driver_postgresql.dbapi as postgresql
import pandas as pd
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from clustering.runs import load_runs
from clustering.templates import make_project
from docs.test_pages import DOCS, read_along
from servers import ACCESS_KEY, PASSWORD, SECRET_KEY, object_store, postgres

pytestmark = pytest.mark.integration


class Example(NamedTuple):
    """The project that the page was worked through in, what was printed, the colleague's clone, and what is published."""

    project: Path
    said: str
    colleague: Path
    bucket: dict[str, pd.DataFrame]
    tables: dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    folder = tmp_path_factory.mktemp("production")
    project = folder / "project"
    make_project(project, None)
    yaml = YAML()
    params = yaml.load(project / "params.yaml")
    params["demo"]["dev"] |= {"stores": 80, "categories": 1, "weeks": 4, "lines_per_store": 60}
    params["internal"]["categories"] = {"beauty": {"name": "BEAUTY"}}
    for view in ("internal", "external"):
        params[view]["cluster_stores"] |= {"max_clusters": 3, "n_init": 2}
    yaml.dump(params, project / "params.yaml")
    with postgres() as database, object_store() as store:
        secrets = {
            ".env.prod": {"RETAIL_DATABASE": database},
            ".env.staging": {"RETAIL_BUCKET": "s3://retail", **store.variables},
        }
        for name, values in secrets.items():
            (project / name).write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        start = folder / "start.md"
        start.write_text("```bash\ngit add -A\ngit commit -qm Start\nclustering run merging_job\n```\n")
        read_along(start, project, folder)
        said = read_along(DOCS / "howto" / "production.md", project, folder)
        with store.system.open_input_stream("retail/segments/current.json") as file:
            current = json.load(file)
        bucket = {}
        for entry in current["files"]:
            with store.system.open_input_file(f"retail/segments/{entry['path']}") as file:
                bucket[Path(entry["path"]).name] = read_by_name(entry["path"], io.BytesIO(file.read()))
        with postgresql.connect(database) as connection, connection.cursor() as cursor:
            tables = {}
            for name in ("store_segments", "store_segments_archive"):
                cursor.execute(f"SELECT * FROM {name} ORDER BY category, store_id")  # noqa: S608 (names above)
                tables[name] = cursor.fetch_arrow_table().to_pandas()
    return Example(project, said, folder / "colleague", bucket, tables)


def read_by_name(name: str, content: io.BytesIO) -> pd.DataFrame:
    """A published file, ids as text."""
    if name.endswith(".parquet"):
        return pd.read_parquet(content)
    if name.endswith(".csv"):
        return pd.read_csv(content, dtype={"store_id": str}, keep_default_na=False)
    if name.endswith(".json"):
        return pd.DataFrame(json.load(content))
    return pd.read_excel(
        content, sheet_name="segments", dtype={"store_id": str}, engine="calamine", keep_default_na=False
    )


def test_every_source_is_fetched_and_fetched_again_unchanged(example: Example) -> None:
    assert (
        len(re.findall(r"^[a-z_.]+: fetched: [\d,]+ rows from postgresql://127\.0\.0\.1:", example.said, re.MULTILINE))
        == 5
    )
    assert len(re.findall(r"^[a-z_.]+: fetched: [\d,]+ rows from s3://retail/raw/", example.said, re.MULTILINE)) == 5
    assert re.search(r"^sales: unchanged: [\d,]+ rows from postgresql://", example.said, re.MULTILINE)
    notes = json.loads((example.project / "data/raw/prod.fetch.json").read_text())
    assert sorted(notes) == ["external.county", "external.store", "product_map", "sales", "stores"]
    assert notes["stores"]["rows"] == pq.read_metadata(example.project / "data/raw/prod/stores.parquet").num_rows
    assert notes["sales"]["query"] == "SELECT store, sku, category, amount, week FROM sales"


def test_segments_are_the_same_bytes_wherever_the_data_came_from(example: Example) -> None:
    runs = load_runs(example.project)
    assert [(run["env"], run["result"]) for run in runs] == [("dev", "done"), ("staging", "done"), ("prod", "done")]
    assert runs[2]["tags"] == {"source": "database"}
    made = {(example.project / ".clustering/runs" / run["id"] / "segments.parquet").read_bytes() for run in runs}
    assert len(made) == 1


def test_published_segments_are_those_of_the_pipeline(example: Example) -> None:
    columns = ["category", "store_id", "internal_cluster", "external_cluster", "merged_cluster", "segment"]
    made = pq.read_table(example.project / "data/merging/segments.parquet").to_pandas()
    expected = [tuple(row) for row in made[columns].itertuples(index=False)]
    assert len(expected) > 50
    published = {
        **example.tables,
        **{name: table for name, table in example.bucket.items() if not name.startswith("profiles")},
    }
    assert sorted(published) == sorted(
        [
            "store_segments",
            "store_segments_archive",
            "segments.parquet",
            "segments.csv",
            "segments.json",
            "segments.xlsx",
        ]
    )
    for name, table in published.items():
        assert [tuple(row) for row in table[columns].itertuples(index=False)] == expected, name
    sizes = made.groupby("segment").size()
    for segment, stores in sizes.items():
        assert f"beauty {segment}: {stores} stores" in example.said
    assert len(list((example.project / "reports/published").glob("*.json"))) == 2


def test_colleague_has_nothing_to_run(example: Example) -> None:
    assert "Data and pipelines are up to date." in example.said
    assert "Snakemake has taken note of what DVC made." in example.said
    for name in ("data/merging/segments.parquet", "data/raw/prod/sales.parquet", "data/raw/prod.fetch.json"):
        assert (example.colleague / name).read_bytes() == (example.project / name).read_bytes(), name


def test_no_secret_is_written_or_said(example: Example) -> None:
    # The shell's own trace shows what it is given.
    said = "\n".join(line for line in example.said.splitlines() if not line.startswith("+"))
    assert "postgresql://" in said
    for secret in (PASSWORD, SECRET_KEY, ACCESS_KEY):
        assert secret not in said
        for folder in (example.project, example.colleague):
            holders = [
                path.relative_to(folder).as_posix()
                for path in folder.rglob("*")
                if path.is_file() and not path.is_symlink() and secret.encode() in path.read_bytes()
            ]
            assert set(holders) <= {".env.prod", ".env.staging", ".dvc/config.local"}
