"""Followers of points. `lucas_kanade` and `dis_flow` need no weights; see docs/segment.md."""
