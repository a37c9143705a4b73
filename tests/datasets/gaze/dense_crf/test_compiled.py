"""Compiled functions: same answer with and without a place for the cache."""

from datasets.gaze.dense_crf.compiled import compiled


def _triple(number):
    return 3 * number


def test_cached_next_to_its_file():
    function = compiled(_triple)
    assert function(2) == 6 and function.stats.cache_path


def test_no_place_for_a_cache():
    # Code without a file has none; a checkout and a home that cannot be written have none either.
    namespace = {}
    exec("def triple(number): return 3 * number", namespace)
    function = compiled(namespace["triple"])
    assert function(2) == 6 and not function.stats.cache_path
