"""Where pixels lie while queues carry only their keys."""
