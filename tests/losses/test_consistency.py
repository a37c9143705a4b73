import numpy as np
import pytest
import torch

from losses.consistency import multi_level_consistency


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_golden_values_and_gradients(golden, levels):
    data = np.load(golden / f"consistency_{levels}.npz")
    logits = torch.tensor(data["logits"], requires_grad=True)
    pure = multi_level_consistency(logits, logits)
    pure.sum().backward()
    np.testing.assert_allclose(pure.detach(), data["pure"], rtol=1e-5)
    np.testing.assert_allclose(logits.grad, data["pure_grad"], rtol=1e-5, atol=1e-8)

    logits = torch.tensor(data["logits"], requires_grad=True)
    propagated = torch.tensor(data["logits_prop"], requires_grad=True)
    prop = multi_level_consistency(logits, propagated)
    prop.sum().backward()
    np.testing.assert_allclose(prop.detach(), data["prop"], rtol=1e-5)
    np.testing.assert_allclose(propagated.grad, data["prop_grad"], rtol=1e-5, atol=1e-8)
    assert (logits.grad is not None) == bool(data["prop_grad_reaches_logits"].any())


def test_two_levels_one_pixel_by_hand():
    level_logits = torch.tensor([0.0, np.log(3)]).reshape(2, 1, 1, 1, 1)  # 1/2 and 3/4
    propagated = torch.tensor([np.log(9), 0.0]).reshape(2, 1, 1, 1, 1)  # 9/10 and 1/2
    found = multi_level_consistency(level_logits, propagated)
    torch.testing.assert_close(found, torch.tensor([-(0.9 * 0.75 + 0.1 * 0.25), -0.5]).to(found.dtype))


def test_certain_agreement_is_minus_one_and_one_level_is_zero():
    certain = torch.full((3, 1, 1, 2, 2), 50.0)
    torch.testing.assert_close(multi_level_consistency(certain, certain), torch.full((3,), -1.0))
    assert multi_level_consistency(certain[:1], certain[:1]).tolist() == [0.0]


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match="equal shapes"):
        multi_level_consistency(torch.zeros(2, 1, 1, 2, 2), torch.zeros(3, 1, 1, 2, 2))
