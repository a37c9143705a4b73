"""The NCI-ISBI 2013 downloads as the archive delivers them, to a data folder: archive, series, masks, prepare."""
