"""Dividing an amount exactly."""

from collections.abc import Sequence


def allot(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` in parts that are in proportion to the weights and add up to it exactly.

    Each part is cut down to whole nano-dollars; those that lost most by that get one of what is left. Of equals the
    earlier comes first. Weights are not negative; if all are zero, the parts are equal. Raises ValueError without any.
    """
    if not weights:
        message = "there is nobody to allot to"
        raise ValueError(message)
    total = sum(weights)
    if total == 0:
        return allot(amount, [1] * len(weights))
    sign = -1 if amount < 0 else 1
    parts, remainders = [], []
    for weight in weights:
        part, remainder = divmod(abs(amount) * weight, total)
        parts.append(part)
        remainders.append(remainder)
    left = abs(amount) - sum(parts)
    for place in sorted(range(len(weights)), key=lambda place: (-remainders[place], place))[:left]:
        parts[place] += 1
    return [sign * part for part in parts]
