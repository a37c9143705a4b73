"""Eye-tracker recordings of several makers, converted into the fixation table."""
