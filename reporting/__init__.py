"""Tables, figures and pages from numbers and pictures."""
