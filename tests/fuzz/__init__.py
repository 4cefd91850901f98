"""Fuzzing of what reads bytes: the decoders, the parser of type texts, and types as binary tags.

``targets.py``
    what is fuzzed, and what must hold whatever the bytes are: plain functions that need no fuzzer.  The first
    bytes of an input choose options, see the docstrings there.
``corpus/<target>/``
    inputs.  Those called ``found-...`` were failures once, and stay; the others are the fewest that reach
    what all inputs known then have reached.  ``tests/test_fuzz_corpus.py`` runs all of them.
``words.dict``
    what bytes are likely to consist of: type tags and names of types.
``make_corpus.py``
    makes ``words.dict``, and seeds from the golden vectors.
``__main__.py``
    the fuzzer: atheris, which is libFuzzer guided by the branches of the C module (compiled by clang with its
    sanitizers) and of the Python code.

``make fuzz`` builds all of it in ``.cache/fuzz`` and fuzzes each target for ``FUZZ_SECONDS`` (60); with
``FUZZ=decode`` it is one target, and with ``ROWBINARY_TESTED=c`` the decoder in C is not compared with the
reference, which takes most of the time.  Inputs that reach something new stay in ``.cache/fuzz/corpus``.

An input that fails ends the run and is in ``.cache/fuzz/failures``.  To run it once more, with sanitizers and
without::

    make fuzz FUZZ=decode FUZZ_FLAGS=FILE
    PYTHONPATH=tests .venv/bin/python -P -m fuzz.targets decode FILE

Once it passes it belongs into the corpus, as ``found-...``.

``make fuzz-corpus`` makes the rest of the corpus anew, from the seeds and from what was found since.
"""
