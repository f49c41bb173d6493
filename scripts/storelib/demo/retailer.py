"""The tables behind the demo: what the planted retailer sells, and what its stores and counties are like.

`make_demo_data` draws from them; the order of each table decides which draw is whose.
"""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Category:
    """A category: its key in the pipeline, its name in the source, and the need states it may have."""

    key: str
    name: str
    need_states: tuple[str, ...]


@dataclass(frozen=True)
class Feature:
    """An external feature: its distribution around one mean per external segment.

    kind: "log" (spread is the standard deviation of the logarithm), "normal" (in the feature's unit) or "count"
    (Poisson, without spread).
    """

    name: str
    kind: str
    means: tuple[float, float, float, float]
    spread: float
    decimals: int


CATEGORIES = (
    Category("beauty", "BEAUTY", (
        "Everyday Hair Care", "Hair Color", "Styling", "Color Cosmetics", "Anti-Aging Skin Care", "Acne Care",
        "Sun Care", "Fragrance & Gifting", "Bath & Body", "Nail Care", "Men's Grooming", "Textured Hair",
        "Lip Care", "Travel Size",
    )),
    Category("cocktails_rtd", "COCKTAILS/RTD", (
        "Hard Seltzer", "Margarita", "Whiskey Highball", "Spritz & Rosé", "Low Calorie", "Zero Proof", "Tropical",
        "Espresso & Dessert", "Hard Tea & Lemonade", "Premium Gifting", "Party & Sharing", "Single Serve",
        "Value Pack", "Canned Wine",
    )),
    Category("health_otc", "Health & Beauty/OTC", (
        "Cough, Cold & Flu", "Pain Relief", "Allergy", "Digestive Health", "Sleep & Calm", "Vitamins", "Immunity",
        "First Aid", "Eye & Ear", "Children's Remedies", "Sports Recovery", "Smoking Cessation", "Diabetes Care",
        "Travel Size",
    )),
    Category("snacks", "SNACKS", (
        "Salty Crunch", "Better for You", "Protein", "Chocolate Treat", "Chewy & Gummy", "Kids' Lunchbox",
        "Nuts & Seeds", "Popcorn", "Jerky", "Cookies", "Party & Sharing", "Spicy", "Crackers & Dips", "On the Go",
    )),
)  # fmt: skip

# Four kinds of place, in this order: urban core, suburb, small town, rural. The share is of stores.
EXTERNAL_SHARES = (0.22, 0.36, 0.26, 0.16)
STORE_FEATURES = (
    Feature("FOOT_TRAFFIC", "log", (11000, 9500, 6000, 3000), 0.25, 0),
    Feature("PARKING_SPACES", "log", (40, 170, 200, 60), 0.30, 0),
    Feature("COMPETITORS_1KM", "count", (9, 5, 2, 0.4), 0, 0),
    Feature("SALES_AREA_SQM", "log", (650, 1300, 850, 550), 0.22, 0),
    Feature("TRANSIT_STOPS_500M", "count", (9, 4, 1.5, 0.2), 0, 0),
    Feature("HIGHWAY_KM", "log", (2.0, 3.0, 5.5, 12.0), 0.30, 1),
    Feature("STORE_AGE_YEARS", "log", (14, 14, 14, 14), 0.40, 0),
)
COUNTY_FEATURES = (
    Feature("MEDIAN_INCOME", "log", (68000, 88000, 54000, 46000), 0.09, 0),
    Feature("POPULATION_DENSITY", "log", (2100, 900, 200, 20), 0.30, 1),
    Feature("MEDIAN_AGE", "normal", (34.0, 38.5, 42.5, 47.5), 1.3, 1),
    Feature("POVERTY_PCT", "normal", (18.5, 8.0, 13.0, 20.0), 1.8, 1),
    Feature("COLLEGE_PCT", "normal", (45.0, 40.0, 25.0, 14.0), 3.5, 1),
    Feature("HOUSEHOLD_SIZE", "normal", (2.20, 2.85, 2.60, 2.30), 0.12, 2),
    Feature("UNEMPLOYMENT_PCT", "normal", (6.4, 3.8, 4.2, 6.8), 0.6, 1),
    Feature("COMMUTE_MINUTES", "normal", (34.0, 29.0, 18.0, 30.0), 2.2, 1),
)

STATES = ("01", "04", "05", "06", "08", "09", "12", "13", "17", "18", "26", "36", "37", "39", "42", "48", "51", "53")
TOWNS = (
    "Ashford", "Brookside", "Cedar Falls", "Dunmore", "Eastgate", "Fairview",
    "Glenwood", "Harbor", "Kingston", "Linden",
)  # fmt: skip
FIRST_WEEK = date(2025, 1, 6)
SEGMENT_COUNTS = (3, 4, 5, 6)
