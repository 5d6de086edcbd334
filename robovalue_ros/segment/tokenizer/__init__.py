"""Motion tokens: a few numbers of a code book for how a grid of points moves through a window."""
