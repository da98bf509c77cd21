"""Classifications of industries beside NAICS 2022, and the correspondences between them."""
