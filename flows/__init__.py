"""Flows: compositions of stages."""
