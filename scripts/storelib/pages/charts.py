"""Pictures in one style, drawn without a browser."""

from pathlib import Path

import altair as alt
import pandas as pd
import vl_convert

from storelib.pages.palette import CLUSTER_COLOURS, INK
from storelib.tables import replacing


def save_png(chart: alt.TopLevelMixin, path: Path) -> None:
    """Draw a chart at twice the screen's resolution, atomically."""
    styled = chart.configure(font="Liberation Sans, Arial, Helvetica, sans-serif", background="white")
    styled = styled.configure_axis(
        labelFontSize=12, titleFontSize=12, labelColor=INK, titleColor=INK, gridColor="#eeeeee"
    )
    styled = styled.configure_title(
        fontSize=15, anchor="start", subtitleFontSize=12, subtitleColor="#555555", offset=12
    )
    styled = styled.configure_view(strokeWidth=0).configure_header(labelFontSize=12, titleFontSize=12)
    # Altair's limit of 5,000 rows is for notebooks.
    with alt.data_transformers.enable("default", max_rows=None):
        specification = styled.to_dict()
    picture = vl_convert.vegalite_to_png(specification, scale=2)
    with replacing(path) as temporary:
        temporary.write_bytes(picture)


def note_chart(title: str, note: str) -> alt.TopLevelMixin:
    """A picture that says why there is none."""
    words = alt.Chart(pd.DataFrame({"note": [note]})).mark_text(fontSize=14, color="#555555", align="left", x=0)
    picture: alt.TopLevelMixin = words.encode(text="note:N").properties(width=560, height=60, title=title)
    return picture


def cluster_colour(clusters: list[int]) -> alt.Scale:
    """One colour per cluster number, the same in every picture."""
    return alt.Scale(domain=clusters, range=[CLUSTER_COLOURS[(c - 1) % len(CLUSTER_COLOURS)] for c in clusters])
