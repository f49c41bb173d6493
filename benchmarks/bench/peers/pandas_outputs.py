"""What people are shown of segments, as an analyst would write it: pictures, profiles, rules, workbooks and a report.

The same kinds of output that the whole pipeline makes: four pictures of each view, how stable its clusters are under refits, what sets
each segment apart and a tree of rules with its accuracy on other stores, one workbook of each category and one of all stores,
segments of the chain, and a page with all tables and pictures. No names of segments, no maps, no captions, no languages.
"""

import base64
import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, davies_bouldin_score
from sklearn.model_selection import KFold, cross_val_score
from sklearn.tree import DecisionTreeClassifier, export_text

if TYPE_CHECKING:
    from pandas_script import View

mpl.use("agg")
REFITS = 20
DPI = 150


@dataclass
class Outputs:
    """Files for people below a folder, and what the report says of them."""

    out: Path
    parts: list[str] = field(default_factory=list)

    def add_view(self, name: str, view: "View", table: pd.DataFrame) -> None:
        """Pictures and stability of a view. table: what its stores are like, in words."""
        self.parts.append(f"<h2>{html.escape(name)}</h2>")
        self.draw_scores(name, view)
        self.draw_silhouettes(name, view)
        self.draw_stores(name, view)
        means = table.groupby(view.labels).mean()
        self.draw_profile(name, (means - table.mean()) / table.std())
        self.parts.append(profile_of(table, view.labels).round(4).to_html())
        self.parts.append(f"<p>Agreement of {REFITS} refits: {stability(view):.3f}</p>")

    def draw_scores(self, name: str, view: "View") -> None:
        """Three indices by number of clusters."""
        indices = {
            "silhouette": view.scores,
            "Calinski-Harabasz": {k: calinski_harabasz_score(view.points, found) for k, found in view.every.items()},
            "Davies-Bouldin": {k: davies_bouldin_score(view.points, found) for k, found in view.every.items()},
        }
        figure, axes = plt.subplots(1, 3, figsize=(12, 4))
        for one, (title, values) in zip(axes, indices.items(), strict=True):
            one.plot(list(values), list(values.values()), marker="o")
            one.set(title=title, xlabel="clusters")
        self.save(figure, "k_scores", name)

    def draw_silhouettes(self, name: str, view: "View") -> None:
        """Silhouettes of the stores, by cluster, in order."""
        figure, axes = plt.subplots(figsize=(7, 6))
        begin = 0
        for cluster in np.unique(view.labels):
            values = np.sort(view.silhouettes[view.labels[view.rows] == cluster])
            axes.fill_betweenx(np.arange(begin, begin + len(values)), 0, values, label=str(cluster))
            begin += len(values)
        axes.axvline(view.silhouettes.mean(), color="black")
        axes.set(xlabel="silhouette", ylabel="stores")
        axes.legend(title="cluster")
        self.save(figure, "silhouettes", name)

    def draw_stores(self, name: str, view: "View") -> None:
        """Stores on two principal components."""
        figure, axes = plt.subplots(figsize=(7, 6))
        places = PCA(2).fit_transform(view.points)
        for cluster in np.unique(view.labels):
            own = view.labels == cluster
            axes.scatter(*places[own].T, s=8, label=str(cluster))
        axes.set(xlabel="first component", ylabel="second component")
        axes.legend(title="cluster")
        self.save(figure, "stores", name)

    def draw_profile(self, name: str, scores: pd.DataFrame) -> None:
        """How far each cluster's mean of each feature is from all stores', with the numbers."""
        figure, axes = plt.subplots(figsize=(8, 0.25 * scores.shape[1] + 2))
        axes.imshow(scores.T, aspect="auto", cmap="RdBu_r", vmin=-2, vmax=2)
        axes.set_xticks(range(len(scores)), scores.index)
        axes.set_yticks(range(scores.shape[1]), scores.columns, fontsize=7)
        for row, column in np.ndindex(scores.shape):
            axes.text(row, column, f"{scores.iloc[row, column]:.1f}", ha="center", va="center", fontsize=6)
        self.save(figure, "profile", name)

    def save(self, figure: Figure, kind: str, name: str) -> None:
        """A picture as a file and in the report."""
        path = self.out / "figures" / kind / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.tight_layout()
        figure.savefig(path, dpi=DPI)
        plt.close(figure)
        content = base64.b64encode(path.read_bytes()).decode()
        self.parts.append(f'<img src="data:image/png;base64,{content}" alt="{html.escape(f"{kind} of {name}")}">')

    def add_category(
        self, name: str, found: pd.DataFrame, shares: pd.DataFrame, external: pd.DataFrame, sales: pd.DataFrame
    ) -> None:
        """What sets segments apart, rules that tell them, and a workbook. found: labels by store."""
        features = shares.join(external).loc[found.index].fillna(0)
        profile = profile_of(features, found["segment"].to_numpy())
        tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=5, random_state=1)
        accuracy = cross_val_score(tree, features, found["segment"], cv=KFold(5, shuffle=True, random_state=1)).mean()
        rules = export_text(tree.fit(features, found["segment"]), feature_names=list(features.columns))
        self.parts += [profile.round(4).to_html(), f"<pre>{html.escape(rules)}</pre><p>Right: {accuracy:.3f}</p>"]
        amounts = sales.groupby("store_id")["sales"].sum()
        stores = found.assign(sales=amounts.reindex(found.index)).reset_index()
        summary = stores.groupby("segment")["sales"].agg(["size", "sum"]).reset_index()
        path = self.out / "workbooks" / f"{name}.xlsx"
        path.parent.mkdir(parents=True, exist_ok=True)
        sheets = {"Assignments": stores, "Segments": summary, "Profile": profile.reset_index()}
        sheets["Need-state sales"] = sales.groupby("need_state", as_index=False)["sales"].sum()
        write_workbook(path, sheets)

    def add_chain(self, stores: pd.Index, view: "View") -> None:
        """One segment of each store over all categories."""
        chain = pd.DataFrame({"store_id": stores, "segment": view.labels})
        chain.to_csv(self.out / "chain_segments.csv", index=False)
        self.parts.append(chain["segment"].value_counts().to_frame().to_html())

    def write_report(self, segments: pd.DataFrame) -> None:
        """All stores as a workbook, and the page."""
        sizes = segments.groupby(["category", "segment"]).size().rename("stores").reset_index()
        write_workbook(self.out / "segments.xlsx", {"Stores": segments, "Segments": sizes})
        figure, axes = plt.subplots(figsize=(9, 5))
        sizes.pivot(index="category", columns="segment", values="stores").plot.bar(stacked=True, ax=axes, legend=False)
        self.save(figure, "sizes", "segments")
        page = "\n".join(["<!doctype html><title>Segments</title>", sizes.to_html(), *self.parts])
        (self.out / "report.html").write_text(page, encoding="utf-8")


