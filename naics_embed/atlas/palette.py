"""Colours of the twenty sectors, for a light and for a dark ground.

Found by annealing the least distance between any two, in OKLab (Ottosson 2020), over ordinary
vision and the three kinds of dichromacy (Machado et al. 2009); sectors that stand side by side on
the circle differ most. Both colours of a sector have about one hue. Twenty colours cannot all be
distinguished by everybody: numbers on the rim, labels and the legend say the sector as well.
"""

SECTOR_COLOURS: dict[str, tuple[str, str]] = {
    '11': ('#be1253', '#fa979d'),
    '21': ('#b668c8', '#c34fc2'),
    '22': ('#001496', '#a7b9d1'),
    '23': ('#656024', '#d6b603'),
    '31': ('#91307f', '#fde2f6'),
    '42': ('#2191e7', '#377fbd'),
    '44': ('#4721d0', '#795de7'),
    '48': ('#335123', '#75a322'),
    '51': ('#3862c4', '#4992f2'),
    '52': ('#998f29', '#fedd4d'),
    '53': ('#726da1', '#cbcfec'),
    '54': ('#592a47', '#e72395'),
    '55': ('#620c01', '#c55123'),
    '56': ('#a148f1', '#8a6c9d'),
    '61': ('#808ca5', '#90a6f7'),
    '62': ('#4b9077', '#6cfeb9'),
    '71': ('#460672', '#deadfd'),
    '72': ('#9f6700', '#be9766'),
    '81': ('#f92570', '#e1627f'),
    '92': ('#6c20a9', '#a798b1'),
}
"""Sector → (on light, on dark); contrast with the disk is at least 3 to 1."""

OTHER = ('#596275', '#9ba5b8')
"""For a sector that is not one of NAICS 2022."""
