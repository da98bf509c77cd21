"""The epochs on frozen embeddings that come before the adapters', or in place of them."""

from dataclasses import replace

from naics_embed.training.inputs import TextSettings


def warm_epochs(settings: TextSettings, queries: int) -> int:
    """Return how many epochs on frozen embeddings come first, for a number of training queries."""
    warm = settings.training.warm
    if settings.model.mode == 'frozen' or not warm.epochs:
        return 0
    steps = -(-queries // warm.batch)
    # Only whole rounds, so that the last epoch is validated.
    rounds = -(-max(warm.epochs, -(-warm.least_steps // steps)) // warm.validate_every)
    return rounds * warm.validate_every


def planned_epochs(settings: TextSettings, queries: int) -> int:
    """Return how many epochs a training on a number of queries has, both kinds together."""
    warm = warm_epochs(settings, queries)
    return warm if heads_only(settings, queries) else warm + settings.training.epochs


def warm_share(settings: TextSettings, queries: int) -> float:
    """Return the share of the run that the warm epochs are; 0 where they are all of it."""
    warm = 0 if heads_only(settings, queries) else warm_epochs(settings, queries)
    return warm / (warm + settings.training.epochs)


def heads_only(settings: TextSettings, queries: int) -> bool:
    """Whether so few queries train heads and codes alone."""
    few = queries < settings.training.warm.only_below
    return few and warm_epochs(settings, queries) > 0


def warm_settings(settings: TextSettings, epochs: int) -> TextSettings:
    """Return the settings of the epochs that train heads and codes on frozen embeddings."""
    warm = settings.training.warm
    training = replace(
        settings.training,
        epochs=epochs,
        batch=warm.batch,
        lr_head=warm.lr_head,
        lr_table=warm.lr_table,
        lr_temperature=warm.lr_temperature,
        patience=warm.patience,
        accumulate=1,
    )
    model = replace(
        settings.model,
        mode='frozen',
        embedding_dropout=warm.embedding_dropout,
        embedding_noise=warm.embedding_noise,
    )
    term = replace(settings.objective.distillation, weight=warm.distillation)
    objective = replace(settings.objective, distillation=term)
    return replace(settings, model=model, training=training, objective=objective)
