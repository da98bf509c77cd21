"""Finding codes for texts, by distance in the Lorentz space."""
