"""Time and memory of the array parts beside plain dense versions: ``python -m benchmarks.<part>``.

Run from the repository root; ``--help`` lists the sizes.
"""
