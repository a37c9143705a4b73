"""Raw eye-tracker recordings of several makers, turned into the fixation table.

Here are the names that can be chosen, and nothing that takes time to import.
"""

# Name of a format: the module that has ``looks_like(text)`` and ``read(path, text, settings)`` for it, in the order
# of asking: what comes first is more particular.
FORMATS = {
    "eyelink": "datasets.gaze.recordings.eyelink",
    "jspsych": "datasets.gaze.recordings.jspsych",
    "tobii": "datasets.gaze.recordings.tobii",
    "pupil_player": "datasets.gaze.recordings.pupil_player",
    "pupil_cloud": "datasets.gaze.recordings.pupil_cloud",
    "gazepoint": "datasets.gaze.recordings.gazepoint",
    "plain": "datasets.gaze.recordings.plain",
}
METHODS = ("events", "ivt", "idt")
EYES = ("auto", "left", "right", "both")
TIME_UNITS = ("s", "ms", "us", "ns")
XY_UNITS = ("px", "fraction")
# Roles of a column in a plain table, for --columns.
COLUMN_ROLES = ("t", "x", "y", "image", "trial", "pupil", "valid", "duration")
