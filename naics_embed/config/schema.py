"""The whole configuration: one frozen dataclass a section, checked when it is made.

Values live in ``configs/``; a field without a default must be given there.
"""

from dataclasses import dataclass

from naics_embed.config.atlas import AtlasConfig
from naics_embed.config.batch import BatchConfig
from naics_embed.config.consistency import check_some_term, check_terms
from naics_embed.config.data import DataConfig
from naics_embed.config.evaluation import CoderConfig, EvaluationConfig
from naics_embed.config.learning import LearnSettings
from naics_embed.config.model import BackboneConfig, ConstructionConfig, ModelConfig
from naics_embed.config.monitoring import MonitoringConfig
from naics_embed.config.objective import ObjectiveConfig
from naics_embed.config.platform import PlatformConfig, RuntimeConfig, TrackingConfig
from naics_embed.config.refinement import GraphConfig, PromotionConfig, RegressionConfig
from naics_embed.config.report import ReportConfig
from naics_embed.config.review import ReviewConfig
from naics_embed.config.service import ServiceConfig
from naics_embed.config.training import CurriculumConfig, TrainingConfig
from naics_embed.errors import ConfigError
from naics_embed.evidence.population import PopulationSettings
from naics_embed.evidence.prior_settings import PriorCodeSettings
from naics_embed.supervision.sampling import TripletSettings

LEAF_DEPTH = 5
"""Edges from the virtual root to a six-digit code."""


@dataclass(frozen=True)
class Config:
    """Everything a run depends on."""

    data: DataConfig
    triplets: TripletSettings
    backbone: BackboneConfig
    construction: ConstructionConfig
    model: ModelConfig
    objective: ObjectiveConfig
    curriculum: CurriculumConfig
    training: TrainingConfig
    graph: GraphConfig
    evaluation: EvaluationConfig
    regression: RegressionConfig
    promotion: PromotionConfig
    coder: CoderConfig
    report: ReportConfig
    atlas: AtlasConfig
    batch: BatchConfig
    tracking: TrackingConfig
    runtime: RuntimeConfig
    platform: PlatformConfig
    service: ServiceConfig
    review: ReviewConfig
    monitoring: MonitoringConfig
    prior_codes: PriorCodeSettings
    population: PopulationSettings
    learning: LearnSettings

    def __post_init__(self) -> None:
        # The leaves lie one edge a level from the origin.
        reach = LEAF_DEPTH * self.construction.tau * self.construction.shrink
        if reach >= self.model.r_max:
            raise ConfigError(
                f'model.r_max must be above {reach:g}, where the construction puts the leaves '
                f'(5 edges of construction.tau, times construction.shrink), not {self.model.r_max}'
            )
        check_terms(self.model, self.objective, self.curriculum)
        check_some_term(self.model, self.objective, self.training.head_only)

    def check_pipeline(self) -> None:
        """Raise ConfigError for what a library may do and the whole pipeline cannot."""
        if self.model.geometry != 'lorentz':
            raise ConfigError(
                f'model.geometry={self.model.geometry} is for comparisons only '
                '(benchmarks/ablation.py); the pipeline evaluates and exports the Lorentz geometry'
            )
