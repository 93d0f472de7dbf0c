"""Doubles of the Mac commands that are too long for one script."""
