"""One small recording a format, written to the format's public description, with fixations that can be read off."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datasets.recordings.convert import ConversionSettings, Summary, convert_recordings
from datasets.recordings.detect import read_recording
from datasets.recordings.recording import ReadingSettings

# Two trials on a screen of 1024x768: polyp1 (over the whole screen, from 2100 ms), polyp2 (the middle, from 5000 ms).
EYELINK = """\
** CONVERTED FROM C:\\data\\a.edf using edfapi 4.2.1
** DATE: Wed Mar  1 10:00:00 2023
** VERSION: EYELINK II 1
**

MSG\t1000 DISPLAY_COORDS 0 0 1023 767
MSG\t1500 TRIALID 1
START\t2000 \tLEFT\tSAMPLES\tEVENTS
PUPIL\tAREA
EVENTS\tGAZE\tLEFT\tRATE\t1000.00\tTRACKING\tCR\tFILTER\t2
SAMPLES\tGAZE\tLEFT\tRATE\t1000.00\tTRACKING\tCR\tFILTER\t2
MSG\t2110 10 SYNCTIME
MSG\t2111 !V IMGLOAD FILL images\\polyp1.jpg
SFIX L   2050
2050\t  512.0\t  384.0\t  900.0\t...
EFIX L   2050\t2349\t300\t  512.0\t  384.0\t    900
SSACC L  2350
ESACC L  2350\t2379\t30\t  512.0\t  384.0\t  256.0\t  192.0\t   7.50\t    250
EFIX L   2380\t2579\t200\t  256.0\t  192.0\t    910
EFIX L   2600\t2639\t40\t  256.0\t  192.0\t    910
EFIX L   2700\t2799\t100\t  -56.0\t  192.0\t    910
SBLINK L 2820
EBLINK L 2820\t2900\t81
END\t3000 \tSAMPLES\tEVENTS\tRES\t  35.00\t  36.00
MSG\t3011 TRIAL_RESULT 0
MSG\t4500 TRIALID 2
START\t4800 \tLEFT\tSAMPLES\tEVENTS
MSG\t5000 SYNCTIME
MSG\t5001 !V IMGLOAD CENTER polyp 2.jpg 512 384 400 200
EFIX L   5100\t5199\t100\t  412.0\t  434.0\t    .
MSG\t5900 blank_screen
EFIX L   5800\t5999\t200\t  512.0\t  384.0\t    905
END\t6000 \tSAMPLES\tEVENTS\tRES\t  35.00\t  36.00
MSG\t6010 TRIAL_RESULT 0
"""

TOBII_HEADER = (
    "Recording timestamp\tParticipant name\tRecording name\tSensor\tRecording resolution width\t"
    "Recording resolution height\tPresented Media name\tPresented Media width\tPresented Media height\t"
    "Presented Media position X (DACSpx)\tPresented Media position Y (DACSpx)\tOriginal Media width\t"
    "Original Media height\tGaze point X\tGaze point Y\tPupil diameter left\tPupil diameter right\tEye movement type\t"
    "Gaze event duration\tEye movement type index\tFixation point X\tFixation point Y"
)


def tobii_rows() -> list[str]:
    """60 Hz, 1920x1080; polyp1 at (460,40) of size 1000x1000 for ten rows, a blank, polyp2 for five."""
    rows = []
    for index in range(16):
        media = "polyp1.jpg" if index < 10 else "" if index == 10 else "polyp2.jpg"
        kind, number, x, y, duration = (
            ("Fixation", 1, 960, 540, 100)
            if index < 6
            else ("Saccade", 1, "", "", 33)
            if index < 8
            else ("Fixation", 2, 710, 290, 133)
        )
        place = "1000\t1000\t460\t40\t600\t500" if media else "\t\t\t\t\t"
        rows.append(
            f"{index * 50 // 3}\tP1\tRec1\tEye Tracker\t1920\t1080\t{media}\t{place}\t{x}\t{y}\t3,0\t3,5\t{kind}\t"
            f"{duration}\t{number}\t{x}\t{y}"
        )
    rows.insert(3, "40\tP1\tRec1\tMouse\t1920\t1080\tpolyp1.jpg\t1000\t1000\t460\t40\t600\t500" + "\t" * 9)
    return rows


def imotions() -> str:
    """60 Hz: a fixation of 20 rows, 3 of a saccade, one of 27; a row of the slide before them."""
    head = "Row,Timestamp,EventSource,SlideEvent,Duration,SourceStimuliName,ET_GazeLeftx,ET_GazeLefty,ET_GazeRightx,"
    head += "ET_GazeRighty,ET_ValidityLeft,ET_ValidityRight,Gaze X,Gaze Y,Fixation Index,Fixation X,Fixation Y,"
    lines = ["#INFO,", "#Respondent Name,P1", "#DATA,", head + "Fixation Start,Fixation End,Fixation Duration"]
    lines.append("1,0,SlideShow,StartSlide,5000,a.png" + "," * 14)
    for i in range(50):
        first, last, number, x = (0, 20, 1, 500) if i < 20 else (23, 50, 2, 250)
        found = f"{number},{x},500,{10 * first},{10 * last},{10 * (last - first)}" if not 20 <= i < 23 else ",,,,,"
        lines.append(f"{i + 2},{10 * i},ET,,,a.png,{x - 5},500,{x + 5},500,0,0,{x},500,{found}")
    return "\n".join(lines) + "\n"


PUPIL_PLAYER = """\
id,start_timestamp,duration,start_frame_index,end_frame_index,norm_pos_x,norm_pos_y,dispersion,confidence,method
1,-100.5,250.0,10,17,0.25,0.9,0.8,0.95,2d gaze
2,-100.2,180.0,18,22,0.5,0.5,0.9,0.3,2d gaze
3,-99.9,120.0,24,27,0.75,0.2,0.9,0.99,2d gaze
"""

PUPIL_CLOUD = """\
recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],fixation x [px],fixation y [px]
r,1,1700000000000000000,1700000000250000000,250,400,300
r,2,1700000000300000000,1700000000400000000,100,800,300
"""

GAZEPOINT = """\
MEDIA_ID,MEDIA_NAME,CNT,TIME(2023/03/01 10:00:00.000),FPOGX,FPOGY,FPOGS,FPOGD,FPOGID,FPOGV,BPOGX,BPOGY,BPOGV,
0,polyp1.jpg,0,0.100,0.5,0.5,0.100,0.000,1,1,0.5,0.5,1,
0,polyp1.jpg,1,0.117,0.5,0.4,0.100,0.017,1,1,0.5,0.4,1,
0,polyp1.jpg,2,0.200,0.5,0.25,0.100,0.100,1,1,0.5,0.25,1,
0,polyp1.jpg,3,0.217,0.9,0.9,0.100,0.100,1,0,0.9,0.9,0,
"""

# As Python writes the SDK's rows, tuples and all; 90 Hz, the left eye lost in the last row but one.
TOBII_SDK = "device_time_stamp;left_gaze_point_on_display_area;left_gaze_point_validity;" + (
    "right_gaze_point_on_display_area;right_gaze_point_validity;left_pupil_diameter;right_pupil_diameter\n"
)
TOBII_SDK += "".join(f"{491999899 + 11103 * i};(0.25, 0.5);1;(0.75, 0.5);1;3.0;3.2\n" for i in range(10))
TOBII_SDK += "492110929;(nan, nan);0;(0.75, 0.5);1;nan;3.2\n492122032;(0.25, 0.5);1;(0.75, 0.5);1;3.0;3.2\n"

I2MC = "Time\tLGazePos2dx\tLGazePos2dy\tLPupilDm\tLValidity\tRGazePos2dx\tRGazePos2dy\tRPupilDm\tRValidity\n"
I2MC += "".join(f"{2619771723 + 3333 * i}\t0.5\t0.25\t4.3\t0\t0.5\t0.75\t3.8\t0\n" for i in range(30))
I2MC += "".join(f"{2619871713 + 3333 * i}\t-1.0\t-1.0\t-1.0\t4\t0.5\t0.75\t3.8\t0\n" for i in range(3))

SMI = """\
[BeGaze]
Sample Rate:\t120
Calibration Area:\t1680\t1050

