"""Prediction of folders of images: finding, loading, predicting, writing, and the folder of results."""
