"""When a network is recorded for images of all sizes."""

import io
import itertools

import torch
from timm.layers import Conv2dSame, padding

from models.graph_export import crop_or_replicate_pad, integer_same_padding, is_tracing


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


def test_timms_padding_is_the_same_in_whole_numbers_and_can_be_saved():
    timms = padding.get_same_padding
    with integer_same_padding():
        for size, *rest in itertools.product(range(1, 30), range(1, 8), range(1, 5), range(1, 4)):
            assert padding.get_same_padding(size, *rest) == timms(size, *rest)
        axes = {"x": {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}}
        program = torch.export.export(Conv2dSame(1, 1, 3, stride=2), (torch.zeros(1, 1, 9, 8),), dynamic_shapes=axes)
    torch.export.save(program, io.BytesIO())
    assert padding.get_same_padding is timms and program.module()(torch.zeros(1, 1, 6, 7)).shape == (1, 1, 3, 4)
