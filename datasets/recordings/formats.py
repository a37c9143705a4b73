"""Table formats of recordings, declared: the names and contents of their columns.

Names are compared without case, punctuation and unit (``Gaze point X [DACS px]`` is ``gazepointx``); ``a|b`` are
alternatives, of which the first that is there counts. They are from the makers' manuals and real exports.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Units as they stand in the names of columns: None is no unit.
PX = (None, "px", "pixel", "pixels", "dacspx", "adcspx", "rcspx")
SHARE = ("mcsnorm", "fraction", "norm", "normalized", "normalised")


@dataclass(frozen=True)
class Plane:
    """Plane of the positions, recognised by the unit in the names of their columns.

    Attributes:
        unit: ``px`` or ``fraction``.
        names: units of the columns.
        of: the ``screen``; the ``media``, in pixels from its corner; the ``image``, in shares of it; or the ``scene``
            camera's picture, of which the image is an unknown part.
    """

    unit: str
    names: tuple[str | None, ...]
    of: str = "screen"


@dataclass(frozen=True)
class TableFormat:
    """Format of one kind of table.

    Attributes:
        headers: a row that has all names of one of these is the header; ``timestamp[ns]`` asks for the unit too.
        columns: by role. ``t`` is the time of a sample, or the start of a row's fixation; ``start`` that of the
            fixation of a sample. ``x, y`` (both eyes, or that of ``eye``), ``left_x``, ... are samples, or fixations
            where there is a ``duration`` or an ``end``; ``fix_x, fix_y`` fixations beside samples. ``id`` numbers
            fixations, ``kind`` is the event type, ``valid``, ``left_valid``, ``fix_valid``, ... whether a row is
            valid, ``on`` whether it is on the surface. ``left, top, width, height`` place the image on the screen,
            ``image_height, image_width`` are its size, ``screen_width, screen_height`` the screen's. In declarations,
            ``@`` stands for x and y, ``*`` for left and right, and ``%``, in names, for l and r.
        planes: in order of preference.
        time_unit, duration_unit: where the column's name has none; None goes by the numbers (ms for durations).
        y_up: y grows upwards, from 0 to 1.
        merge: which position a fixation of several rows has: ``first``, ``last`` or ``mean``.
        validity: of a column with 0 and 1: ``flag``, 1 is good; ``codes``, 0 and 1 of 0..4 are; None asks the user.
        min_confidence: positions below are invalid.
        ragged: rows of several kinds have different fields.
        written_live: row by row while recording, so that the last row may be cut short.
        onset: whether samples begin when the image appears.
        image_of: pattern of the image's name in the file's name without ending.
    """

    name: str
    headers: tuple[tuple[str, ...], ...]
    columns: Mapping[str, str]
    planes: tuple[Plane, ...] = (Plane("px", PX),)
    time_unit: str | None = None
    duration_unit: str | None = None
    y_up: bool = False
    merge: str = "first"
    validity: str | None = None
    min_confidence: float | None = None
    ragged: bool = False
    written_live: bool = False
    onset: bool = True
    image_of: re.Pattern | None = None

    def __post_init__(self):
        object.__setattr__(self, "columns", _spread(self.columns))


def _spread(columns: Mapping[str, str]) -> dict[str, str]:
    return {
        role.replace("*", eye).replace("@", axis): names.replace("*", eye).replace("%", eye[:1]).replace("@", axis)
        for role, names in columns.items()
        for eye in (("left", "right") if "*" in role else ("",))
        for axis in ("xy" if "@" in role else ("",))
    }


IMAGE = (
    "image|image name|image file|media|media name|stimulus|stimulus name|stimuli name|picture|file name|stim|stim name"
    "|stim file|img|img name|image id|picture name|page name|trial image|source stimuli name|scene name"
)
# Names of these columns in tables that no tracker's software wrote.
WHAT_AND_WHO = {
    "image": IMAGE,
    "trial": "trial|trial id|trial index|trial number|trial nr|trial sequence|trial no|trial num",
    "participant": "participant|participant name|participant id|subject|subject id|subject name|sub|subj|ppt|pid"
    "|reader|reader id|user|user id|viewer|viewer id|observer|observer id|annotator|annotator id|rater|rater id",
    "recording": "recording|recording name|recording id|recording session label|session|session id|data file|block",
}

TOBII = TableFormat(
    # Pro Lab, Studio 3 and Studio 2, whose names differ, but never say two things by one name.
    name="tobii",
    headers=(("Recording timestamp",), ("Timestamp", "GazePointXLeft|MappedFixationPointX")),
    columns={
        "t": "Recording timestamp|Timestamp",
        "@": "Gaze point @",
        "*_@": "Gaze point * @|GazePoint@*",
        "fix_@": "Fixation point @",
        "kind": "Eye movement type|GazeEventType",
        "id": "Eye movement type index|FixationIndex",
        "duration": "Gaze event duration|Eye movement event duration|FixationDuration",
        "image": "Presented Media name|Presented Stimulus name|MediaName|StimuliName",
        "participant": "Participant name",
        "recording": "Recording name",
        "snapshot": "Snapshot",
        "*_pupil": "Pupil diameter *|Pupil*",
        "*_valid": "Validity *",
        "left": "Presented Media position X|MediaPosX",
        "top": "Presented Media position Y|MediaPosY",
        "width": "Presented Media width|MediaWidth",
        "height": "Presented Media height|MediaHeight",
        "image_width": "Original Media width",
        "image_height": "Original Media height",
        "screen_width": "Recording resolution width",
        "screen_height": "Recording resolution height",
        "screen": "RecordingResolution",
    },
    planes=(Plane("px", PX), Plane("px", ("mcspx",), "media"), Plane("fraction", SHARE, "image")),
    # Also where timestamps are exported in microseconds.
    duration_unit="ms",
    validity="codes",
)
TOBII_SDK = TableFormat(
    # As Python's tobii_research gives them, with tuples in cells, and as Titta writes them.
    name="tobii_sdk",
    headers=(("left_gaze_point_on_display_area|left_gaze_point_on_display_area_x",),),
    columns={
        "t": "device_time_stamp|system_time_stamp",
        "*_@": "*_gaze_point_on_display_area_@",
        "*_valid": "*_gaze_point_validity|*_gaze_point_valid",
        "*_pupil": "*_pupil_diameter",
        **WHAT_AND_WHO,
    },
    planes=(Plane("fraction", (None,)),),
    time_unit="us",
    validity="flag",
    written_live=True,
)
I2MC = TableFormat(
    # Samples of a Tobii TX300 as the examples of I2MC have them.
    name="i2mc",
    headers=(("LGazePos2dx", "LGazePos2dy"), ("RGazePos2dx", "RGazePos2dy")),
    columns={
        "t": "Time|RelTimestamp",
        "*_@": "%GazePos2d@",
        "*_valid": "%Validity",
        "*_pupil": "%PupilDm",
        **WHAT_AND_WHO,
    },
    planes=(Plane("fraction", (None,)),),
    validity="codes",
)
PUPIL_PLAYER = TableFormat(
    # Shares of the scene camera's picture or of a surface, which is taken to be named after its image. The clock is
    # the computer's, and may be negative.
    name="pupil_player",
    headers=(("norm_pos_x", "duration|gaze_timestamp|timestamp"), ("x_norm", "gaze_timestamp")),
    columns={
        "t": "gaze_timestamp|start_timestamp|timestamp|world_timestamp",
        "@": "norm_pos_@|@_norm",
        "duration": "duration",
        "id": "fixation_id|id",
        "on": "on_surf|on_srf",
        "confidence": "confidence",
    },
    planes=(Plane("fraction", (None,), "scene"),),
    time_unit="s",
    duration_unit="ms",
    y_up=True,
    merge="mean",
    # Pupil Player's own "minimum data confidence".
    min_confidence=0.6,
    onset=False,
    image_of=re.compile(r"(?:fixations|gaze_positions)_on_surface_(.+)"),
)
PUPIL_CLOUD = TableFormat(
    # Pupil Invisible and Neon: the scene camera or the reference image, or shares of a Marker Mapper's surface.
    name="pupil_cloud",
    headers=(
        ("timestamp[ns]|start timestamp[ns]", "gaze x[px]|gaze x[normalized]|fixation x[px]|fixation x[normalized]"),
        ("timestamp[ns]|start timestamp[ns]", "gaze position on surface x|fixation position on surface x"),
    ),
    columns={
        "t": "start timestamp|timestamp",
        "@": "fixation @|fixation position on surface @|gaze @|gaze position on surface @",
        "duration": "duration",
        "id": "fixation id",
        "on": "fixation detected on surface|fixation detected in reference image"
        "|gaze detected on surface|gaze detected in reference image",
        "valid": "worn",
        "recording": "recording id",
    },
    planes=(Plane("fraction", SHARE), Plane("px", ("px",), "scene")),
    merge="mean",
    validity="flag",
    onset=False,
)
GAZEPOINT = TableFormat(
    # FPOG... is the fixation so far, growing from row to row; BPOG... the mean of both eyes. MEDIA_ID is no name.
    name="gazepoint",
    headers=(("TIME", "FPOGX"), ("TIME", "BPOGX")),
    columns={
        "t": "TIME",
        "fix_@": "FPOG@",
        "start": "FPOGS",
        "duration": "FPOGD",
        "id": "FPOGID",
        "fix_valid": "FPOGV",
        "@": "BPOG@",
        "valid": "BPOGV",
        "*_@": "%POG@",
        "*_valid": "%POGV",
        "image": "MEDIA_NAME|DICOM_ID",  # the latter as EGD-CXR, the public gaze on chest X-rays, has it
        "trial": "MEDIA_ID",
    },
    planes=(Plane("fraction", (None,)),),
    time_unit="s",
    duration_unit="s",
    merge="last",
    validity="flag",
)
IMOTIONS = TableFormat(
    # Sensor data of one respondent: what the gaze filter found stands in every row of a fixation, Duration is that of
    # the stimulus, and an eye that was not found is at (-1, -1), whatever the tracker's codes of validity are.
    name="imotions",
    headers=(("Timestamp", "SourceStimuliName", "ET_GazeLeftx|Gaze X|Fixation X"),),
    columns={
        "t": "Timestamp",
        "fix_@": "Fixation @",
        "start": "Fixation Start",
        "duration": "Fixation Duration",
        "id": "Fixation Index",
        "@": "Gaze @",
        "*_@": "ET_Gaze*@",
        "*_pupil": "ET_Pupil*",
        "image": "SourceStimuliName",
    },
    time_unit="ms",
)
SMI = TableFormat(
    # BeGaze: events and samples as text, whose messages name the stimulus, and the event statistics of later versions.
    name="smi",
    headers=(
        ("Event Type", "Location X"),
        ("Time", "Type", "L POR X|R POR X"),
        ("Category", "Fixation Position X"),
        ("Stimulus", "Point of Regard Left X|Point of Regard Right X|Point of Regard Binocular X"),
    ),
    columns={
        "t": "Event Start Trial Time|Start|RecordingTime|Time",
        "end": "Event End Trial Time|End",
        "duration": "Event Duration|Duration",
        "@": "Fixation Position @|Location @|Point of Regard Binocular @",
        "*_@": "% POR @|Point of Regard * @",
        "kind": "Event Type|Type|Category|Category Binocular|Category Left|Category Right",
        "eye": "Eye L/R|Event Type",
        "trial": "Trial",
        "image": "Stimulus",
        "participant": "Participant",
        "pupil": "Fixation Average Pupil Diameter|Avg. Pupil Size X",
        "*_pupil": "% Mapped Diameter|% Dia X|Pupil Diameter *",
    },
    time_unit="us",
    duration_unit="us",
    ragged=True,
)
DATA_VIEWER = TableFormat(
    # Fixation reports of EyeLink's Data Viewer: the columns that the user chose, and variables of the experiment.
    name="data_viewer",
    headers=(("CURRENT_FIX_X", "CURRENT_FIX_Y"),),
    columns={
        "t": "CURRENT_FIX_START",
        "end": "CURRENT_FIX_END",
        "duration": "CURRENT_FIX_DURATION",
        "@": "CURRENT_FIX_@",
        "pupil": "CURRENT_FIX_PUPIL",
        "eye": "EYE_USED|EYE_REPORTED|RECORDING_EYE|EYE_TRACKED",
        "trial": "TRIAL_INDEX|TRIAL_LABEL|Trial_Index_",
        "recording": "RECORDING_SESSION_LABEL|DATA_FILE|Session_Name_",
        "image": IMAGE,
    },
    time_unit="ms",
)
_PLAIN = {
    "t": "t|time|timestamp|gaze timestamp|recording timestamp|system time|time ms|elapsed|elapsed time|start t|start"
    "|start time|start timestamp|onset|fixation start|t start|fix start|time start|system time stamp|device time stamp"
    "|timestamp start fixation|sttime|stime",  # of REFLACX, and of tables made of .edf and .asc files
    "end": "end t|end|end time|offset|fixation end|t end|fix end|time end|stop|timestamp end fixation|entime|etime",
    "duration": "duration|dur|fixation duration|duration ms|fix duration|fix dur|length",
    "@": "@|gaze @|@ gaze|gaze point @|screen @|@ pos|pos @|@ pred|pred @|fixation @|avg @|mean @|@ avg|@ mean|@ px"
    "|gaze pos @|average gaze @|@ pix|fix @|@ position|position @|@ fix|@ coord|raw @|@ pixel|fixation position @|gav @"
    "|a@p",
    "*_@": "* @|@ *|gaze * @|* gaze @|gaze @ *|* gaze point @|% @|@ %|gaze point * @|% gaze @|gaze % @|* @ pos|g@ *",
    "eye": "eye|which eye|eye used|eye tracked|recording eye|tracked eye|eye lr|eye name|eye reported|fix eye",
    "kind": "event type|eye movement type|gaze event type|eye movement|movement type|eye event|event|event label"
    "|event name|kind|category|class|classification|label|type|movement",
    **WHAT_AND_WHO,
    "pupil": "pupil|pupil size|pupil diameter|pupil avg|avg pupil|pupil area",
    "*_pupil": "* pupil|pupil *|* pupil size|* pupil diameter|% pupil|pupil %",
    "valid": "valid|is valid|validity|gaze valid|gaze validity|tracked|is tracked",
    "confidence": "confidence",
    "*_valid": "* valid|valid *|* validity|validity *|% validity|validity %|% valid",
}
_BY_ROLE = _spread(_PLAIN)
# Names of columns of the plain format that may be validity, by the words in them.
STATUS = "status|tracking|tracking status|gaze status|eye status|tracking quality|gaze quality|eye quality"
PLAIN = TableFormat(
    name="plain",
    headers=tuple(
        (_BY_ROLE[when], _BY_ROLE[f"{eye}x"], _BY_ROLE[f"{eye}y"])
        for when in ("t", "duration")
        for eye in ("", "left_", "right_")
    ),
    columns=_PLAIN,
    planes=(Plane("px", PX), Plane("fraction", SHARE)),
    # Whatever the software, a confidence of 0 means that no eye was found.
    min_confidence=1e-6,
)
# In the order of detection: more specific formats first.
TABLE_FORMATS = {
    format.name: format
    for format in (TOBII, TOBII_SDK, I2MC, PUPIL_PLAYER, PUPIL_CLOUD, GAZEPOINT, IMOTIONS, SMI, DATA_VIEWER, PLAIN)
}
