"""From texts to sentence embeddings and on to points of a Lorentz space."""
