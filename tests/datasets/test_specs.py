"""The facts of each data set."""

import pytest

from datasets.specs import DATASETS, get_spec


def test_names_on_the_command_line():
    assert list(DATASETS) == ["kvasir", "prostate", "folder"]
    assert all(spec.name == name for name, spec in DATASETS.items())


def test_heatmap_sigma_of_the_paper():
    assert get_spec("kvasir").sigma_px == 70
    assert get_spec("prostate").sigma_px == 50


@pytest.mark.parametrize(
    ("data", "name", "case"),
    [
        ("prostate", "ProstateDx-01-0005_15", "ProstateDx-01-0005"),
        ("prostate", "my_case_3", "my_case"),
        ("prostate", "unnumbered", "unnumbered"),
        ("kvasir", "cju0_1", "cju0_1"),
    ],
)
def test_case_of(data, name, case):
    assert get_spec(data).case_of(name) == case


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="expected one of kvasir, prostate, folder, found 'liver'"):
        get_spec("liver")
