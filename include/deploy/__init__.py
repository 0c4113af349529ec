"""What a deployment needs: the image, its health checks and its first start, and a real account's policy."""
