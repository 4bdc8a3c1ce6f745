"""The hot paths: nogil loops over arrays, each judged by a plain numpy twin in tests/core/_fast."""
