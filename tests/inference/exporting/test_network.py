"""While it is recorded, a network takes no branch by an image's size, and computes the same."""

import pytest
import torch

from inference.exporting.network import OUTPUTS, ExportWrapper
from models import Ensemble, basic_unet, build_model, smp_unet

SIZES = [(32, 48), (33, 47), (16, 16), (31, 17)]


def network(name="unet"):
    torch.manual_seed(0)
    arguments = {"features": (4, 8, 8, 8, 8, 4), "encoder": "resnet18"}
    return build_model(name, in_channels=1, num_levels=2, **arguments).eval()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["unet", "smp-unet"])
def test_the_recorded_way_gives_the_same_bits(name, size, monkeypatch):
    model, x = network(name), torch.randn(2, 1, *size)
    with torch.inference_mode():
        expected = model(x)["level_logits"]
        monkeypatch.setattr(basic_unet, "is_tracing", lambda: True)
        monkeypatch.setattr(smp_unet, "is_tracing", lambda: True)
        assert torch.equal(model(x)["level_logits"], expected)


def test_the_outputs_by_name_and_in_order():
    outputs = ExportWrapper(Ensemble([network()]))(torch.randn(3, 1, 32, 16))
    assert tuple(outputs) == OUTPUTS
    assert [tuple(value.shape) for value in outputs.values()] == [(3, 1, 32, 16), (2, 3, 1, 32, 16), (3, 1, 32, 16)]
    assert torch.equal(outputs["probability"], outputs["logits"].sigmoid())
