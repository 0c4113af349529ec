"""Jobs as child processes of a warm fork server, waiting for cores, with their logs in CloudWatch."""
