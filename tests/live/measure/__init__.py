"""Measuring programs: what a machine can do, printed as tables. scripts/load, soak and turns start them."""
