"""The fit of the gate ``source``."""

import numpy as np

from naics_embed.evidence.source_gate import SourceGate


def fit_source_gate(
    embeddings: np.ndarray, features: np.ndarray, labelled: np.ndarray, *, penalty: float = 1.0
) -> SourceGate:
    """Fit the classifier, both sides with the same weight in all.

    Args:
        embeddings: float32 ``(n, width)``.
        features: float32 ``(n, SURFACE)``, of `surface`.
        labelled: bool ``(n,)``, texts of the user.
        penalty: on half the squared weights.
    """
    from scipy.optimize import minimize

    x = np.concatenate([embeddings, features], axis=1)
    counts = np.array([(~labelled).sum(), labelled.sum()], dtype=np.float64)
    # As many pseudo-observations in all as there are texts of the smaller side, twice.
    weight = (counts.min() / counts)[labelled.astype(int)]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        z = (x @ flat[:-1].astype(np.float32)).astype(np.float64) + flat[-1]
        value = weight @ (np.logaddexp(0, z) - labelled * z)
        slope = weight * (np.exp(-np.logaddexp(0, -z)) - labelled)
        gradient = np.append(
            (x.T @ slope.astype(np.float32)).astype(np.float64) + penalty * flat[:-1], slope.sum()
        )
        return float(value + penalty / 2 * flat[:-1] @ flat[:-1]), gradient

    fitted = minimize(
        loss, np.zeros(x.shape[1] + 1), jac=True, method='L-BFGS-B', options={'maxiter': 100}
    )
    return SourceGate(fitted.x[:-1].astype(np.float32), float(fitted.x[-1]))
