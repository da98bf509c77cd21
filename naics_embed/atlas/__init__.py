"""The atlas: the table of codes drawn in the Poincaré disk."""
