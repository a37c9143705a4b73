"""Warning about empty training masks."""

from collections.abc import Callable, Iterable, Iterator

import torch


def warn_of_empty_targets(batches: Iterable[dict], num_batches: int, warn: Callable[[str], None]) -> Iterator[dict]:
    """Pass batches on, and warn if there is no foreground in the first ``num_batches``, or none of a level.

    Args:
        batches: with ``pseudo`` (B,L,H,W), or else ``label`` (B,1,H,W).
        warn: called with a message, once.
    """
    found, seen = torch.zeros(1, dtype=torch.bool), 0
    for number, batch in enumerate(batches, start=1):
        # Until foreground is found, usually in the first batch.
        if number <= num_batches and not found.all():
            masks = batch["pseudo"] if "pseudo" in batch else batch["label"]
            found = found | (masks > 0.5).flatten(2).any(dim=2).any(dim=0)
            seen += len(masks)
            if number == num_batches and not found.all():
                levels = ", ".join(str(level) for level, any_ in enumerate(found.tolist(), start=1) if not any_)
                what = f"pseudo-masks of level {levels}" if "pseudo" in batch else "masks"
                advice = "gaze/crf_compat1 and --level_thresholds" if "pseudo" in batch else "masks/"
                warn(f"warning: the {what} of all {seen} images so far are empty: nothing to learn; look at {advice}")
        yield batch
