"""The codes' probabilities follow those of a linear classifier (Hinton et al. 2015).

A classifier of frozen texts that starts at the class means gives every industry a probability,
where a label names one only. It is evaluated between texts too, at convex combinations of them
(mixup, Zhang et al. 2018): no label exists there, and its predictions carry over to texts that are
written otherwise.
"""

import torch
from torch import Tensor, nn


def distillation(distances: Tensor, teacher_logits: Tensor, temperature: Tensor | float) -> Tensor:
    """Mean Kullback–Leibler divergence of softmax(−temperature · distance) from the teacher's.

    Args:
        distances: ``(b, k)`` geodesic distances from texts to the candidates.
        teacher_logits: ``(b, k)`` of the same candidates, without gradient.
        temperature: factor on the distance, > 0.

    Returns:
        scalar loss, 0 where both agree.
    """
    log_probability = nn.functional.log_softmax(-temperature * distances, dim=-1)
    target_log_probability = nn.functional.log_softmax(
        teacher_logits.to(log_probability.dtype), dim=-1
    )
    return nn.functional.kl_div(
        log_probability, target_log_probability, reduction='batchmean', log_target=True
    )


def mix_texts(
    embeddings: Tensor, frozen: Tensor, fraction: float, noise: float
) -> tuple[Tensor, ...]:
    """Mix each text with another of the batch, alike for student and teacher.

    Args:
        embeddings: ``(b, width)`` unit embeddings as the student has them.
        frozen: ``(b, width)`` those of the same texts from the frozen backbone.
        fraction: largest fraction of the other text; the fraction of each is uniform below it.
        noise: expected length of a Gaussian that is added to both.

    Returns:
        The mixed unit embeddings of both, ``(b, width)`` each.
    """
    count, width = embeddings.shape
    other = torch.randperm(count, device=embeddings.device)
    part = torch.rand(count, 1, device=embeddings.device) * fraction
    moved = torch.randn(count, width, device=embeddings.device) * (noise / width**0.5)
    return tuple(
        nn.functional.normalize(torch.lerp(x.float(), x[other].float(), part) + moved, dim=-1)
        for x in (embeddings, frozen)
    )
