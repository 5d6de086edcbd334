"""Sampling plans of data sets: built, verified, looked at, and the statistics beside them."""
