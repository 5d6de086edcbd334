"""A robot behind an `ArmLink` as a Gymnasium environment that never sends what it should not.

`guard.py` decides, arrays in and a verdict out; `env.py` keeps time and asks it; `holding.py` sees
to it that the last thing a robot hears is to hold. Nothing here knows ROS: that is the link's.
"""
