"""Systems to compare a trained model with: texts with labels in, scores of classes out.

Each is a deterministic function that fits on training texts or their frozen embeddings and
returns float32 ``(queries, n_classes)`` scores, higher is better, −inf for a class without
training text. Ties are left to the metrics. To score several sets of queries, stack them into one
call: the fit is the costly part.
"""
