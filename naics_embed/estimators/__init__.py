"""scikit-learn transformers: codes and texts as columns of coordinates."""
