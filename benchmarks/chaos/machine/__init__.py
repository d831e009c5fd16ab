"""The system under test: Redis, a database, processes that are kept alive."""
