"""Draw the worlds of worlds.csv. Run once: drawing others afterwards would unfreeze the benchmark.

usage: python benchmarks/planted_worlds/draw_worlds.py > benchmarks/planted_worlds/worlds.csv
"""

import csv
import sys
from dataclasses import asdict, fields

import numpy as np
from worlds import World, make

# Segments of each view, by world: every number from 1 to 8, and enough worlds of one segment to measure false alarms.
SEGMENTS = (1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 4, 5, 6, 1, 2, 4, 5, 3, 7, 1)
WORLDS_PER_PURPOSE = 60
SEEDS = {"tuning": 1000, "final": 5000}


def draw(purpose: str, number: int) -> World:
    """One world's row; its own seed decides everything."""
    for attempt in range(100):
        seed = SEEDS[purpose] + 10 * number + 1000 * attempt * 10
        rng = np.random.default_rng(seed)
        stores = int(rng.choice([150, 300, 600, 1000, 2000, 4000], p=[0.15, 0.2, 0.25, 0.2, 0.15, 0.05]))
        world = World(
            name=f"{purpose}_{number:02d}",
            purpose=purpose,
            seed=seed,
            stores=stores,
            sizes=float(rng.choice([1.0, 3.0, 20.0])),
            smallest=0.08 if stores < 300 else 0.04,
            tails=str(rng.choice(["normal", "heavy"], p=[0.75, 0.25])),
            segments=SEGMENTS[number % len(SEGMENTS)],
            need_states=int(rng.integers(6, 19)),
            distance=round(float(rng.uniform(0.2, 0.5)), 2),
            concentration=round(float(np.exp(rng.uniform(np.log(15), np.log(200)))), 0),
            absent=float(rng.choice([0.0, 0.15, 0.3])),
            lines=int(rng.choice([25, 60, 130, 400])),
            strangers=float(rng.choice([0.0, 0.01, 0.02])),
            external_segments=SEGMENTS[(7 * number + 3) % len(SEGMENTS)],
            features=int(rng.integers(5, 19)),
            informative=float(rng.choice([0.5, 0.75, 1.0])),
            separation=round(float(rng.uniform(1.2, 4.0)), 1),
            correlation=float(rng.choice([0.0, 0.2, 0.4])),
            skewed=float(rng.choice([0.0, 0.3, 0.6])),
            missing=float(rng.choice([0.0, 0.03, 0.06])),
            dirt=float(rng.choice([0.0, 0.01, 0.02])),
            association=float(rng.choice([0.0, 0.3, 0.8])),
        )
        try:
            make(world)
        except ValueError:
            continue
        return world
    raise ValueError(f"{purpose} {number}: no world can be made")


if __name__ == "__main__":
    writer = csv.DictWriter(sys.stdout, [field.name for field in fields(World)], lineterminator="\n")
    writer.writeheader()
    for purpose in SEEDS:
        for number in range(WORLDS_PER_PURPOSE):
            writer.writerow(asdict(draw(purpose, number)))
