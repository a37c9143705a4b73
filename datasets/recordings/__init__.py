"""Raw eye-tracker recordings of several makers, turned into the fixation table."""
