"""Celery and kombu, made to keep their word: lanes, leases, transports. Their private parts are used here alone."""
