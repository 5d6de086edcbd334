"""How well the segmenter finds the steps of the embedded simulator: `make bench-segment`."""
