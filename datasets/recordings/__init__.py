"""Raw eye-tracker recordings of several makers, turned into the fixation table.

Here are the names that can be chosen, and nothing that takes time to import.
"""

from datasets.recordings.formats import TABLE_FORMATS

# Tables in the order of asking.
FORMATS = ("eyelink", *TABLE_FORMATS, "jspsych")
METHODS = ("events", "ivt", "idt")
# "both" is what the last one was called before.
EYES = ("auto", "left", "right", "both-averaged", "both")
TIME_UNITS = ("s", "ms", "us", "ns")
XY_UNITS = ("px", "fraction")
# Roles of a column of a table, for --columns.
COLUMN_ROLES = (
    *("t", "x", "y", "image", "trial", "recording", "pupil", "valid", "duration", "end", "eye", "kind"),
    *("left_x", "left_y", "right_x", "right_y", "left_valid", "right_valid"),
)
