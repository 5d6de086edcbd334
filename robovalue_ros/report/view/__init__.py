"""A value curve beside the pictures it speaks of: still, video and window."""
