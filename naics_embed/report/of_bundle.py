"""The report of a bundle alone: metrics and the table, without the history of its training."""

import numpy as np
import torch

from naics_embed.bundle.storage import Bundle
from naics_embed.config.report import ReportConfig
from naics_embed.errors import ArtifactError
from naics_embed.report.contents import CodeTable, Provenance, RunReport
from naics_embed.taxonomy import Taxonomy

MARKS = 'report'


def report_of_bundle(bundle: Bundle) -> RunReport:
    """Return the report of what a bundle contains."""
    codes = bundle.codes()
    taxonomy = Taxonomy(codes['code'].to_list())
    order = np.argsort(taxonomy.indices(codes['code'].to_list()))
    manifest = bundle.manifest
    facts = {
        'bundle': '/'.join(bundle.path.resolve().parts[-2:]),
        'library': str(manifest.get('library_version', 'not known')),
        'table': str(manifest.get('table', 'not known')),
    }
    return RunReport(
        metrics=bundle.metrics(),
        configuration=manifest.get('configuration', {}),
        provenance=Provenance(manifest.get('source', {}), facts),
        table=CodeTable(
            taxonomy,
            [codes['title'][int(row)] for row in order],
            codes['supervised'].to_numpy()[order],
            torch.from_numpy(bundle.tangents()[order]),
            bundle.space.curvature,
        ),
    )


def marks_of_bundle(bundle: Bundle) -> ReportConfig:
    """Return the marks that the run was judged by.

    Raises:
        ArtifactError: the bundle was exported before there were any.
    """
    marks = bundle.manifest.get('configuration', {}).get(MARKS)
    if marks is None:
        raise ArtifactError(
            f'{bundle.path} was exported by a version without reports; export the table again'
        )
    return ReportConfig(**marks)
