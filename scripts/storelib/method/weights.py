"""Weights of features as they stand in params.yaml: a list such as `[floor_area=0.5, census.income=2]`."""

from collections.abc import Sequence

from storelib.errors import ConfigError, nearest_name, shown

LARGEST = 1_000_000.0


def weight_of(text: str) -> tuple[str, float]:
    """Name and weight. Raises ValueError where a text is none such, or the weight is not from 0 to LARGEST."""
    name, equals, number = text.rpartition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = -1.0
    # A program takes a leading dash for a flag, and DVC shortens `\${`. Not a number is in no range.
    if not name or not equals or name.startswith("-") or "\\${" in name or not 0 <= weight <= LARGEST:
        raise ValueError(f"a feature and its weight from 0 to {LARGEST:.0f}, such as income=2, is expected")
    return name, weight


def weights_of(texts: Sequence[str], features: Sequence[str]) -> list[float]:
    """The weight of each feature, 1 where none is given.

    texts: a feature of a source may be called by its column alone, `income` for `census.income`, where no other is called so.
    Raises ConfigError for a name that is no feature's, or of several, and for a feature that is named twice.
    """
    weights = dict.fromkeys(features, 1.0)
    named = set()
    for text in texts:
        name, weight = weight_of(text)
        meant = [name] if name in weights else [feature for feature in features if feature.partition(".")[2] == name]
        if len(meant) != 1:
            columns = [feature.partition(".")[2] or feature for feature in features]
            among = f", but {' and '.join(map(shown, meant))}" if meant else nearest_name(name, {*features, *columns})
            raise ConfigError(
                f"feature_weights: {shown(name)} is no feature of this view{among}; features: {', '.join(features[:30])}",
                solution="mend the name under build_features in params.yaml",
            )
        if meant[0] in named:
            raise ConfigError(
                f"feature_weights: feature {shown(meant[0])} has two weights", solution="delete one in params.yaml"
            )
        named.add(meant[0])
        weights[meant[0]] = weight
    return list(weights.values())
