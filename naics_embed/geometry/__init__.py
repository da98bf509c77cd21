"""Hyperbolic geometry in the Lorentz model: points, distances, cones and trees."""
