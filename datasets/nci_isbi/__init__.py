"""Preparation of the NCI-ISBI 2013 downloads, as the archive delivers them: archive, series, masks, prepare."""
