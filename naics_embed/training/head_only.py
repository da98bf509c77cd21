"""The epochs on frozen embeddings that come before the adapters', or in place of them."""

from dataclasses import replace

from naics_embed.training.inputs import TextSettings


def head_only_epochs(settings: TextSettings, queries: int) -> int:
    """Return how many epochs on frozen embeddings come first, for a number of training queries."""
    head_only = settings.training.head_only
    if settings.model.mode == 'frozen' or not head_only.epochs:
        return 0
    steps = -(-queries // head_only.batch)
    # Only whole rounds, so that the last epoch is validated.
    rounds = -(
        -max(head_only.epochs, -(-head_only.least_steps // steps)) // head_only.validate_every
    )
    return rounds * head_only.validate_every


def planned_epochs(settings: TextSettings, queries: int) -> int:
    """Return how many epochs a training on a number of queries has, both kinds together."""
    head_only = head_only_epochs(settings, queries)
    return head_only if heads_only(settings, queries) else head_only + settings.training.epochs


def head_only_fraction(settings: TextSettings, queries: int) -> float:
    """Return the fraction of the run that the head-only epochs are; 0 where they are all of it."""
    head_only = 0 if heads_only(settings, queries) else head_only_epochs(settings, queries)
    return head_only / (head_only + settings.training.epochs)


def heads_only(settings: TextSettings, queries: int) -> bool:
    """Whether so few queries train heads and codes alone."""
    few = queries < settings.training.head_only.only_below
    return few and head_only_epochs(settings, queries) > 0


def head_only_settings(settings: TextSettings, epochs: int) -> TextSettings:
    """Return the settings of the epochs that train heads and codes on frozen embeddings."""
    head_only = settings.training.head_only
    training = replace(
        settings.training,
        epochs=epochs,
        batch=head_only.batch,
        lr_head=head_only.lr_head,
        lr_table=head_only.lr_table,
        lr_temperature=head_only.lr_temperature,
        patience=head_only.patience,
        accumulate=1,
    )
    model = replace(
        settings.model,
        mode='frozen',
        embedding_dropout=head_only.embedding_dropout,
        embedding_noise=head_only.embedding_noise,
    )
    term = replace(settings.objective.distillation, weight=head_only.distillation)
    objective = replace(settings.objective, distillation=term)
    return replace(settings, model=model, training=training, objective=objective)
