"""When a term of the objective acts."""

from naics_embed.config.objective import ScheduleConfig


def schedule_factor(schedule: ScheduleConfig, progress: float) -> float:
    """Return the factor on a term's weight, in [0, 1], at a fraction of the run in [0, 1].

    It is 0 outside ``[start, end)``, rises linearly over ``ramp`` and falls over ``fade``. A term
    that ends with the run acts in its last step too.
    """
    if progress < schedule.start or (progress >= schedule.end and schedule.end < 1):
        return 0.0
    rise = 1.0 if not schedule.ramp else min(1.0, (progress - schedule.start) / schedule.ramp)
    fall = 1.0 if not schedule.fade else min(1.0, (schedule.end - progress) / schedule.fade)
    return max(0.0, min(rise, fall))
