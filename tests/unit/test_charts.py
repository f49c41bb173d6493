"""Pictures of any number of stores."""

from typing import Any

import altair as alt
import pandas as pd

from storelib.pages.charts import note_chart, save_png

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_picture_may_have_more_stores_than_a_notebook(bench: Any) -> None:
    stores = pd.DataFrame({"x": range(6000), "y": 1.0})
    save_png(alt.Chart(stores).mark_point().encode(x="x:Q", y="y:Q"), bench / "many.png")
    assert (bench / "many.png").read_bytes().startswith(PNG)


def test_a_note_is_a_picture(bench: Any) -> None:
    save_png(note_chart("beauty", "One cluster."), bench / "note.png")
    assert (bench / "note.png").read_bytes().startswith(PNG)
