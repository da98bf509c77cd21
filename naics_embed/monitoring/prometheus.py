"""The last window as metrics, in the text format that Prometheus collects."""

from naics_embed.monitoring.compare import Monitoring

PREFIX = 'naics_embed_drift'


def prometheus_text(result: Monitoring) -> str:
    """Return the last window as metrics, for the textfile collector of the node exporter."""
    window = result.windows[-1]
    lines = [
        f'# HELP {PREFIX}_rows Coded texts of the last window.',
        f'# TYPE {PREFIX}_rows gauge',
        f'{PREFIX}_rows {window.rows}',
        f'# HELP {PREFIX}_psi Population stability index against the reference.',
        f'# TYPE {PREFIX}_psi gauge',
        *(f'{PREFIX}_psi{{{_label(drift.name)}}} {drift.psi:.6g}' for drift in window.drifts),
        f'# HELP {PREFIX}_alarm 1 where the index is larger than by chance, and large.',
        f'# TYPE {PREFIX}_alarm gauge',
        *(f'{PREFIX}_alarm{{{_label(drift.name)}}} {int(drift.alarm)}' for drift in window.drifts),
    ]
    means = {
        'confidence': window.confidence,
        'familiarity': window.familiarity,
        'unknown_words': window.unknown_words,
        'coded': window.coded,
    }
    for name, value in means.items():
        if value is not None:
            lines += [
                f'# HELP {PREFIX}_{name} Mean of the last window.',
                f'# TYPE {PREFIX}_{name} gauge',
                f'{PREFIX}_{name} {value:.6g}',
            ]
    return '\n'.join(lines) + '\n'


def _label(name: str) -> str:
    return f'quantity="{name}"'
