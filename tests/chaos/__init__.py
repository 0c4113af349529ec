"""Chaos: runs of every story on real Airflow and the embedded AWS, hurt at drawn moments, and what came of it counted.

``python -m tests.chaos --rounds 100 --seed 7``; see ``rounds`` for what is drawn and ``suite`` for what is counted.
"""
