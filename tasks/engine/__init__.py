"""How stages are declared, computed, cached, locked and logged."""
