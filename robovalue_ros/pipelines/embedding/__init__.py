"""From clips of many recordings to vectors, each computed once and kept."""
