"""What the fast code is compared with: the same numbers the way one would first write it."""
