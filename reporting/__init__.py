"""Reports: tables, figures and pages from numbers and pictures."""
