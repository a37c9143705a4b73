"""The fully-connected CRF of two classes, compiled."""