Table Header for Fixations:
Event Type,Trial,Number,Start,End,Duration,Location X,Location Y,Dispersion X,Dispersion Y,AOI hit,Image,Plane

Table Header for Saccades:
Event Type,Trial,Number,Start,End,Duration,Start Loc.X,Start Loc.Y,End Loc.X,End Loc.Y,Amplitude,Peak Speed

Table Header for Blinks:
Event Type,Trial,Number,Start,End,Duration

Table Header for User Events:
Event Type,Trial,Number,Start,Description

UserEvent,1,1,1000000,# Message: polyp1.jpg
Fixation L,1,1,1000000,1200000,200000,420,525,1,1,-,-,-1
Fixation R,1,1,1000000,1200000,200000,840,525,1,1,-,-,-1
Saccade L,1,1,1200000,1250000,50000,420,525,840,1050,3.7,149.3,0.9,40
Fixation R,1,2,1250000,1290000,40000,840,525,1,1,-,-,-1
UserEvent,1,2,1295000,# Message: UE-mouseclick left x=964 y=427
Blink R,1,1,1300000,1400000,100000
UserEvent,2,3,2000000,# Message: polyp2.jpg
Fixation R,2,3,2000000,2300000,300000,1260,262.5,1,1,-,-,-1
"""

DATA_VIEWER = """\
CURRENT_FIX_Y\tCURRENT_FIX_X\timage\tCURRENT_FIX_DURATION\tRECORDING_SESSION_LABEL\tTRIAL_INDEX\tCURRENT_FIX_START\tEYE_USED
384.0\t512.0\tpolyp1.jpg\t250\ts1\t1\t12\tRIGHT
192.0\t256.0\tpolyp1.jpg\t40\ts1\t1\t280\tRIGHT
.\t.\tpolyp1.jpg\t90\ts1\t1\t340\tRIGHT
192.0\t256.0\tpolyp2.jpg\t120\ts1\t2\t10\tRIGHT
"""

JSPSYCH = """\
[{"trial_type": "webgazer-calibrate", "trial_index": 0, "time_elapsed": 9000},
 {"trial_type": "image-keyboard-response", "trial_index": 1, "stimulus": "img/polyp1.jpg", "webgazer_data":
  [{"x": 300, "y": 200, "t": 20}, {"x": 300, "y": 200, "t": 53}, {"x": 300, "y": 200, "t": 87},
   {"x": 300, "y": 200, "t": 120}, {"x": 300, "y": 200, "t": 153}], "webgazer_targets":
  {"#jspsych-image-keyboard-response-stimulus": {"x": 100, "y": 100, "width": 400, "height": 400, "top": 100}}}]
