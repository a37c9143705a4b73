"""The settings file: defaults, every key, and one sentence for whatever is wrong in it."""

import pickle

import pytest

from datasets.settings import read_settings
from datasets.specs import get_spec


def _write(root, text):
    (root / "dataset.toml").write_text(text, encoding="utf-8")
    return root


def test_without_a_file_it_is_like_kvasir(tmp_path):
    spec, kvasir = get_spec("folder", tmp_path), get_spec("kvasir")
    for name in ("in_channels", "normalisation", "sigma_px", "end_thresholds", "case_pattern"):
        assert getattr(spec, name) == getattr(kvasir, name)
    assert spec.map_ext == ".png"


def test_every_key_reaches_the_spec(tmp_path):
    text = """
    # ultrasound, from two machines
    channels = 1
    normalisation = "zscore"
    sigma_px = 42.5
    thresholds = [0.6, 0.4, 1]
    case_pattern = '^(.*)_\\d+$'
    map_format = "jpg"
    ignore_value = 255
    """
    spec = get_spec("folder", _write(tmp_path, text))
    assert (spec.in_channels, spec.normalisation, spec.sigma_px) == (1, "zscore", 42.5)
    assert spec.end_thresholds == (0.6, 0.4, 1.0)
    assert (spec.map_ext, spec.map_exts) == (".jpg", (".jpg", ".png"))
    assert spec.case_of("liver_3_12") == "liver_3"
    assert not spec.needs_8_bit and spec.ignore_value == 255


def test_one_channel_means_zscore_unless_said_otherwise(tmp_path):
    assert read_settings(_write(tmp_path, "channels = 1"))["normalisation"] == "zscore"
    assert get_spec("folder", _write(tmp_path, 'normalisation = "zscore"')).in_channels == 3


def test_the_mark_that_windows_editors_write_is_no_error(tmp_path):
    (tmp_path / "dataset.toml").write_text("channels = 1\n", encoding="utf-8-sig")
    assert read_settings(tmp_path)["in_channels"] == 1


