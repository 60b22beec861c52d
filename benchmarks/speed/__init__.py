"""What counting costs: costcalc beside every well-known counter, on the same models and the same machine.

    python -m benchmarks.speed peers FOLDER             # once: every counter into a folder of its own
    python -m benchmarks.speed run --peers FOLDER       # about a quarter of an hour; streams what it does
    python -m benchmarks.speed render                   # the page again, from the measurements alone

``run`` writes ``reports/runs/benchmarks.json`` and then the page. What was measured before an interruption is
not measured again, unless costcalc or the environment has changed since. ``--quick`` tries it all in a few
minutes on a few models, ``--only depth,prompt`` measures some groups. Nothing else should run meanwhile.
"""
