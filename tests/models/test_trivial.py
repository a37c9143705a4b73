import torch

from models.trivial import everything, mean_map


def test_everything_is_foreground():
    outputs = everything(4)(torch.zeros(2, 3, 4, 4))
    assert outputs["logits"].shape == (2, 1, 4, 4)
    assert outputs["level_logits"].shape == (1, 2, 1, 4, 4)
    assert (outputs["logits"] > 0).all()


def test_the_mean_map_keeps_what_most_masks_share():
    # Shares 1, 2/3, 1/3, 0: the first two pixels give the best mean Dice, (1 + 1 + 2/3) / 3.
    masks = torch.tensor([[[1, 1, 0, 0]], [[1, 1, 0, 0]], [[1, 0, 1, 0]]])
    prediction = mean_map(masks)(torch.zeros(1, 3, 1, 4))["logits"][0, 0] > 0
    assert prediction.tolist() == [[True, True, False, False]]
