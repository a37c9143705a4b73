import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from models import propagation_torch
from models.propagation import propagate


def plain_formula(key, value, kernel_size, dilation):
    """The definition, pixel by pixel."""
    _, height, width = key.shape
    steps = [dilation * i for i in range(-(kernel_size // 2), kernel_size // 2 + 1)]
    out = torch.zeros_like(value)
    for y in range(height):
        for x in range(width):
            weights, values = [], []
            for dy in steps:
                for dx in steps:
                    inside = 0 <= y + dy < height and 0 <= x + dx < width
                    similarity = (
                        torch.dot(key[:, y, x], key[:, y + dy, x + dx]).clamp(min=0) if inside else key.new_tensor(0)
                    )
                    weights.append(similarity)
                    values.append(value[:, y + dy, x + dx] if inside else torch.zeros_like(value[:, 0, 0]))
            shares = torch.stack(weights).softmax(0)
            out[:, y, x] = sum(share * v for share, v in zip(shares, values, strict=True))
    return out


def two_unfolds(key, value, kernel_size, dilation):
    """The definition with every neighbour copied, (B,D,H,W)."""
    (batch, _, height, width), margin = key.shape, kernel_size // 2 * dilation

    def neighbours(x):
        return F.unfold(x, kernel_size, dilation, margin).view(batch, x.shape[1], -1, height, width)

    similarity = (key[:, :, None] * neighbours(key)).sum(1).clamp(min=0)
    return (similarity.softmax(1)[:, None] * neighbours(value)).sum(2)


def value_and_gradients(function, key, value, grad_out, **window):
    key, value = key.detach().requires_grad_(), value.detach().requires_grad_()
    out = function(key, value, **window)
    return out.detach(), *torch.autograd.grad(out, (key, value), grad_out)


def random_tensors(batch, channels, depth, height, width):
    torch.manual_seed(0)
    return [torch.randn(batch, n, height, width) for n in (channels, depth, depth)]


def assert_close_to_scale(found, exact, tolerance):
    for a, b in zip(found, exact, strict=True):
        assert (a - b).abs().max() <= tolerance * b.abs().max()


def test_golden_output_and_gradient(golden):
    data = np.load(golden / "propagation.npz")
    feature = torch.tensor(data["feature"], requires_grad=True)
    out = propagate(feature, feature)
    out.backward(torch.tensor(data["upstream"]))
    np.testing.assert_allclose(out.detach().numpy(), data["out"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(feature.grad.numpy(), data["grad"], rtol=1e-5, atol=3e-5)


def test_two_pixels_by_hand():
    # Window 3, dilation 1 on a 1x2 image: centre, one neighbour, seven places outside with weight exp(0).
    feature = torch.tensor([[[[1.0, 2.0]]]])
    left = (math.exp(1) * 1 + math.exp(2) * 2) / (math.exp(1) + math.exp(2) + 7)
    right = (math.exp(4) * 2 + math.exp(2) * 1) / (math.exp(4) + math.exp(2) + 7)
    out = propagate(feature, feature, kernel_size=3, dilation=1)
    torch.testing.assert_close(out, torch.tensor([[[[left, right]]]]))


def test_a_negative_similarity_counts_as_none():
    feature = torch.tensor([[[[1.0, -2.0]]]])
    left = (math.exp(1) * 1 + math.exp(0) * -2) / (math.exp(1) + 8)
    out = propagate(feature, feature, kernel_size=3, dilation=1)
    assert out[0, 0, 0, 0].item() == pytest.approx(left)


@pytest.mark.parametrize(("kernel_size", "dilation"), [(1, 1), (3, 1), (5, 2), (3, 4), (5, 9)])
def test_equals_the_plain_formula_even_where_the_window_leaves_the_image(kernel_size, dilation):
    torch.manual_seed(0)
    feature = torch.randn(3, 6, 5, dtype=torch.float64)
    out = propagate(feature[None], feature[None], kernel_size=kernel_size, dilation=dilation)[0]
    torch.testing.assert_close(out, plain_formula(feature, feature, kernel_size, dilation))


# Blocks of all rows, of a few, and of a single one, which the window's reach exceeds.
@pytest.mark.parametrize("block_entries", [2**20, 8 * 4 * 20, 1])
@pytest.mark.parametrize(("kernel_size", "dilation", "depth"), [(5, 2, 1), (5, 2, 8), (3, 3, 2), (5, 9, 1), (1, 1, 2)])
def test_blocks_of_any_height_give_the_two_unfolds(monkeypatch, block_entries, kernel_size, dilation, depth):
    monkeypatch.setattr(propagation_torch, "BLOCK_ENTRIES", block_entries)
    tensors = random_tensors(2, 8, depth, 13, 12)
    window = {"kernel_size": kernel_size, "dilation": dilation}
    exact = value_and_gradients(two_unfolds, *(x.double() for x in tensors), **window)
    assert_close_to_scale(value_and_gradients(propagate, *(x.double() for x in tensors), **window), exact, 1e-13)
    assert_close_to_scale(value_and_gradients(propagate, *tensors, **window), exact, 2e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_half_types_lose_nothing_but_the_last_rounding(dtype, memory_format):
    tensors = [x.div(4).to(dtype).to(memory_format=memory_format) for x in random_tensors(2, 64, 2, 9, 10)]
    window = {"kernel_size": 5, "dilation": 2}
    exact = value_and_gradients(two_unfolds, *(x.double() for x in tensors), **window)
    found = value_and_gradients(propagate, *tensors, **window)
    assert all(x.dtype == dtype for x in found)
    # Half a step of the type, and what sums of float32 lose.
    assert_close_to_scale(found, exact, 0.5 * torch.finfo(dtype).eps + 2e-6)


def test_a_value_may_be_of_another_type_than_the_key():
    key, value, grad_out = random_tensors(1, 4, 1, 5, 6)
    exact = value_and_gradients(propagate, key.bfloat16().float(), value, grad_out)
    found = value_and_gradients(propagate, key.bfloat16(), value, grad_out)
    assert [x.dtype for x in found] == [torch.float32, torch.bfloat16, torch.float32]
    assert_close_to_scale(found, exact, torch.finfo(torch.bfloat16).eps)


def test_a_nan_is_not_rectified_away():
    feature = torch.ones(1, 1, 1, 4)
    feature[..., 0] = math.nan
    out = propagate(feature, feature, kernel_size=3, dilation=1)
    assert out.isnan().flatten().tolist() == [True, True, False, False]


def test_no_images_give_no_output():
    assert propagate(*[torch.zeros(0, 3, 4, 4)] * 2).shape == (0, 3, 4, 4)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_gradients_of_key_and_value(similarity):
    torch.manual_seed(0)
    key = torch.randn(2, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    value = torch.randn(2, 1, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda k, v: propagate(k, v, similarity=similarity), (key, value))


def test_cosine_ignores_the_length_of_the_keys():
    torch.manual_seed(0)
    key, value = torch.randn(1, 4, 7, 7), torch.randn(1, 2, 7, 7)
    scaled = key * torch.rand(1, 1, 7, 7).add(0.5)
    torch.testing.assert_close(
        propagate(key, value, similarity="cosine"), propagate(scaled, value, similarity="cosine")
    )


def test_a_classifier_commutes_with_propagation():
    torch.manual_seed(0)
    feature, classifier = torch.randn(2, 8, 12, 9), torch.nn.Conv2d(8, 1, 1)
    bias = classifier.bias[:, None, None]
    after = classifier(propagate(feature, feature))
    before = propagate(feature, classifier(feature) - bias) + bias
    torch.testing.assert_close(before, after, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_computed_in_float32_and_returned_as_given(dtype):
    torch.manual_seed(0)
    feature = torch.randn(1, 16, 8, 8).to(dtype)
    out = propagate(feature, feature)
    assert out.dtype == dtype
    torch.testing.assert_close(out, propagate(feature.float(), feature.float()).to(dtype))


def test_channels_last_gives_the_same():
    torch.manual_seed(0)
    feature = torch.randn(2, 8, 10, 7)
    last = feature.to(memory_format=torch.channels_last)
    torch.testing.assert_close(propagate(last, last), propagate(feature, feature))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel_size": 4}, "odd kernel_size"),
        ({"dilation": 0}, "dilation of 1 or more"),
        ({"similarity": "euclid"}, "dot, cosine"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        propagate(*[torch.zeros(1, 1, 4, 4)] * 2, **settings)


@pytest.mark.gpu
def test_cuda_equals_cpu():
    torch.manual_seed(0)
    feature = torch.randn(2, 32, 40, 36)
    results = []
    for device in ("cpu", "cuda"):
        x = feature.to(device).requires_grad_()
        out = propagate(x, x)
        out.square().sum().backward()
        results.append((out.detach().cpu(), x.grad.cpu()))
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-3, atol=1e-3)
