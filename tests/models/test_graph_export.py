"""When a network is recorded for images of all sizes."""

import torch

from models.graph_export import crop_or_replicate_pad, is_tracing


def _said(x):
    return x + 1 if is_tracing() else x


class Says(torch.nn.Module):
    def forward(self, x):
        return _said(x)


def test_not_while_it_runs_or_is_compiled_for_training():
    assert not is_tracing()
    assert torch.compile(_said, backend="eager")(torch.zeros(1)) == 0


def test_while_it_is_exported():
    assert torch.export.export(Says(), (torch.zeros(1),)).module()(torch.zeros(1)) == 1


def test_cut_or_repeated_at_the_right_and_bottom():
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert crop_or_replicate_pad(x, 3, 1).tolist() == [[[[1], [3], [3]]]]
    assert crop_or_replicate_pad(x, 1, 4).tolist() == [[[[1, 2, 2, 2]]]]
