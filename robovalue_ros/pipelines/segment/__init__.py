"""Cutting videos into actions, and what belongs to it: one file for each use."""
