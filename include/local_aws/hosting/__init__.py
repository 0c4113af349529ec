"""Models being served: chains of containers, serving processes, endpoints."""
