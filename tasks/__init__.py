"""Stages: read inputs, call one library function, persist, log."""
