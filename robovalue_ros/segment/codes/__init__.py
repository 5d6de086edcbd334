"""Code sequences of segments: features, a sequence network, clusters and how good they are."""
