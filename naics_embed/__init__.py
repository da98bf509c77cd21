"""Industry codes and business descriptions as points of one hyperbolic space."""

__version__ = '0.1.0'
