"""Autopilot jobs: their operations, their statuses, and the supervisor that follows a search."""
