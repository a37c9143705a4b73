"""The README's way from own images and recordings to predictions, typed as it stands."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import run
from datasets.demo.viewer import simulate_fixations
from training.recipes import RECIPES

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
SCREEN = (1024, 768)
NUM_IMAGES = 10


@pytest.fixture
def mine(tmp_path, monkeypatch) -> Path:
    """Ten images without masks in data/mine, and a recording of somebody who looked at them."""
    monkeypatch.chdir(tmp_path)
    images, recordings = Path("data", "mine", "images"), Path("recordings")
    images.mkdir(parents=True)
    recordings.mkdir()
    lines, clock = [f"MSG\t1000 DISPLAY_COORDS 0 0 {SCREEN[0] - 1} {SCREEN[1] - 1}"], 2000
    for number in range(NUM_IMAGES):
        rng = np.random.default_rng(number)
        y, x = np.mgrid[:48, :64]
        target = (x - rng.uniform(20, 44)) ** 2 + (y - rng.uniform(16, 32)) ** 2 < rng.uniform(6, 12) ** 2
        picture = np.where(target[..., None], (190, 90, 70), (120, 50, 60)) + rng.normal(0, 10, (48, 64, 3))
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(images / f"case{number}.png")
        lines += [f"MSG\t{clock} TRIALID {number + 1}", f"START\t{clock} \tLEFT\tEVENTS"]
        lines += [f"MSG\t{clock + 1} !V IMGLOAD FILL case{number}.png"]
        for fixation in simulate_fixations(target, rng=rng):
            start = clock + 10 + int(fixation["start_ms"])
            end, place = (
                start + int(fixation["duration_ms"]) - 1,
                (fixation["x"] * SCREEN[0], fixation["y"] * SCREEN[1]),
            )
            duration = int(fixation["duration_ms"])
            lines.append(f"EFIX L   {start}\t{end}\t{duration}\t  {place[0]:.1f}\t  {place[1]:.1f}\t    900")
        clock = end + 100
        lines += [f"END\t{clock} \tEVENTS\tRES\t  35.00\t  36.00", f"MSG\t{clock + 1} TRIAL_RESULT 0"]
        clock += 1000
    (recordings / "me.asc").write_text("\n".join(["** CONVERTED FROM me.edf", "", *lines, ""]))
    return images


def test_own_images_and_recordings_in_and_predictions_out(mine, monkeypatch):
    monkeypatch.setitem(RECIPES, "small", RECIPES["small"] | {"max_ite": 2, "val_step": 2})
    section = README[README.index("## Your data in, a model out") :]
    commands = re.search(r"```bash\n(.*?)```", section, re.DOTALL)[1].splitlines()
    assert len(commands) == 5
    for command in commands:
        words = shlex.split(command.replace("recordings/*.asc", "recordings/me.asc"), comments=True)
        assert words[:2] == ["python", "run.py"]
        assert run.main(words[2:]) == 0, command
    assert {path.stem for path in Path("exp", "mine", "predicted", "masks").iterdir()} == {
        f"case{n}" for n in range(NUM_IMAGES)
    }
    # Nothing to evaluate on, and nothing chosen.
    assert not Path("exp", "mine", "model_best.pth").exists()
