"""Bags: told, scored and played back."""
