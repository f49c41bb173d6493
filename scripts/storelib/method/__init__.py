"""From points to clusters: features, indices, rules for k, labels, agreement and profiles."""
