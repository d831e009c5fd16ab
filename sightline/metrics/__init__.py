"""What a process says of itself to Prometheus: a port by setting, read when it is scraped."""
