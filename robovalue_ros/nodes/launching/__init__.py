"""What the launch files are made of: arguments from configuration dataclasses, and processes."""
