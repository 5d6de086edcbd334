"""Followed points on disk: one HDF5 file per video, `root/<view>/{tracks,vis}`."""