def stability(view: "View") -> float:
    """Mean agreement of the clusters with those of samples of the stores, drawn with replacement."""
    draw = np.random.default_rng(1)
    centres = pd.DataFrame(view.points).groupby(view.labels).mean().to_numpy()
    agreements = []
    for _ in range(REFITS):
        rows = draw.integers(len(view.points), size=len(view.points))
        model = KMeans(len(centres), init=centres, n_init=1).fit(view.points[rows])
        agreements.append(adjusted_rand_score(view.labels, model.predict(view.points)))
    return float(np.mean(agreements))


def profile_of(table: pd.DataFrame, labels: np.ndarray) -> pd.DataFrame:
    """Of each feature and group the mean, the median, the mean against all stores, and how far apart in standard deviations."""
    parts = []
    for label in np.unique(labels):
        own, others = table[labels == label], table[labels != label]
        spread = np.sqrt((own.var() + others.var()) / 2)
        parts.append(
            pd.DataFrame(
                {
                    "mean": own.mean(),
                    "median": own.median(),
                    "index": 100 * own.mean() / table.mean(),
                    "effect": (own.mean() - others.mean()) / spread.where(spread > 0),
                }
            ).assign(group=label)
        )
    return pd.concat(parts).rename_axis("feature").set_index("group", append=True)


def write_workbook(path: Path, sheets: dict[str, pd.DataFrame]) -> None:
    """Tables as sheets, with heads that stay and columns wide enough."""
    with pd.ExcelWriter(path, engine="xlsxwriter") as book:
        for name, table in sheets.items():
            table.to_excel(book, sheet_name=name, index=False, freeze_panes=(1, 0))
            book.sheets[name].autofit()
