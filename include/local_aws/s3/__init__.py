"""S3: SeaweedFS as a child process, a streaming proxy in front of it, and the client that jobs' files move through."""
