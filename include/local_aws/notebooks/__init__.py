"""Notebook instances: a Jupyter server of their own on a loopback port, and a directory that is kept."""
