"""Measures what sampling plans are worth to a small policy on the embedded simulator."""
