"""The stage that reads recordings: cut into shards, read one by one, put together."""
