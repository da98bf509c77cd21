"""What the tree teaches: kinship and distance of all pairs of codes, and training triplets."""
