"""Known texts of six codes, with embeddings that are given."""

import numpy as np

from naics_embed.evidence.known_texts import KnownTexts, Linear, index_texts
from naics_embed.evidence.settings import EvidenceSettings

CODES = ('111110', '111120', '337122', '337214', '423210', '449110')
TITLES = (
    'Soybean Farming',
    'Oilseed (except Soybean) Farming',
    'Nonupholstered Wood Household Furniture Manufacturing',
    'Office Furniture (except Wood) Manufacturing',
    'Furniture Merchant Wholesalers',
    'Furniture Retailers',
)
TEXTS = (
    (0, 'Soybean farming, field and seed production'),
    (0, 'We grow soybeans'),
    (1, 'Canola farming'),
    (1, 'Sunflower farming'),
    (2, 'Wood bedroom furniture making'),
    (3, 'Metal desks made for offices'),
    (4, 'Household-type furniture merchant wholesalers'),
    (5, 'Furniture stores'),
    (5, 'Mattress stores'),
)
REFERENCES = (
    ('111120', 'Growing soybeans', ['111110']),
    ('111120', 'Growing soybeans in combination with grains and other things', ['111110']),
    ('449110', 'Establishments primarily engaged in selling to firms', ['423210']),
)


def known_texts() -> KnownTexts:
    """Each code has a direction of its own, in which its texts lie, and one that is its text's."""
    points = np.zeros((len(TEXTS), len(CODES) + len(TEXTS)), dtype=np.float32)
    for row, (label, _) in enumerate(TEXTS):
        points[row, label] = 0.8
        points[row, len(CODES) + row] = 0.6
    linear = Linear(np.zeros((points.shape[1], len(CODES))), np.zeros(len(CODES)))
    return index_texts(
        [text for _, text in TEXTS],
        np.array([label for label, _ in TEXTS]),
        points,
        linear,
        EvidenceSettings(20.0, 4, 1.2, 0.5, 0.4, 2000),
    )
