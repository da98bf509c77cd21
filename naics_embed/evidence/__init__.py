"""Evidence for a code beside the distance, and its fusion to one probability."""