"""

PLAIN = """\
image;trial;time_ms;x;y
polyp1.jpg;1;0;10,5;20
polyp1.jpg;1;10;10,5;20
polyp1.jpg;1;20;10,5;20
"""


@pytest.fixture(scope="session")
def examples() -> dict[str, tuple[str, str]]:
    """By format: a file name and the text."""
    return {
        "eyelink": ("a.asc", EYELINK),
        "tobii": ("export.tsv", "\n".join([TOBII_HEADER, *tobii_rows()]) + "\n"),
        "pupil_player": ("fixations.csv", PUPIL_PLAYER),
        "pupil_cloud": ("fixations.csv", PUPIL_CLOUD),
        "gazepoint": ("User 1_all_gaze.csv", GAZEPOINT),
        "tobii_sdk": ("sdk.csv", TOBII_SDK),
        "i2mc": ("tx300.tsv", I2MC),
        "imotions": ("001_P1.csv", imotions()),
        "smi": ("events.txt", SMI),
        "data_viewer": ("report.xls", DATA_VIEWER),
        "jspsych": ("data.json", JSPSYCH),
        "plain": ("gaze.csv", PLAIN),
    }


@pytest.fixture
def write(tmp_path: Path, examples) -> Callable[..., Path]:
    """A function that writes an example, or another text under an example's name; returns the path."""

    def write(format: str, text: str | None = None, *, name: str | None = None, encoding: str = "utf-8") -> Path:
        path = tmp_path / (name or examples[format][0])
        path.write_bytes((examples[format][1] if text is None else text).encode(encoding))
        return path

    return write


@pytest.fixture(scope="session")
def convert() -> Callable[..., tuple[pd.DataFrame, Summary]]:
    """A function from one file to its fixation table and summary; ``edit`` changes the recording in between."""

    def convert(path: Path, reading=None, settings=None, edit=lambda recording: recording):
        recording = edit(read_recording(path, reading or ReadingSettings()))
        table, summaries, _ = convert_recordings([recording], settings or ConversionSettings())
        return table, summaries[0]

    return convert


def rows(table: pd.DataFrame) -> list[tuple]:
    """(image, x, y, duration, start) of every row, for comparison by eye."""
    names = ["IMAGE", "CURRENT_FIX_X", "CURRENT_FIX_Y", "CURRENT_FIX_DURATION", "CURRENT_FIX_START"]
    table = table.reindex(columns=names).astype(object)
    return [tuple(row) for row in table.where(table.notna(), None).itertuples(index=False)]


@pytest.fixture(scope="session", name="rows")
def rows_fixture() -> Callable[[pd.DataFrame], list[tuple]]:
    """A function from a table to (image, x, y, duration, start) of every row."""
    return rows


@pytest.fixture(scope="session")
def steps() -> Callable[..., pd.DataFrame]:
    """A function that makes samples of fixations with jumps between: (x, y, number of samples) each."""

    def steps(*fixations: tuple[float, float, int], rate_hz: float, jump: int = 2) -> pd.DataFrame:
        points = []
        for index, (x, y, count) in enumerate(fixations):
            if index:
                x0, y0, _ = fixations[index - 1]
                points += [(x0 + (x - x0) * k / (jump + 1), y0 + (y - y0) * k / (jump + 1)) for k in range(1, jump + 1)]
            points += [(x, y)] * count
        xy = np.array(points, dtype=float).reshape(-1, 2)
        time = np.arange(len(xy)) * 1e3 / rate_hz
        return pd.DataFrame({"start_ms": time, "x": xy[:, 0], "y": xy[:, 1], "pupil": 3.0, "eye": "both"})

    return steps


@pytest.fixture(scope="session")
def real_recordings() -> Path:
    """The folder with recordings that other projects publish; see GAZEMEDSEG_SHARED."""
    shared = Path(os.environ.get("GAZEMEDSEG_SHARED") or Path(__file__).resolve().parents[4] / "shared")
    folder = shared / "data" / "recordings"
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}; set GAZEMEDSEG_SHARED")
    return folder