def test_a_spec_travels_to_worker_processes(tmp_path):
    spec = get_spec("folder", _write(tmp_path, "case_pattern = '^(.)'"))
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert hash(spec) == hash(pickle.loads(pickle.dumps(spec)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sigma = 3", "expected keys out of channels, normalisation, sigma_px, .*, found sigma"),
        ("[folder]\nchannels = 1", "expected keys out of .*, found folder"),
        ("channels = 2", "channels: expected 1 or 3, found 2"),
        ("channels = true", "channels: expected 1 or 3, found True"),
        ("channels = 3.0", "channels: expected 1 or 3, found 3.0"),
        ("channels = '3'", "channels: expected 1 or 3, found '3'"),
        ("normalisation = 'ImageNet'", 'normalisation: expected "imagenet" or "zscore", found \'ImageNet\''),
        ("channels = 1\nnormalisation = 'imagenet'", 'normalisation: expected "zscore" with channels = 1'),
        ("sigma_px = 0", "sigma_px: expected a number above 0, .*, found 0"),
        ("sigma_px = inf", "sigma_px: .* found inf"),
        ("sigma_px = nan", "sigma_px: .* found nan"),
        ("sigma_px = true", "sigma_px: .* found True"),
        ("sigma_px = 1" + "0" * 400, "sigma_px: expected a number above 0"),
        ("sigma_px = 769", "sigma_px: .* up to its side, found 769"),
        ("thresholds = [1" + "0" * 400 + "]", "thresholds: .* above 0 and up to 1"),
        ("thresholds = " + "[" * 5000, "expected TOML"),
        ("case_pattern = '(a{99999999999999})'", "case_pattern: expected a regular expression with one group"),
        ("case_pattern = '" + "(" * 5000 + "'", "case_pattern: expected a regular expression with one group"),
        ("thresholds = []", r"thresholds: expected a list of one or more numbers .*, found \[\]"),
        ("thresholds = 0.5", "thresholds: expected a list .*, found 0.5"),
        ("thresholds = [0.5, 0]", "thresholds: .* above 0 and up to 1"),
        ("thresholds = [0.5, 1.5]", "thresholds: .* above 0 and up to 1"),
        ("case_pattern = '^.*_'", "case_pattern: expected a regular expression with one group"),
        ("case_pattern = '(a)(b)'", "case_pattern: expected a regular expression with one group"),
        ("case_pattern = '(a'", "case_pattern: expected a regular expression with one group"),
        ("case_pattern = 3", "case_pattern: expected a regular expression with one group"),
        ("map_format = 'tiff'", 'map_format: expected "png" or "jpg", found \'tiff\''),
        ("ignore_value = 0", "ignore_value: expected a whole number from 1 to 65535, .*, found 0"),
        ("ignore_value = 65536", "ignore_value: .* found 65536"),
        ("ignore_value = 255.0", "ignore_value: .* found 255.0"),
        ("ignore_value = true", "ignore_value: .* found True"),
        ("ignore_value = '255'", "ignore_value: .* found '255'"),
        ("channels: 1", "expected TOML, .* line 1"),
        ("channels = 1\nchannels = 3", "expected TOML, .* Cannot overwrite a value"),
    ],
)
def test_what_does_not_fit_is_one_sentence_with_file_and_key(tmp_path, text, message):
    with pytest.raises(ValueError, match=rf"dataset\.toml: {message}") as caught:
        get_spec("folder", _write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "dataset.toml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match=r"dataset\.toml: expected TOML"):
        read_settings(tmp_path)


def test_the_settings_of_a_folder_need_the_folder():
    with pytest.raises(ValueError, match=r"expected its folder \(root\)"):
        get_spec("folder")
    assert get_spec("kvasir") == get_spec("kvasir", "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sigma_px = " + "1" * 5000, "expected TOML"),
        ("sigma_px = 0x" + "1" * 5000, "sigma_px: expected a number above 0, .*, found a value too large to show"),
        ("x=" + "{a=" * 3000 + "1" + "}" * 3000, "expected TOML"),
        ("#" * 70000, "expected a file of up to 65,536 bytes"),
        ("x" * 9000 + " = 1", "expected keys out of"),
    ],
    ids=["digits", "hexadecimal", "nested", "long", "long_key"],
)
def test_what_python_cannot_hold_is_one_short_sentence_too(tmp_path, text, message):
    with pytest.raises(ValueError, match=rf"^{tmp_path}/dataset\.toml: {message}") as caught:
        read_settings(_write(tmp_path, text))
    assert len(str(caught.value)) < 700


def test_keys_that_take_for_ever_are_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.settings.MAX_SECONDS", 0.2)
    with pytest.raises(ValueError, match=r"dataset\.toml: expected TOML, .* that it takes longer than 0\.2 s"):
        read_settings(_write(tmp_path, "a." * 30000 + "a = 1"))


def test_what_is_no_file_is_said(tmp_path):
    path = tmp_path / "dataset.toml"
    path.mkdir()
    with pytest.raises(OSError, match=r"dataset\.toml: expected a regular file, found a folder"):
        read_settings(tmp_path)
    path.rmdir()
    path.symlink_to("dataset.toml")
    with pytest.raises(OSError, match=r"dataset\.toml: expected a readable file"):
        read_settings(tmp_path)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(.*.*.*.*.*.*.*.*x)", "(?:a|a)*(b)"])
def test_a_pattern_that_tries_ways_without_end_is_given_up(tmp_path, monkeypatch, pattern):
    monkeypatch.setattr("datasets.specs.CASE_SECONDS", 0.1)
    spec = get_spec("folder", _write(tmp_path, f"case_pattern = '{pattern}'"))
    with pytest.raises(ValueError, match=r"dataset\.toml: case_pattern .* within 0\.1 s, .* in 'aaaa"):
        spec.case_of("a" * 200 + "!")
